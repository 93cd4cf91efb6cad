"""What a daemon that had run until now would decide next: the recent past replayed through the same `step()`.

Nothing is changed anywhere; the count is held at what it is, so the past only fills the windows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.step import step
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState

Past = Sequence[tuple[float, float | None]]  # one signal's values over time; None where there were none

HOLE = Missing(MissingWhy.EMPTY, "no sample at that time")


def reach_s(plan: Plan, cycle_s: float) -> float:
    """How far back the past matters to a plan, in seconds: its down window and the seed of a first sight before it."""
    down = plan.behavior.down.stabilization_s
    up = plan.behavior.up.stabilization_s
    return 2 * max(down, up, 60.0) + 4 * cycle_s


def rehearse(plan: Plan, look: Seen, past: Mapping[str, Past], *, now: float, cycle_s: float) -> Decision:
    """The decision at `now` from this look, after the cycles before it were replayed from `past` (by signal)."""
    memories: dict[str, Memory] = {}
    state = look.state
    if isinstance(state, Missing):
        past = {}
    names = [signal.name for signal in plan.workload.policy.signals]
    beats = max((len(past[name]) for name in names if name in past), default=0)
    start = now - beats * cycle_s
    for beat in range(beats):
        at = start + beat * cycle_s
        readings = tuple(_reading(past.get(name, ()), beat) for name in names)
        assert isinstance(state, TargetState)
        seen = Seen(state=msgspec.structs.replace(state, at=at), readings=readings)
        memories = step([plan], [seen], memories, at, cycle_s=cycle_s).memories
    (decision,) = step([plan], [look], memories, now, cycle_s=cycle_s).decisions
    return decision


def _reading(past: Past, beat: int) -> Reading:
    value = past[beat][1] if beat < len(past) else None
    return HOLE if value is None else Series((Point(value),))
