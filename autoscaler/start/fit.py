"""Workloads and the series a server has → the counters that fit each workload, best first, with the reason. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from autoscaler.model.target import WorkloadRef
from autoscaler.policy.promql import matcher
from autoscaler.start.table import KNOWN, OTHERS, READY, Known, Label, Way, Where

RESETS = 0.1  # of its changes: what falls more often is no counter
RESTARTS = 3  # so often it may fall whatever it does else
SCRAPES = 4  # that a window holds, as lint asks for
LEAST_WINDOW_S = 60.0

Matcher = tuple[str, str, str]  # label, operator, value


class Series(msgspec.Struct, frozen=True):
    """That there are series of this name with these labels, of all labels that matter."""

    metric: str
    labels: Mapping[str, str]


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """A counter that fits a workload. `served` and `ready` are names that are there too, `also` other workloads that
    its labels name just as well.
    """

    ref: WorkloadRef
    known: Known
    metric: str
    matchers: tuple[Matcher, ...]
    way: int
    served: str = ""
    ready: str = ""
    also: tuple[str, ...] = ()

    @property
    def because(self) -> str:
        """Why it fits, and how well."""
        by = ", ".join(f"{label}{operator}{value}" for label, operator, value in self.matchers)
        said = f"{self.known.what}: {self.known.where.why} ({by})"
        return f"{said}; the same labels fit {', '.join(self.also)}" if self.also else said

    def selector(self, metric: str = "") -> str:
        """The selector of its series, or of another metric with the same labels."""
        return f"{metric or self.metric}{{{', '.join(matcher(*each) for each in self.matchers)}}}"

    def rate(self, window: str, metric: str = "") -> str:
        """The query of the whole load."""
        return f"sum(rate({self.selector(metric)}[{window}]))"

    def counted(self) -> str:
        """The query of how many instances serve; empty where none is known."""
        if self.ready:
            return f"max({self.selector(self.ready)})"
        if self.known.each:
            return f"count(count by (instance) ({self.selector()}))"
        return ""


class Shape(msgspec.Struct, frozen=True):
    """How a counter's series moved in the last hour, and seconds between its samples; None: that cannot be told."""

    changes: float
    resets: float
    interval_s: float | None = None

    @property
    def wrong(self) -> str:
        """Why this is no counter; empty where it may be one."""
        if self.resets > max(RESTARTS, RESETS * self.changes):
            return f"it fell {self.resets:.0f} of the {self.changes:.0f} times that it changed in the last hour"
        return ""

    @property
    def window_s(self) -> float:
        """The window its rate needs: four scrapes, in whole half minutes."""
        if self.interval_s is None:
            return LEAST_WINDOW_S
        return max(LEAST_WINDOW_S, 30.0 * -(-SCRAPES * round(self.interval_s) // 30))


def names() -> str:
    """The pattern of every name that is looked for."""
    found = [name for known in KNOWN for name in (known.metric, known.served, known.ready) if name]
    return "|".join(dict.fromkeys([*found, *(name for name, _ in READY.values())]))


def labels() -> list[str]:
    """Every label that matters."""
    ways = [way for known in KNOWN for way in (*known.compose, *known.kubernetes)]
    found = [label.name for way in ways for label in way] + [name for known in KNOWN for name, _ in known.beside]
    return sorted({*found, "namespace", *(label for _, label in READY.values())})


def fits(refs: Sequence[WorkloadRef], there: Sequence[Series]) -> dict[str, tuple[Fit, ...]]:
    """By the key of each workload, the counters that fit it, best first."""
    by: dict[str, list[Series]] = {}
    for each in there:
        by.setdefault(each.metric, []).append(each)
    found = {ref.key: list(_of(ref, by)) for ref in refs}
    claims: dict[tuple[str, tuple[Matcher, ...]], list[str]] = {}
    for key, own in found.items():
        for one in own:
            claims.setdefault((one.metric, one.matchers), []).append(key)
    told = {}
    for key, own in found.items():
        for place, one in enumerate(own):
            also = tuple(other for other in claims[one.metric, one.matchers] if other != key)
            own[place] = msgspec.structs.replace(one, also=also)
        told[key] = tuple(sorted(own, key=lambda one: (bool(one.also), one.known.where, one.way, one.metric)))
    return told


def _of(ref: WorkloadRef, by: Mapping[str, Sequence[Series]]) -> Iterator[Fit]:
    told: set[str] = set()
    for known in KNOWN:
        ways = known.compose if ref.platform == "compose" else known.kubernetes
        for metric in [each for each in by if re.fullmatch(known.metric, each) and each not in told]:
            if known.where is Where.BY_NAME and OTHERS.search(metric):
                continue
            for place, way in enumerate(ways):
                matchers = _matchers(ref, known, way, by[metric])
                if matchers:
                    told.add(metric)
                    served = known.served if _any(matchers, by.get(known.served, ())) else ""
                    ready = known.ready if _any(matchers, by.get(known.ready, ())) else ""
                    yield Fit(
                        ref=ref, known=known, metric=metric, matchers=matchers, way=place, served=served, ready=ready
                    )
                    break


def _matchers(ref: WorkloadRef, known: Known, way: Way, there: Sequence[Series]) -> tuple[Matcher, ...]:
    """The matchers that choose the series naming this workload; none where there are no such series."""
    beside = tuple((name, "=", value) for name, value in known.beside)
    patterns = {label.name: _filled(label.pattern, ref) for label in way}
    mine = [
        each.labels
        for each in there
        if all(re.fullmatch(pattern, each.labels.get(name, "")) for name, pattern in patterns.items())
        and all(each.labels.get(name) == value for name, value in known.beside)
    ]
    return (*(_matcher(label, patterns[label.name], mine) for label in way), *beside) if mine else ()


def _matcher(label: Label, pattern: str, mine: Sequence[Mapping[str, str]]) -> Matcher:
    if label.passing:
        return label.name, "=~", pattern
    values = sorted({each[label.name] for each in mine})
    if len(values) == 1:
        return label.name, "=", values[0]
    return label.name, "=~", "|".join(map(re.escape, values))


def _any(matchers: Sequence[Matcher], there: Sequence[Series]) -> bool:
    return any(
        all(
            re.fullmatch(value, each.labels.get(label, "")) if operator == "=~" else each.labels.get(label) == value
            for label, operator, value in matchers
        )
        for each in there
    )


def _filled(pattern: str, ref: WorkloadRef) -> str:
    return pattern.replace("{namespace}", re.escape(ref.namespace)).replace("{name}", re.escape(ref.name))


def replicas(ref: WorkloadRef, there: Sequence[Series]) -> str:
    """The query of how many replicas a cluster says it had; empty where nothing tells it."""
    gauge, label = READY.get(ref.kind, ("", ""))
    wanted = {"namespace": ref.namespace, label: ref.name}
    if not any(each.metric == gauge and wanted.items() <= dict(each.labels).items() for each in there):
        return ""
    return f"max({gauge}{{{', '.join(matcher(name, '=', value) for name, value in wanted.items())}}})"
