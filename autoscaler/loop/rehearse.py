"""What a daemon that had run until now would decide next: the recent past replayed through the same `step()`.

Nothing is changed anywhere; the count is held at what it is, so the past only fills the windows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide.explain import explain, why
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.step import step
from autoscaler.loop.recollect import Recollection
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing, MissingWhy, Reading

HOLE = Missing(MissingWhy.EMPTY, "what it was before is not known")


class Recalled(msgspec.Struct, frozen=True):
    """Readings of a plan's signals at past times, one per time, by the signal's name; and of their vouchers.

    What could not be had is left out, with a note.
    """

    readings: Mapping[str, Sequence[Reading]] = {}
    vouchers: Mapping[str, Sequence[Reading]] = {}
    notes: tuple[str, ...] = ()


class Foretold(msgspec.Struct, frozen=True, kw_only=True):
    """What would be decided for one workload: `current` → `desired`, the reason code, and why in words.

    `remembered` says that it is by a daemon's own memory of the workload, not by its past replayed.
    """

    key: str
    policy: str
    mode: str
    current: int
    desired: int
    reason: str
    because: str
    lines: tuple[str, ...]
    decision: Decision
    remembered: bool = False


class Remembering(msgspec.Struct, frozen=True, kw_only=True):
    """The memory that was taken over: a `running` daemon's or that of the last one, and how old it is.

    `clean` is False where that one was killed: what it remembers is not trusted to shrink yet.
    """

    running: bool
    clean: bool
    age_s: float


class Foresight(msgspec.Struct, frozen=True, kw_only=True):
    """A whole dry run: when, by which Prometheus, by whose memory, and what of the past could not be had (`notes`)."""

    at: float
    cycle_s: float
    prometheus: str
    pretended: int | None
    notes: tuple[str, ...]
    workloads: tuple[Foretold, ...]
    memory: Remembering | None = None


def foretold(plan: Plan, decision: Decision, *, remembered: bool = False) -> Foretold:
    """A decision with its words."""
    return Foretold(
        key=decision.ref.key,
        policy=decision.policy,
        mode=plan.workload.policy.mode.value,
        current=decision.current,
        desired=decision.desired,
        reason=decision.reason.value,
        because=why(decision),
        lines=tuple(explain(decision)),
        decision=decision,
        remembered=remembered,
    )


def remembering(told: Recollection, now: float) -> Remembering:
    """Whose memory that is."""
    return Remembering(running=told.running, clean=told.clean, age_s=max(0.0, now - told.at))


def reach_s(plan: Plan, cycle_s: float) -> float:
    """How far back the past matters to a plan, in seconds: its windows and the seed of a first sight before them."""
    down = plan.behavior.down.stabilization_s
    up = plan.behavior.up.stabilization_s
    return 2 * max(down, up, 60.0) + 4 * cycle_s


def beats(now: float, reach_s: float, every_s: float) -> list[float]:
    """The times of the cycles from `reach_s` before `now` up to one cycle before it; the first is a whole second.

    >>> beats(100.5, 45.0, 15.0)
    [55.0, 70.0, 85.0]
    """
    start = math.floor(now - reach_s)
    return [start + beat * every_s for beat in range(max(1, math.floor((now - start) / every_s)))]


def rehearse(
    plan: Plan,
    look: Seen,
    times: Sequence[float],
    past: Recalled,
    *,
    now: float,
    cycle_s: float,
) -> Decision:
    """The decision at `now` from this look, after the cycles at `times` were replayed with the readings of `past`."""
    memories: dict[str, Memory] = {}
    state = look.state
    if past.readings and not isinstance(state, Missing):
        names = [signal.name for signal in plan.workload.policy.signals]
        for beat, at in enumerate(times):
            readings = tuple(past.readings[name][beat] if name in past.readings else HOLE for name in names)
            vouchers = {name: told[beat] for name, told in past.vouchers.items()}
            seen = Seen(state=msgspec.structs.replace(state, at=at), readings=readings, vouchers=vouchers)
            memories = step([plan], [seen], memories, at, cycle_s=cycle_s).memories
    (decision,) = step([plan], [look], memories, now, cycle_s=cycle_s).decisions
    return decision
