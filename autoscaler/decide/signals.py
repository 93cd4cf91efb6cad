"""From votes to a count: combined, smoothed and limited as the HPA would, then guarded."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.decide import combine, hpa
from autoscaler.decide.guards import guarded
from autoscaler.decide.memory import Seed
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Ballot, Vote, kept, vote
from autoscaler.model.decision import Reason, Stage
from autoscaler.model.policy import Combine
from autoscaler.model.target import TargetState


def cast(turn: Turn, state: TargetState) -> list[Vote]:
    """The votes of all signals that have a goal, reckoned from this state."""
    ballot = Ballot(state, turn.current, turn.plan.behavior, turn.memory, turn.seen.vouchers, turn.now)
    pairs = zip(turn.plan.goals, turn.seen.readings, strict=True)
    return [vote(goal, reading, ballot) for goal, reading in pairs if goal.kind != "wake_above"]


def remember(turn: Turn, votes: Sequence[Vote]) -> None:
    """Keep what later votes fall back on."""
    goals = [goal for goal in turn.plan.goals if goal.kind != "wake_above"]
    pairs = zip(turn.plan.goals, turn.seen.readings, strict=True)
    readings = [reading for goal, reading in pairs if goal.kind != "wake_above"]
    turn.memory = kept(turn.memory, goals, votes, readings, turn.now)


def decide(turn: Turn, votes: Sequence[Vote]) -> None:
    """The count the signals lead to."""
    wish = _wish(turn, votes)
    opinions = any(each.count is not None for each in votes)
    if opinions and (wish >= turn.current or not turn.missing):
        _accept(turn, wish)
    guarded(turn)
    turn.by_load = True


def _wish(turn: Turn, votes: Sequence[Vote]) -> int:
    """The signals' wishes as one; while surplus instances of a rollout exist, not more than without them."""
    together = combine.agreed if turn.policy.combine is Combine.ALL else combine.largest
    combined = together(votes, turn.current)
    if len(votes) > 1 or combined.reason is Reason.NO_OPINION:
        turn.steps.append(combined)
    winner = next((each.step for each in votes if each.count == combined.after), combined)
    turn.count = combined.after
    turn.reason = winner.reason if combined.reason is Reason.LARGEST_WISH else combined.reason
    state = turn.state
    if state.rollout and state.existing > turn.current and combined.after > turn.current and not turn.plan.strict:
        settled = msgspec.structs.replace(state, existing=turn.current, ready=turn.current)
        plain = max(turn.current, together(cast(turn, settled), turn.current).after)
        if plain < combined.after:
            turn.move(plain, Reason.ROLLOUT_SURPLUS, Stage.GUARD, surplus=state.existing - turn.current)
    return turn.count


def _accept(turn: Turn, wish: int) -> None:
    """Take the wish into the history: smoothing, rates and bounds, exactly as the HPA."""
    if not turn.plan.strict:
        _reseed(turn)
    behavior = turn.plan.behavior
    result = hpa.hpa(wish, turn.current, turn.low, turn.high, behavior, turn.memory.history, turn.now)
    turn.remember(history=result.history, accepted=turn.now, wish=max(turn.low, min(wish, turn.high)))
    if result.stabilized != wish:
        down = result.stabilized > wish
        rules = behavior.down if down else behavior.up
        reason = Reason.STABILIZED_DOWN if down else Reason.STABILIZED_UP
        turn.move(result.stabilized, reason, Stage.BEHAVIOR, window_s=rules.stabilization_s)
    if result.replicas != result.stabilized:
        reason, stage = _LIMITS[result.limit]
        turn.move(result.replicas, reason, stage)


def _reseed(turn: Turn) -> None:
    """Hold the current count where what came before it is not known well enough; the down side only."""
    memory, behavior, current = turn.memory, turn.plan.behavior, turn.current
    changed = memory.fingerprint != turn.plan.fingerprint
    gap = memory.accepted is None or turn.now - memory.accepted > max(3 * turn.cycle_s, 60.0)
    ended = turn.low < memory.floor and current <= memory.floor
    if changed or gap or memory.paused or memory.distrust or ended:
        hold = max(behavior.down.stabilization_s, memory.lead + 2 * turn.cycle_s)
        turn.remember(
            seed=Seed(current, turn.now + hold),
            fingerprint=turn.plan.fingerprint,
            history=hpa.without_recommendations(memory.history) if changed else memory.history,
            paused=False,
            distrust=False,
            freed=memory.floor if ended else memory.freed,
            good={} if changed else memory.good,
            covered=() if changed else memory.covered,
        )


def floored(turn: Turn) -> None:
    """Remember the floor in force, so that its end is seen."""
    if turn.low != turn.memory.floor:
        turn.remember(floor=turn.low)


def woken(turn: Turn) -> None:
    """Between two cycles: back up to the last wish if the count fell below it, nothing else."""
    wish = turn.memory.wish
    if wish is None or wish <= turn.current:
        turn.hold(Reason.AWAITING_CYCLE, Stage.SIGNAL)
    else:
        turn.move(min(wish, turn.high), Reason.LAST_WISH, Stage.SIGNAL)
        guarded(turn)


_LIMITS = {
    hpa.Limit.SCALE_UP_LIMIT: (Reason.RATE_LIMITED_UP, Stage.BEHAVIOR),
    hpa.Limit.SCALE_DOWN_LIMIT: (Reason.RATE_LIMITED_DOWN, Stage.BEHAVIOR),
    hpa.Limit.TOO_MANY_REPLICAS: (Reason.CAPPED_AT_MAXIMUM, Stage.BOUND),
    hpa.Limit.TOO_FEW_REPLICAS: (Reason.RAISED_TO_MINIMUM, Stage.BOUND),
}
