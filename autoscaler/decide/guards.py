"""Guards: named reasons to hold a service up. They come after the arithmetic and only ever hold or raise.

Each looks at a turn whose count is on its way and moves it, or leaves it alone.
"""

from __future__ import annotations

from autoscaler.decide.memory import CONFLICT_S, Applied
from autoscaler.decide.turn import Turn
from autoscaler.model.decision import Fact, Reason, Stage

PUSH_S = 60.0  # between two raises of a contested workload; doubles up to CONFLICT_S
PUSHES = 4  # doubled so often it is past CONFLICT_S


def _floor(turn: Turn, floor: int, reason: Reason, **facts: Fact) -> None:
    if turn.count < floor:
        turn.move(floor, reason, Stage.GUARD, **facts)


def doubt(turn: Turn) -> None:
    """Any voting signal missing: not below the current count, nor below our last order if somebody else cut it."""
    if not turn.missing:
        return
    stands = turn.memory.stands
    ours = min(stands, turn.high) if stands is not None else 0
    _floor(turn, max(turn.current, ours), Reason.DOUBT, missing=", ".join(turn.missing))


def reseeded(turn: Turn) -> None:
    """A past that is not known well enough holds the count it was seeded with, never more than the current one.

    A seed below the minimum holds the minimum: between that and an idle there is no count to stop at.
    """
    seed = turn.memory.seed
    if seed is None or turn.now >= seed.until or turn.count >= seed.count:
        return
    floor = min(max(seed.count, turn.low), turn.current)
    _floor(turn, floor, Reason.RESEEDED, rest_s=seed.until - turn.now, because=seed.because)


def settling(turn: Turn) -> None:
    """After an applied raise nothing shrinks until its instances are ready, warm, and two scrapes have seen them."""
    raised = turn.memory.raised
    if raised is None:
        return
    ready = raised.at + turn.memory.lead if raised.ready is None else raised.ready
    rest = ready + turn.policy.lifecycle.warm_up + 2 * turn.cycle_s - turn.now
    if rest > 0:
        _floor(turn, turn.current, Reason.SETTLING, rest_s=rest)


def rollout(turn: Turn) -> None:
    """While a rollout is in progress nothing shrinks."""
    if turn.state.rollout:
        _floor(turn, turn.current, Reason.ROLLOUT)


def none_ready(turn: Turn) -> None:
    """No ready instance says nothing about demand."""
    if turn.state.ready == 0:
        _floor(turn, turn.current, Reason.NONE_READY)


def flapping(turn: Turn) -> None:
    """Once the budget of reversals is spent, shrinking waits; growing does not."""
    written = turn.policy.behavior
    budget = getattr(written, "reversals", None)
    if budget is None or turn.memory.heading < 0:  # going on downwards is no reversal
        return
    recent = [at for at in turn.memory.turns if turn.now - at < budget.per]
    if len(recent) >= budget.count:
        rest = recent[-budget.count] + budget.per - turn.now
        _floor(turn, turn.current, Reason.FLAPPING, turns=len(recent), rest_s=rest)


def claimed_twice(turn: Turn) -> None:
    """Two policies would steer it and nobody knows which did: nothing shrinks until one of them goes."""
    if turn.plan.claimed_by:
        _floor(turn, turn.current, Reason.CLAIMED_TWICE, others=", ".join(turn.plan.claimed_by))


def contested(turn: Turn) -> None:
    """Somebody else keeps changing the count: never shrink, raise at most once a minute, then less and less often."""
    if turn.count == turn.current or not turn.memory.contested(turn.now):
        return
    _floor(turn, turn.current, Reason.CONTESTED, **_contest(turn))
    if turn.count > turn.current:
        spaced(turn, turn.memory.raised)


def spaced(turn: Turn, order: Applied | None) -> None:
    """Not yet, where an order of ours to a contested workload is too young for another."""
    memory = turn.memory
    if order is None or turn.count == turn.current or not memory.contested(turn.now):
        return
    rest = order.at + min(PUSH_S * 2.0 ** min(memory.pushes, PUSHES), CONFLICT_S) - turn.now
    if rest > 0:
        turn.hold(Reason.CONTESTED, Stage.GUARD, rest_s=rest, **_contest(turn))


def _contest(turn: Turn) -> dict[str, Fact]:
    return {"writer": turn.state.writer, "remedy": turn.state.remedy, "times": len(turn.memory.conflicts)}


GUARDS = (doubt, reseeded, settling, rollout, none_ready, flapping)
ALWAYS = (claimed_twice, contested)  # under `parity: strict` as well


def guarded(turn: Turn) -> None:
    """Let every guard look at the count; the ceiling is the owner's and comes last."""
    if not turn.plan.strict and (turn.count < turn.current or turn.missing):  # only doubt asks for more than there is
        for guard in GUARDS:
            guard(turn)
    if turn.count != turn.current:
        for guard in ALWAYS:
            guard(turn)
    if turn.count > turn.high:
        turn.move(turn.high, Reason.CAPPED_AT_MAXIMUM, Stage.BOUND)
