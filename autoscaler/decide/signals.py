"""From votes to a count: combined, smoothed and limited as the HPA would, then guarded."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.decide import combine, hpa, sizing
from autoscaler.decide.bounds import Limits, raised
from autoscaler.decide.guards import guarded
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Ballot, Vote, kept, vote
from autoscaler.model.decision import Reason, Stage
from autoscaler.model.policy import Combine
from autoscaler.model.signal import Series
from autoscaler.model.target import TargetState

# looking a member up in its enum takes longer than most of what is done with it here
_ALL, _BEHAVIOR = Combine.ALL, Stage.BEHAVIOR
_NO_OPINION = Reason.NO_OPINION
_HELD_UP, _HELD_DOWN = Reason.STABILIZED_DOWN, Reason.STABILIZED_UP


def cast(turn: Turn, state: TargetState, *, pushed: bool = False) -> list[Vote]:
    """The votes of all signals that have a goal, or of those that are pushed, reckoned from this state."""
    plan, seen = turn.plan, turn.seen
    ballot = Ballot(
        state, turn.current, plan.tolerance, turn.memory, seen.vouchers, turn.now, plan.strict, turn.cycle_s
    )
    votes: list[Vote] = []
    for place, goal in plan.voting:
        if pushed and goal.asked.push is None:
            continue
        plain = vote(goal, seen.readings[place], ballot)
        votes.append(sizing.sized(turn, goal, plain) if plan.adaptive else plain)
    return votes


def remember(turn: Turn, votes: Sequence[Vote]) -> None:
    """Keep what later votes fall back on, where there is something to keep."""
    plan, readings = turn.plan, turn.seen.readings
    keeps = plan.keeps
    for each in readings:
        if isinstance(each, Series) and each.found:
            keeps = True
    if keeps:
        turn.memory = kept(turn.memory, plan.voting, votes, readings, turn.now)


def renewed(turn: Turn) -> None:
    """What makes the past unfit before any signal is looked at: the end of a pause, and signals that changed."""
    memory = turn.memory
    if memory.paused:
        turn.remember(paused=False, reseed="a pause or an override that ended")
    if memory.fingerprint != turn.plan.fingerprint:
        past = memory.history
        turn.remember(
            fingerprint=turn.plan.fingerprint,
            history=past if turn.plan.strict else hpa.without_recommendations(past),
            reseed="signals that changed",
            freed=turn.current,
            good={},
            covered=(),
            quiet=None,
            unread={},
        )
    if memory.learned and not turn.plan.learns:
        turn.remember(learned={}, taught={}, carries={})
    if turn.plan.strict and turn.memory.history.recommendations is None:  # where the HPA begins, whatever it decides
        turn.remember(history=hpa.seeded(turn.memory.history, turn.current, turn.now))


def floored(turn: Turn) -> None:
    """Remember the floor in force. One that ends while it was binding leaves a past that tells nothing of demand."""
    before = turn.memory.floor
    if turn.low < before and turn.current <= before:
        turn.remember(floor=turn.low, freed=before, reseed="a floor's end")
    elif turn.low != before:
        turn.remember(floor=turn.low)


def decide(turn: Turn, votes: Sequence[Vote], limits: Limits) -> None:
    """The count the signals lead to, within the bounds."""
    strict = turn.plan.strict
    if not (strict and 0 < turn.current < turn.low):  # there the HPA does not look at signals
        wish = _wish(turn, votes)
        spoken = turn.reason is not _NO_OPINION
        if turn.plan.adaptive or turn.memory.sized:
            sizing.switched(turn, votes)
        if spoken and (wish >= turn.current or not turn.missing):
            _accept(turn, wish, limits)
        elif wish < turn.current and strict:
            turn.hold(Reason.DOUBT, Stage.GUARD, missing=", ".join(turn.missing))
    if turn.current < turn.low:
        raised(turn, limits)
    guarded(turn)
    turn.by_load = True


def _wish(turn: Turn, votes: Sequence[Vote], *, pushed: bool = False) -> int:
    """The signals' wishes as one; while surplus instances of a rollout exist, not more than without them."""
    state = turn.state
    together = combine.agreed if turn.policy.combine is _ALL and len(votes) > 1 else combine.largest
    wish, turn.reason, said = together(votes, turn.current)
    if said is not None:
        turn.steps.append(said)
    turn.count = wish
    if state.rollout and state.existing > turn.current and wish > turn.current and not turn.plan.strict:
        settled = msgspec.structs.replace(state, existing=turn.current, ready=turn.current)
        plain = max(turn.current, together(cast(turn, settled, pushed=pushed), turn.current)[0])
        if plain < wish:
            turn.move(plain, Reason.ROLLOUT_SURPLUS, Stage.GUARD, surplus=state.existing - turn.current)
    return turn.count


