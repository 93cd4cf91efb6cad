"""How good a run was: cost against a plan that knew the future, requests over the objective, how calm it was.

A *course* is a count over time as (first second, count), one entry where it changes, in order of time.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

Course = Sequence[tuple[int, int]]

STEP_S = 60  # instability looks at steps of so many seconds


def stretches(course: Course, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The course within [start, end) as (from, to, count).

    >>> list(stretches([(0, 2), (5, 3)], 4, 10))
    [(4, 5, 2), (5, 10, 3)]
    """
    for place, (second, count) in enumerate(course):
        low = max(second, start)
        high = min(course[place + 1][0], end) if place + 1 < len(course) else end
        if low < high:
            yield low, high, count


def area(course: Course, start: int, end: int) -> int:
    """Instance seconds within [start, end).

    >>> area([(0, 2), (5, 3)], 4, 10)
    17
    """
    return sum((high - low) * count for low, high, count in stretches(course, start, end))


def clairvoyant(demand: Course, delay_s: int, end: int) -> list[tuple[int, int]]:
    """The cheapest plan without a violation: so many as anything within the start-up time from now on needs.

    >>> clairvoyant([(0, 1), (100, 4), (110, 2)], 30, 200)
    [(0, 1), (70, 4), (110, 2)]
    """
    plan: list[tuple[int, int]] = []
    ahead: deque[tuple[int, int]] = deque()  # (first second, count) still to come, the largest first
    high = end
    for second, count in reversed(demand):
        while ahead and ahead[-1][1] <= count:
            ahead.pop()
        ahead.append((second, count))
        while high > second:
            while ahead[0][0] - delay_s >= high:
                ahead.popleft()
            low = max(second, ahead[0][0] - delay_s)
            if plan and plan[-1][1] == ahead[0][1]:
                plan[-1] = (low, ahead[0][1])
            else:
                plan.append((low, ahead[0][1]))
            high = low
    plan.reverse()
    return plan


class Elasticity(msgspec.Struct, frozen=True):
    """Supply against demand, in percent: accuracy and share of time, under and over; share of steps that disagree."""

    thU: float
    thO: float
    tU: float
    tO: float
    ins: float


def elasticity(demand: Course, supply: Course, start: int, end: int) -> Elasticity:
    """The elasticity metrics of the SPEC research group over [start, end)."""
    under = over = 0.0
    short = spare = 0
    ahead = stretches(supply, start, end)
    _, high, ready = next(ahead)
    for first, last, need in stretches(demand, start, end):
        second = first
        while second < last:
            while high <= second:
                _, high, ready = next(ahead)
            stop = min(last, high)
            if ready < need:
                short += stop - second
                under += (stop - second) * (need - ready) / need
            elif ready > need:
                spare += stop - second
                over += (stop - second) * (ready - need) / max(need, 1)
            second = stop
    share = 100.0 / (end - start)
    unlike = _instability(demand, supply, start, end)
    return Elasticity(under * share, over * share, short * share, spare * share, unlike)


def _instability(demand: Course, supply: Course, start: int, end: int) -> float:
    asked, had = _moves(demand, start, end), _moves(supply, start, end)
    return 100.0 * sum(one != two for one, two in zip(asked, had, strict=True)) / max(1, len(asked))


def _moves(course: Course, start: int, end: int) -> list[int]:
    """The sign of each change from one step to the next."""
    seen: list[int] = []
    for low, high, count in stretches(course, start, end):
        first = -(-(low - start) // STEP_S)
        seen.extend([count] * (-(-(high - start) // STEP_S) - first))
    return [(now > before) - (now < before) for before, now in pairwise(seen)]


def geometric(values: Iterable[float]) -> float:
    """The geometric mean.

    >>> round(geometric([1.0, 4.0]), 9)
    2.0
    """
    logs = [math.log(value) for value in values]
    return math.exp(sum(logs) / len(logs))


def cost_at(points: Sequence[tuple[float, float]], most: float) -> float | None:
    """The least cost at a share of violations of at most `most` percent; None where it is not reached.

    `points` are (V in percent, C) of neighbouring settings of a knob; between two of them V goes by its logarithm.

    >>> round(cost_at([(10.0, 1.0), (0.1, 2.0)], 1.0), 3)
    1.5
    """
    found = [cost for violated, cost in points if violated <= most]
    goal = math.log(most + 1e-4)
    for (one, cost), (two, other) in pairwise(points):
        low, high = math.log(one + 1e-4), math.log(two + 1e-4)
        if min(low, high) < goal < max(low, high):
            found.append(cost + (other - cost) * (goal - low) / (high - low))
    return min(found, default=None)


def frontier(points: Sequence[tuple[float, float]]) -> list[bool]:
    """For each (shortage, cost): whether nothing is better in one of both and no worse in the other.

    Of equal ones the first.

    >>> frontier([(0.1, 2.0), (0.2, 1.5), (0.2, 1.6), (0.1, 2.0)])
    [True, True, False, False]
    """
    return [
        each not in points[:place]
        and not any(other != each and other[0] <= each[0] and other[1] <= each[1] for other in points)
        for place, each in enumerate(points)
    ]
