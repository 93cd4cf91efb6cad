"""Queries that share a template → one query for many, and its answer → the answers each alone would have had. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable

import msgspec

from autoscaler.clients.prometheus import Answer, Sample
from autoscaler.policy.sharing import Shared, everyone, share, together


class Part(msgspec.Struct, frozen=True):
    """Queries that are asked as one, with how each shares; one alone is asked as it is written.

    `whole` asks for all there are, also of those that nobody here follows.
    """

    queries: tuple[str, ...]
    shared: tuple[Shared, ...] = ()
    whole: bool = False

    @property
    def many(self) -> bool:
        """True where there is something to split."""
        return len(self.queries) > 1

    @property
    def template(self) -> str:
        """What its queries have in common; the query itself where it is alone."""
        return self.shared[0].template if self.many else self.queries[0]

    def text(self) -> str | None:
        """What to ask; None where it cannot be asked as one."""
        if not self.many:
            return self.queries[0]
        first = self.shared[0]
        if self.whole:
            return everyone(first.template, first.labels)
        return together(first.template, first.labels, tuple(each.values for each in self.shared))

    def halves(self) -> tuple[Part, Part]:
        """Two parts with the same queries."""
        at = len(self.queries) // 2
        return Part(self.queries[:at], self.shared[:at]), Part(self.queries[at:], self.shared[at:])

    def strangers(self, answer: Answer) -> int:
        """How many there are in an answer that nobody asked for."""
        labels, known = self.shared[0].labels, {each.values for each in self.shared}
        return len({tuple(sample.metric.get(label, "") for label in labels) for sample in answer.samples} - known)

    def apart(self, answer: Answer) -> dict[str, Answer] | None:
        """The answer of each query; None where somebody's series cannot be told, so that nothing is proven."""
        if not self.many:
            return {self.queries[0]: answer}
        labels = self.shared[0].labels
        rows: dict[tuple[str, ...], list[Sample]] = {each.values: [] for each in self.shared}
        for sample in answer.samples:
            whose = tuple(sample.metric.get(label, "") for label in labels)
            if "" in whose:
                return None
            if whose in rows:  # values of several labels meet in ways that nobody asked for
                rows[whose].append(sample)
        at = answer.samples[0].value[0] if answer.samples else 0.0
        return {
            query: Answer(_own(rows[each.values], each, at), answer.warnings)
            for query, each in zip(self.queries, self.shared, strict=True)
        }


def _own(samples: list[Sample], shared: Shared, at: float) -> tuple[Sample, ...]:
    """The samples as the query alone gives them: without the labels that are only there to tell whose they are."""
    if not samples and shared.otherwise is not None:
        return (Sample((at, shared.otherwise)),)
    added = set(shared.labels) - shared.kept
    if not added:
        return tuple(samples)
    return tuple(
        Sample(each.value, {label: value for label, value in each.metric.items() if label not in added})
        if len(each.metric) > len(added)
        else Sample(each.value)
        for each in samples
    )


def parts(
    queries: Iterable[str],
    most: dict[str, int],
    otherwise: int,
    *,
    narrow: Container[str] = (),
    wide: int | None = None,
) -> list[Part]:
    """These queries in parts of one template each, at most so many as `most` says of it, or `otherwise`.

    More than `wide` of one template are one part that asks for all there are, unless the template is among `narrow`.
    """
    found: list[Part] = []
    groups: dict[tuple[str, tuple[str, ...]], list[tuple[Shared, str]]] = {}
    for query in queries:
        shared = share(query)
        if isinstance(shared, str):
            found.append(Part((query,)))
        else:
            groups.setdefault((shared.template, shared.labels), []).append((shared, query))
    for (template, _), members in groups.items():
        # In the order of their values: what is wrong with one is often wrong with its neighbours.
        members.sort(key=lambda each: each[0].values)
        if wide is not None and len(members) > wide and template not in narrow and template not in most:
            found.append(Part(tuple(query for _, query in members), tuple(shared for shared, _ in members), whole=True))
            continue
        count = -(-len(members) // max(1, most.get(template, otherwise)))
        size = -(-len(members) // count)
        for start in range(0, len(members), size):
            some = members[start : start + size]
            found.append(Part(tuple(query for _, query in some), tuple(shared for shared, _ in some)))
    return found