def _accept(turn: Turn, wish: int, limits: Limits) -> None:
    """Take the wish into the history: smoothing, rates and bounds, exactly as the HPA."""
    if not turn.plan.strict:
        _reseed(turn)
    behavior, memory = turn.behavior, turn.memory
    result = hpa.hpa(wish, turn.current, turn.low, turn.high, behavior, memory.history, turn.now)
    stands = memory.stands
    if not turn.missing and (wish >= turn.current if stands is None else wish <= turn.current < stands):
        stands = turn.current
    turn.memory = msgspec.structs.replace(
        memory, history=result.history, accepted=turn.now, wish=result.replicas, stands=stands,
        freed=memory.freed if wish < turn.current else 0,
    )  # fmt: skip
    _tell(turn, wish, result, limits)


def _tell(turn: Turn, wish: int, result: hpa.Result, limits: Limits) -> None:
    """What became of a wish."""
    behavior = turn.behavior
    if result.stabilized != wish:
        down = result.stabilized > wish
        rules = behavior.down if down else behavior.up
        turn.move(result.stabilized, _HELD_UP if down else _HELD_DOWN, _BEHAVIOR, window_s=rules.stabilization_s)
    if result.replicas == result.stabilized or (turn.current < turn.low and result.replicas == turn.low):
        return  # a count below its floor is the floor's matter
    reason, stage = _LIMITS[result.limit]
    bound = stage is Stage.BOUND
    facts = limits.owner(result.replicas, upper=reason is Reason.CAPPED_AT_MAXIMUM) if bound else {}
    turn.move(result.replicas, reason, stage, **facts)


def _reseed(turn: Turn) -> None:
    """Hold the current count where what came before it is not known well enough; the down side only."""
    memory = turn.memory
    because = memory.reseed
    if memory.accepted is None:
        because = because or "first sight"
    elif not because and turn.now - memory.accepted > turn.gap_s:
        because = "a gap in the data"
    if not because:
        return
    hold = max(turn.behavior.down.stabilization_s, memory.lead + 2 * turn.cycle_s)
    turn.memory = memory.held(turn.current, hold, turn.now, because)
    past = turn.memory.history
    turn.remember(reseed="", history=hpa.without_recommendations(past) if past.recommendations is None else past)


def woken(turn: Turn, limits: Limits) -> None:
    """Between two cycles: up to the floor, to what is pushed, back up to the count of the last cycle; never down."""
    if _pushed(turn, limits):
        raised(turn, limits)
        guarded(turn)
        return
    memory = turn.memory
    wish = memory.wish if memory.accepted is not None and turn.now - memory.accepted <= turn.gap_s else None
    if wish is not None and wish > turn.current:
        turn.move(min(wish, turn.high), Reason.LAST_WISH, Stage.SIGNAL)
    else:
        turn.hold(Reason.AWAITING_CYCLE, Stage.SIGNAL)
    raised(turn, limits)
    guarded(turn)


def _pushed(turn: Turn, limits: Limits) -> bool:
    """Grow to what pushed signals ask for, by the rates, where that is for them alone to say; nothing is remembered.

    Readings of other signals are those of the last cycle: reckoned again with the instances of now they would say more
    than they know. What adaptive expects is reckoned in cycles only.
    """
    pushed = [goal.asked.push is not None for _, goal in turn.plan.voting]
    if not any(pushed) or turn.plan.strict or turn.memory.sized:
        return False
    if len(turn.seen.readings) != len(turn.plan.goals):  # no cycle was yet, or none with these signals
        return False
    if turn.policy.combine is Combine.ALL and not all(pushed):
        return False
    votes = [each for each in cast(turn, turn.state, pushed=True) if not each.missing]
    if not any(each.count is not None and each.count > turn.current for each in votes):
        return False
    before = len(turn.steps)
    turn.steps.extend(each.step for each in votes)
    wish = _wish(turn, votes, pushed=True)
    result = hpa.hpa(wish, turn.current, turn.low, turn.high, turn.behavior, turn.memory.history, turn.now)
    if result.replicas <= turn.current:
        del turn.steps[before:]
        turn.count = turn.current
        return False
    _tell(turn, wish, result, limits)
    return True


_LIMITS = {
    hpa.Limit.SCALE_UP_LIMIT: (Reason.RATE_LIMITED_UP, Stage.BEHAVIOR),
    hpa.Limit.SCALE_DOWN_LIMIT: (Reason.RATE_LIMITED_DOWN, Stage.BEHAVIOR),
    hpa.Limit.TOO_MANY_REPLICAS: (Reason.CAPPED_AT_MAXIMUM, Stage.BOUND),
    hpa.Limit.TOO_FEW_REPLICAS: (Reason.RAISED_TO_MINIMUM, Stage.BOUND),
}
