"""Several votes become one wish."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.decide.hpa import winner
from autoscaler.decide.votes import Vote
from autoscaler.model.decision import Fact, Reason, Stage, Step

_COMBINE, _LARGEST = Stage.COMBINE, Reason.LARGEST_WISH  # looking them up takes longer than all the comparisons


def largest(votes: Sequence[Vote], current: int) -> Step:
    """`combine: max`: the step to the largest wish; the first wins a tie. Without any wish the current count stays.

    As in the HPA a later wish also takes over from a wish of zero.
    """
    place = 0 if len(votes) == 1 else winner([each.count for each in votes])
    best = None if place is None else votes[place]
    if best is None or best.count is None:
        return Step(_COMBINE, current, current, Reason.NO_OPINION)
    count = best.count if best.count > 0 else 0
    if len(votes) == 1:
        return Step(_COMBINE, current, count, best.step.reason)
    opinions = sum([each.count is not None for each in votes])
    facts: dict[str, Fact] = {"winner": best.step.facts["signal"], "votes": opinions}
    return Step(_COMBINE, current, count, _LARGEST, facts)


def agreed(votes: Sequence[Vote], current: int) -> Step:
    """`combine: all`: the step all signals agree on.

    It grows only if every readable signal asks for more, to the smallest of those wishes; it shrinks only if every one
    asks for less, to the largest; otherwise the current count stays. That one of them is missing is doubt's matter.
    """
    wishes = [each.count for each in votes if each.count is not None]
    if not wishes:
        return Step(Stage.COMBINE, current, current, Reason.NO_OPINION)
    facts: dict[str, Fact] = {"votes": len(wishes), "least": min(wishes), "most": max(wishes)}
    if min(wishes) > current:
        return Step(Stage.COMBINE, current, min(wishes), Reason.ALL_ASK_FOR_MORE, facts)
    if max(wishes) < current:
        return Step(Stage.COMBINE, current, max(wishes), Reason.ALL_ASK_FOR_LESS, facts)
    return Step(Stage.COMBINE, current, current, Reason.NOT_ALL_AGREE, facts)
