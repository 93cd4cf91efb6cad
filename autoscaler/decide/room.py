"""What workloads share on a platform (quotas): how far one may grow alone, and who gets what where several grow."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.decide.turn import Turn
from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.target import Pool, TargetState

_CAPPED = Reason.CAPPED_AT_QUOTA
SHARED = ", shared with others that grow now,"

Left = dict[tuple[str, str, str, str], int]  # of each pool, by where it is


def urgency(before: int, count: int) -> tuple[int, float]:
    """The order of those that grow: from zero first, then by the largest relative deficit.

    >>> urgency(0, 1) < urgency(1, 4) < urgency(10, 12)
    True
    """
    return (0 if before == 0 else 1, -count / max(before, 1))


def capped(turn: Turn) -> None:
    """A growth goes only as far as there is room, were it the only one that grows."""
    tight = turn.state.tightest
    if tight is None or turn.count <= turn.current:
        return
    fits = turn.state.existing + tight.more
    if turn.count > fits:
        turn.move(max(fits, turn.current), _CAPPED, Stage.BOUND, quota=tight.by)


def shared(decisions: Sequence[Decision], seen: Sequence[Seen]) -> list[Decision]:
    """The decisions of one cycle with the room they share handed out once, to the most urgent first.

    What was ordered before and does not exist yet has its room already.
    """
    growing: list[tuple[tuple[int, float], str, int, TargetState]] = []
    for place, (each, look) in enumerate(zip(decisions, seen, strict=True)):
        if each.desired > each.current and each.act and isinstance(look.state, TargetState) and look.state.pools:
            growing.append((urgency(each.current, each.desired), each.ref.key, place, look.state))
    made = list(decisions)
    if not growing:
        return made
    left = _left(decisions, seen)
    for _, _, place, state in sorted(growing, key=lambda each: each[:2]):
        decision = made[place]
        made[place] = _granted(decision, state, left)
        _take(left, state, made[place].desired - max(decision.current, state.existing))
    return made


def _left(decisions: Sequence[Decision], seen: Sequence[Seen]) -> Left:
    """What is left for those that grow: the least that anybody was told, without what is on its way."""
    left: Left = {}
    states = [look.state for look in seen if isinstance(look.state, TargetState) and look.state.pools]
    for state in states:
        for pool in state.pools:
            place = _place(state, pool)
            left[place] = min(pool.left, left.get(place, pool.left))
    for decision, look in zip(decisions, seen, strict=True):
        if isinstance(look.state, TargetState) and look.state.pools:
            tight = look.state.tightest  # what no pool lets in takes from none
            on_its_way = decision.current - look.state.existing
            _take(left, look.state, min(on_its_way, tight.more) if tight is not None else on_its_way)
    return left


def _take(left: Left, state: TargetState, instances: int) -> None:
    if instances > 0:
        for pool in state.pools:
            place = _place(state, pool)
            left[place] = max(0, left[place] - instances * pool.each)


def _granted(decision: Decision, state: TargetState, left: Left) -> Decision:
    """The decision as far as what is left lets it grow."""
    tight = min(state.pools, key=lambda pool: (left[_place(state, pool)] // pool.each, pool.by))
    rest = left[_place(state, tight)]
    fits = max(decision.current, max(decision.current, state.existing) + rest // tight.each)
    if decision.desired <= fits:
        return decision
    before = next((step.before for step in decision.steps if step.reason is _CAPPED), decision.desired)
    step = Step(Stage.BOUND, before, fits, _CAPPED, {"quota": tight.by + (SHARED if rest < tight.left else "")})
    steps = (*(each for each in decision.steps if each.reason is not _CAPPED), step)
    return msgspec.structs.replace(decision, desired=fits, reason=_CAPPED, steps=steps)


def _place(state: TargetState, pool: Pool) -> tuple[str, str, str, str]:
    return (state.ref.platform, state.ref.instance, state.ref.namespace, pool.key)
