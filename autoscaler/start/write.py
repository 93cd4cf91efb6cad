"""What was found and chosen → the text of a policy, at most twelve lines, and of a test beside it. Pure."""

from __future__ import annotations

import math
import re

import msgspec

from autoscaler.decide.explain import number
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.nodes import resolve
from autoscaler.start.past import Carried

MOST_LINES = 12
CPU = "cpu"
UTILIZATION = 0.7
EDGE = 0.2  # of a replica that the loads of a test stay below a count: on the edge, the last digit would decide

_PLAIN = re.compile(r"[A-Za-z][-_.A-Za-z0-9]*")


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """One policy to write. Without a `query` it follows the platform's own CPU.

    `said` tells in a few words where the load is counted, `served` is the query of what is answered, `carried` what one
    replica is to carry. `capacity` is what one can at most, as somebody says. `observe`: it is to watch only.
    """

    ref: WorkloadRef
    name: str
    min: int
    max: int
    query: str = ""
    said: str = ""
    served: str = ""
    carried: Carried | None = None
    capacity: float | None = None
    observe: str = ""

    @property
    def learns(self) -> bool:
        """Whether adaptive has, or can find out, what a replica carries."""
        return bool(self.query) and (self.served != "" or self.most is not None)

    @property
    def most(self) -> float | None:
        """What one replica can carry at most, as far as that is known; never less than what it is to."""
        if self.capacity is not None:
            return self.capacity
        return None if self.carried is None else self.carried.capacity


def policy(chosen: Chosen) -> str:
    """The text of the policy."""
    lines = [
        f"name: {_word(chosen.name)}  # written by autoscaler init, yours to edit: docs/policies.md",
        f"target: {_target(chosen.ref)}",
        f"replicas: {{min: {chosen.min}, max: {chosen.max}}}",
    ]
    if chosen.observe:
        lines.append(f"mode: observe  # {chosen.observe}: take this line out once you like what it says")
    if chosen.learns:
        until = "knows half a day of the load" if chosen.most is not None else "has seen what a replica carries"
        lines.append(f"algorithm: adaptive  # the plain rule until it {until}")
    lines.append("signals:")
    lines += _signals(chosen)
    return "\n".join([*lines, ""])


def _signals(chosen: Chosen) -> list[str]:
    if not chosen.query or chosen.carried is None:
        return [f"  - {{name: {CPU}, resource: cpu, utilization: {UTILIZATION:.0%}}}  # of request or limit"]
    lines = [
        f"  - name: requests  # {chosen.said}",
        f"    prometheus: {quoted(chosen.query)}",
        f"    per_replica: {number(chosen.carried.per_replica)}  # {chosen.carried.because}",
    ]
    if chosen.learns:
        lines.append(f"    capacity: {'learn' if chosen.most is None else number(chosen.most)}")
    if chosen.served:
        lines += ["    served: answered", f"  - {{name: answered, prometheus: {quoted(chosen.served, flow=True)}}}"]
    return lines


def beside(chosen: Chosen, file: str) -> str:
    """The text of the test beside it: it follows a load, and missing data takes nothing away."""
    low, asked = chosen.min, max(chosen.min + 2, math.ceil(1.25 * chosen.min))
    high = min(asked, chosen.max)
    quiet, busy = (_load(chosen, count) for count in (low, asked))
    return "\n".join(
        [
            f"# What the policy does with loads that are made up, in milliseconds: autoscaler test {file}",
            f"name: follows the load up to {high}",
            f"load: {_loads(chosen, f'{quiet}x4 {_after(chosen, busy, low, high)}')}",
            f"replicas: {low}x4 {high}x4",
            "---",
            "name: keeps its count while nothing is known",
            f"load: {_loads(chosen, f'{_load(chosen, high)}x4 nonex40')}",
            f"start: {high}",
            f"replicas: {high}x44",
            "",
        ]
    )


def _load(chosen: Chosen, count: int) -> str:
    """The load that just so many replicas carry, as a test writes it."""
    if chosen.carried is None:
        return f"{UTILIZATION:.0%}"
    return f"{(count - EDGE) * chosen.carried.per_replica:.6g}"


def _after(chosen: Chosen, busy: str, low: int, high: int) -> str:
    """What comes after the quiet: of CPU, as a share, the more replicas there are the less."""
    if chosen.carried is not None:
        return f"{busy}x4"
    return f"{UTILIZATION * (high - EDGE) / low:.1%}x1 {UTILIZATION:.0%}x3"


def _loads(chosen: Chosen, text: str) -> str:
    return f"{{requests: {text}, answered: {text}}}" if chosen.served and chosen.query else text


def _target(ref: WorkloadRef) -> str:
    if ref.platform == "compose":
        return f"{{compose: {{project: {_word(ref.namespace)}, service: {_word(ref.name)}}}}}"
    kind = "" if ref.kind == "Deployment" else f", kind: {_word(ref.kind)}"
    return f"{{kubernetes: {{namespace: {_word(ref.namespace)}{kind}, name: {_word(ref.name)}}}}}"


def _word(text: str) -> str:
    """A name as YAML: as it is where that means just this text."""
    return text if _PLAIN.fullmatch(text) and resolve(text) == text else quoted(text, flow=True)


def quoted(query: str, *, flow: bool = False) -> str:
    """A query as YAML: as it is where nothing in it ends it early.

    >>> quoted('sum(x{a="b"})'), quoted("sum(x)", flow=True), quoted('x{a="b: c"}')
    ('sum(x{a="b"})', "'sum(x)'", '\\'x{a="b: c"}\\'')
    """
    plain = not flow and re.match(r"[A-Za-z(]", query) and not re.search(r":(\s|$)|\s#", query)
    return query if plain else "'" + query.replace("'", "''") + "'"
