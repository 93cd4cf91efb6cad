"""What a week of a load and of counts says one replica carries."""

from __future__ import annotations

import math

import pytest

from autoscaler.start.past import Carried, bounds, carried, filled, rounded

STEP_S = 60.0
BEGAN = 1_800_000_000.0
DAY = 1440  # looks


def times(*values: float) -> dict[float, float]:
    return {BEGAN + STEP_S * place: value for place, value in enumerate(values)}


def test_it_is_the_most_that_one_carried_at_the_count_of_then() -> None:
    load = times(*[40.0] * DAY, *[240.0] * 60, *[120.0] * 60)
    counts = times(*[2] * DAY, *[4] * 60, *[2] * 60)
    told = carried(load, counts, current=9)
    assert told is not None
    assert told.per_replica == 60.0
    assert told.because.startswith("the most that one carried in the last 1d2h, 2027-01-1")
    assert (told.capacity, told.thin, told.needs) == (None, "", 4)


def test_a_minute_in_which_replicas_come_or_go_is_not_laid_on_the_few_that_were_left() -> None:
    load = times(*[100.0] * 200)
    counts = times(*[4] * 100, *[1], *[4] * 99)
    told = carried(load, counts, current=4)
    assert told is not None
    assert told.per_replica == 25.0


def test_without_counts_it_is_by_those_of_now_and_says_so() -> None:
    told = carried(times(*[90.0] * 120), None, current=3)
    assert told is not None
    assert told.per_replica == 30.0
    assert "by the 3 replicas of now" in told.because


@pytest.mark.parametrize(
    "load", [{}, times(0.0, 0.0), times(math.nan, math.nan), times(math.inf)], ids=["none", "zero", "nan", "infinite"]
)
def test_where_nothing_came_nothing_is_told(load: dict[float, float]) -> None:
    assert carried(load, None, current=2) is None
    assert carried(load, times(2, 2), current=2) is None


def test_a_workload_at_zero_tells_nothing_without_counts() -> None:
    assert carried(times(5.0, 5.0), None, current=0) is None


def test_counts_of_other_times_tell_nothing() -> None:
    assert carried(times(5.0), {0.0: 2.0}, current=2) is None


def test_what_was_answered_counts_where_less_was_answered_than_came() -> None:
    told = carried(times(*[100.0] * 90), times(*[2] * 90), 2, served=times(*[100.0] * 60, *[80.0, 100.0] * 15))
    assert told is not None
    assert told.per_replica == 50.0
    less = carried(times(*[100.0] * 90), times(*[2] * 90), 2, served=times(*[80.0] * 90))
    assert less is not None
    assert less.per_replica < 40.0


def test_a_service_that_was_full_tells_what_it_can_at_most_and_the_target_is_part_of_it() -> None:
    load = times(*[80.0] * 120, *[200.0] * 60)
    served = times(*[80.0] * 120, *[100.0] * 60)
    told = carried(load, times(*[2] * 180), 2, served=served)
    assert told is not None
    assert told.capacity is not None
    assert 45 <= told.capacity <= 50
    assert told.per_replica == rounded(0.7 * told.capacity) or told.per_replica == pytest.approx(0.7 * 50, rel=0.1)
    assert told.per_replica < told.capacity
    assert "all were busy" in told.because


def test_of_little_that_is_known_it_says_so() -> None:
    short = carried(times(*[90.0] * 6), times(*[1] * 6), 1)
    assert short is not None
    assert short.thin == "only 6m of it are known"
    quiet = carried(times(*[0.2] * 600), times(*[1] * 600), 1)
    assert quiet is not None
    assert quiet.thin == "it never was more than 0.2 a second"


@pytest.mark.parametrize(
    ("current", "told", "expected"),
    [
        (1, None, (1, 4)),
        (0, None, (1, 4)),
        (3, None, (2, 6)),
        (2, Carried(per_replica=1, because="", needs=9), (2, 18)),
        (20, Carried(per_replica=1, because="", needs=9), (2, 40)),
    ],
)
def test_the_bounds_leave_room_for_twice_what_was_needed(
    current: int, told: Carried | None, expected: tuple[int, int]
) -> None:
    assert bounds(current, told) == expected


def test_a_rate_whose_window_is_not_full_yet_is_no_load() -> None:
    young = times(1.0, 2.0, 3.0, 4.0, 5.0, 5.0)
    assert filled(young, BEGAN - 3600, 300.0) == {BEGAN + 300.0: 5.0}
    assert filled(young, BEGAN, 300.0) == young  # it was there before
    assert filled({}, BEGAN, 300.0) == {}
