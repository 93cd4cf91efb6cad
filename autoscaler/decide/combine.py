"""Votes become one wish: the count, the reason that settles it, and the step that says how several became one."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.decide.hpa import winner
from autoscaler.decide.votes import Vote
from autoscaler.model.decision import Fact, Reason, Stage, Step

Wish = tuple[int, Reason, Step | None]  # no step where one vote alone says it all

# looking them up takes longer than all the comparisons
_COMBINE, _LARGEST, _NO_OPINION = Stage.COMBINE, Reason.LARGEST_WISH, Reason.NO_OPINION


def largest(votes: Sequence[Vote], current: int) -> Wish:
    """`combine: max`: the largest wish; the first wins a tie. Without any wish the current count stays.

    As in the HPA a later wish also takes over from a wish of zero. The reason is that of the vote which won.
    """
    if len(votes) == 1 and (alone := votes[0].count) is not None:
        return alone if alone > 0 else 0, votes[0].step.reason, None
    wishes = [each.count for each in votes]
    place = winner(wishes)
    wish = None if place is None else wishes[place]
    if place is None or wish is None:
        return current, _NO_OPINION, Step(_COMBINE, current, current, _NO_OPINION)
    best = votes[place].step
    count = wish if wish > 0 else 0
    facts: dict[str, Fact] = {"winner": best.facts["signal"], "votes": len(wishes) - wishes.count(None)}
    return count, best.reason, Step(_COMBINE, current, count, _LARGEST, facts)


def agreed(votes: Sequence[Vote], current: int) -> Wish:
    """`combine: all`: the count all signals agree on.

    It grows only if every readable signal asks for more, to the smallest of those wishes; it shrinks only if every one
    asks for less, to the largest; otherwise the current count stays. That one of them is missing is doubt's matter.
    """
    wishes = [each.count for each in votes if each.count is not None]
    if not wishes:
        return current, _NO_OPINION, Step(_COMBINE, current, current, _NO_OPINION)
    facts: dict[str, Fact] = {"votes": len(wishes), "least": min(wishes), "most": max(wishes)}
    count, reason = current, Reason.NOT_ALL_AGREE
    if min(wishes) > current:
        count, reason = min(wishes), Reason.ALL_ASK_FOR_MORE
    elif max(wishes) < current:
        count, reason = max(wishes), Reason.ALL_ASK_FOR_LESS
    return count, reason, Step(_COMBINE, current, count, reason, facts)
