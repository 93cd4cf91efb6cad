"""Scores, against figures made by hand and against the definitions written out."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.quality import area, clairvoyant, cost_at, elasticity, geometric

COURSES = st.lists(st.tuples(st.integers(1, 90), st.integers(1, 9)), min_size=1, max_size=12)


def course(steps: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """From (seconds, count) to (first second, count)."""
    found, second = [], 0
    for lasts, count in steps:
        found.append((second, count))
        second += lasts
    return found


def every_second(steps: list[tuple[int, int]], end: int) -> list[int]:
    seconds = [count for lasts, count in steps for _ in range(lasts)]
    return (seconds + seconds[-1:] * end)[:end]


@settings(deadline=None)
@given(COURSES, st.integers(0, 40), st.integers(60, 200))
def test_area_is_the_sum_over_seconds(steps: list[tuple[int, int]], start: int, end: int) -> None:
    assert area(course(steps), start, end) == sum(every_second(steps, end)[start:])


@settings(deadline=None)
@given(COURSES, st.sampled_from([0, 1, 30, 120]))
def test_the_clairvoyant_plan_has_what_is_needed_within_the_delay(steps: list[tuple[int, int]], delay_s: int) -> None:
    end = sum(lasts for lasts, _ in steps)
    needed = every_second(steps, end)
    plan = dict(clairvoyant(course(steps), delay_s, end))
    count = 0
    for second in range(end):
        count = plan.pop(second, count)
        assert count == max(needed[second : second + delay_s + 1])
    assert not plan


def test_elasticity_by_hand() -> None:
    demand = [(0, 2), (60, 4), (180, 2)]
    supply = [(0, 2), (120, 4)]
    found = elasticity(demand, supply, 0, 240)
    assert (found.tU, found.tO) == (25.0, 25.0)
    assert (found.thU, found.thO) == (12.5, 25.0)
    assert found.ins == 100.0, "each of the three steps moves one and not the other"


def test_steady_supply_of_a_steady_demand_is_stable() -> None:
    found = elasticity([(0, 3)], [(0, 3)], 100, 400)
    assert (found.thU, found.thO, found.tU, found.tO, found.ins) == (0.0, 0.0, 0.0, 0.0, 0.0)


@settings(deadline=None)
@given(COURSES, COURSES, st.integers(0, 50))
def test_elasticity_is_that_of_every_second(
    demand: list[tuple[int, int]], supply: list[tuple[int, int]], start: int
) -> None:
    end = start + 200
    need, have = every_second(demand, end), every_second(supply, end)
    found = elasticity(course(demand), course(supply), start, end)
    scored = range(start, end)
    assert found.thU == pytest.approx(sum(max(need[t] - have[t], 0) / need[t] for t in scored) / 2)
    assert found.thO == pytest.approx(sum(max(have[t] - need[t], 0) / need[t] for t in scored) / 2)
    assert found.tU == pytest.approx(sum(have[t] < need[t] for t in scored) / 2)
    assert found.tO == pytest.approx(sum(have[t] > need[t] for t in scored) / 2)
    steps = range(start + 60, end, 60)

    def moved(counts: list[int], second: int) -> float:
        change = counts[second] - counts[second - 60]
        return math.copysign(1, change) if change else 0

    unlike = [moved(need, second) != moved(have, second) for second in steps]
    assert found.ins == pytest.approx(100 * sum(unlike) / len(unlike))


def test_the_geometric_mean_of_one_value_is_the_value() -> None:
    assert geometric([3.0]) == pytest.approx(3.0)
    assert geometric([1.0, 2.0, 4.0]) == pytest.approx(2.0)


def test_cost_at_a_share_of_violations_is_a_point_or_lies_between_two() -> None:
    swept = [(40.0, 1.0), (4.0, 2.0), (0.4, 3.0), (0.0, 5.0)]
    between = 2.0 + (math.log(4.0001) - math.log(1.0001)) / (math.log(4.0001) - math.log(0.4001))
    assert cost_at(swept, 1.0) == pytest.approx(between)
    assert cost_at(swept, 4.0) == 2.0
    assert cost_at([(40.0, 1.0), (4.0, 2.0)], 1.0) is None, "not reached"
