"""Guards: named reasons to hold a service up. They come after the arithmetic and only ever hold or raise.

Each takes the count on its way (`after`) and returns the step that changes it, or None.
"""

from __future__ import annotations

import msgspec

from autoscaler.decide.memory import Memory
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.target import TargetState


class Situation(msgspec.Struct, frozen=True):
    """What the guards look at: the count decided from, what was seen, what is remembered, the signals without data."""

    current: int
    state: TargetState
    seen: Seen
    memory: Memory
    missing: tuple[str, ...]
    now: float
    scrape_s: float


def _hold(after: int, floor: int, reason: Reason, **facts: Fact) -> Step | None:
    return Step(Stage.GUARD, after, floor, reason, facts) if after < floor else None


def doubt(after: int, at: Situation) -> Step | None:
    """Any voting signal missing: not below the current count, nor below our last order if somebody else cut it."""
    if not at.missing:
        return None
    ours = at.memory.applied.count if at.memory.applied is not None and at.current > 0 else 0
    return _hold(after, max(at.current, ours), Reason.DOUBT, missing=", ".join(at.missing))


def reseeded(after: int, at: Situation) -> Step | None:
    """A past that is not known well enough holds the count it was seeded with, never more than the current one."""
    seed = at.memory.seed
    if seed is None or at.now >= seed.until:
        return None
    because = "first sight, restart, pause or a gap"
    return _hold(after, min(seed.count, at.current), Reason.RESEEDED, rest_s=seed.until - at.now, because=because)


def settling(after: int, at: Situation) -> Step | None:
    """After an applied raise nothing shrinks until its instances are ready and two scrapes have seen them."""
    raised = at.memory.raised
    if raised is None:
        return None
    ready = raised.at + at.memory.lead if raised.ready is None else raised.ready
    rest = ready + 2 * at.scrape_s - at.now
    return _hold(after, at.current, Reason.SETTLING, rest_s=rest) if rest > 0 else None


def rollout(after: int, at: Situation) -> Step | None:
    """While a rollout is in progress nothing shrinks."""
    return _hold(after, at.current, Reason.ROLLOUT) if at.state.rollout else None


def none_ready(after: int, at: Situation) -> Step | None:
    """No ready instance says nothing about demand."""
    return _hold(after, at.current, Reason.NONE_READY) if at.state.ready == 0 and at.current > 0 else None


GUARDS = (doubt, reseeded, settling, rollout, none_ready)
