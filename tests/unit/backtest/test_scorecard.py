"""Scorecards, reckoned by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from autoscaler.backtest.scorecard import Played, clairvoyant_s, needs, score, worst
from autoscaler.backtest.workload import Demand, Model
from tests.support import nouns

NAN = math.nan


def played(**columns: Any) -> Played:
    """Six cycles of a minute under a load of 10 per second, two wanted and two there, unless said otherwise."""
    whole: dict[str, Any] = {
        "times": [0.0, 60.0, 120.0, 180.0, 240.0, 300.0],
        "end": 360.0,
        "load": [10.0] * 6,
        "ready": [2] * 6,
        "desired": [2] * 6,
        "arrived": [600.0] * 6,
        "over": [0.0] * 6,
        "needed": [2] * 6,
    }
    return Played(**{**whole, **columns})


def test_enough_at_the_least_cost_is_a_perfect_card() -> None:
    card = score(played(), maximum=5, startup_s=60.0)
    assert (card.over_percent, card.short_minutes, card.changes, card.reversals) == (0.0, 0.0, 0, 0)
    assert (card.replica_hours, card.clairvoyant_hours, card.cost) == pytest.approx((0.2, 0.2, 1.0))
    assert (card.requests, card.least, card.most) == (3600.0, 2, 2)


def test_shares_are_of_requests_and_minutes_of_time() -> None:
    card = score(played(over=[0, 90, 90, 0, 0, 0], ready=[2, 1, 1, 2, 2, 2]), maximum=5, startup_s=0.0)
    assert card.over_percent == pytest.approx(100 * 180 / 3600)
    assert card.short_minutes == 2.0


def test_changes_reversals_and_the_time_at_the_maximum() -> None:
    card = score(played(desired=[2, 5, 5, 3, 4, 5]), maximum=5, startup_s=0.0)
    assert card.changes == 4  # 2 → 5 → 3 → 4 → 5
    assert card.reversals == 2  # up, down, up, up
    assert card.changes_per_day == pytest.approx(4 * 240)
    assert (card.at_max_minutes, card.at_max_percent) == (3.0, 50.0)


@pytest.mark.parametrize(
    ("needed", "startup_s", "minutes"),
    [
        ([1, 1, 1, 4, 1, 1], 0.0, 1 + 1 + 1 + 4 + 1 + 1),
        ([1, 1, 1, 4, 1, 1], 60.0, 1 + 1 + 4 + 4 + 1 + 1),
        ([1, 1, 1, 4, 1, 1], 30.0, 1 + 1 + 2.5 + 4 + 1 + 1),
        ([3, 1, 2, 1, 1, 5], 3600.0, 6 * 5),
    ],
)
def test_a_clairvoyant_orders_so_early_that_it_serves_in_time(
    needed: list[int], startup_s: float, minutes: float
) -> None:
    assert clairvoyant_s(played(needed=needed), startup_s) == pytest.approx(60 * minutes)


def test_what_has_no_load_is_not_scored_neither_as_good_nor_as_cheap() -> None:
    gap = played(load=[10.0, NAN, NAN, 10.0, 10.0, 10.0], over=[0, 600, 600, 0, 0, 0], desired=[2, 9, 9, 2, 2, 2])
    card = score(gap, maximum=9, startup_s=0.0)
    assert (card.over_percent, card.at_max_minutes, card.most) == (0.0, 0.0, 2)
    assert card.replica_hours == pytest.approx(8 / 60)
    assert (card.missing_minutes, card.hours * 60) == pytest.approx((2.0, 4.0))
    assert card.changes == 2, "it did change the count meanwhile"


def test_what_only_fills_the_windows_is_not_scored_but_the_change_at_its_end_is() -> None:
    card = score(played(over=[600, 600, 0, 0, 0, 0], desired=[9, 9, 2, 2, 2, 2], scored=2), maximum=9, startup_s=0.0)
    assert (card.over_percent, card.at_max_minutes, card.changes) == (0.0, 0.0, 1)
    assert card.missing_minutes == 0.0


def test_a_last_entry_lasts_until_the_end() -> None:
    card = score(played(end=420.0), maximum=5, startup_s=0.0)
    assert card.replica_hours == pytest.approx(2 * 7 / 60)


def test_nothing_at_all_is_no_division_by_zero() -> None:
    card = score(played(load=[NAN] * 6), maximum=5, startup_s=0.0)
    assert (card.over_percent, card.hours, card.cost) == (0.0, 0.0, None)


def test_needs_are_of_the_higher_end_of_a_cycle_and_nothing_needs_the_least() -> None:
    demand = Demand(Model(), 10)  # 7 need 1, 10 need 2, 50 need 6
    assert list(needs([7.0, 10.0, NAN, 0.0, 0.0, 50.0], demand, least=0)) == [2, 2, 0, 0, 6, 6]
    assert list(needs([0.0, 0.0], demand)) == [1, 1]


def test_the_worst_moment_is_the_worst_ten_minutes_and_its_worst_cycle_is_explained() -> None:
    times = [60.0 * minute for minute in range(60)]
    over = [0.0] * 60
    over[3] = 50.0  # the worst single cycle, alone
    over[30:36] = [10.0, 10.0, 20.0, 10.0, 10.0, 10.0]
    long = Played(
        times=times, end=3600.0, load=[10.0] * 60, ready=[1] * 60, desired=[3] * 60, arrived=[600.0] * 60, over=over,
        needed=[2] * 60,
    )  # fmt: skip
    decisions = [nouns.decision(at=0.0), nouns.decision(at=1800.0, current=1, desired=3), nouns.decision(at=3000.0)]
    found = worst(long, decisions)
    assert found is not None
    assert (found.at, found.over, found.decided) == (32 * 60.0, pytest.approx(70.0), 1800.0)
    assert (found.ready, found.ordered, found.needed) == (1, 3, 2)
    assert found.lines[0].startswith("1 -> 3")


def test_without_anything_too_slow_there_is_no_worst_moment() -> None:
    assert worst(played(), [nouns.decision(at=0.0)]) is None
