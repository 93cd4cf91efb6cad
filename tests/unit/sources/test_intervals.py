"""The default of max_age: what was observed, inside sane bounds, whatever the samples did."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.sources.intervals import KEEP_S, LEAST_S, MOST_S, Intervals

looks = st.lists(st.tuples(st.floats(0, 600), st.floats(0.1, 120)), max_size=40)


def observed(*intervals: float) -> Intervals:
    made, newest = Intervals(), 1000.0
    made.saw("load", newest, newest)
    for interval in intervals:
        newest += interval
        made.saw("load", newest, newest)
    return made


def test_until_two_intervals_are_seen_there_is_no_limit_by_them() -> None:
    assert Intervals().limit("load") is None
    assert observed().limit("load") is None
    assert observed(30).limit("load") is None
    assert observed(30, 30).limit("load") == 60


def test_it_is_two_intervals() -> None:
    assert observed(60, 60, 60).limit("load") == 120


def test_a_look_that_finds_nothing_new_is_no_interval() -> None:
    made = observed(30, 30)
    for _ in range(20):
        made.saw("load", 1060.0, 1070.0)
    assert made.limit("load") == 60


def test_one_outage_is_not_taken_for_the_interval() -> None:
    assert observed(15, 15, 15, 290, 15, 15).limit("load") == 30


def test_a_new_slower_interval_is_believed_the_second_time() -> None:
    made = observed(*[20] * 8, 60)
    assert made.limit("load") == 40
    assert observed(*[20] * 8, 60, 60).limit("load") == 120


def test_a_new_quicker_interval_is_believed_once_the_old_ones_are_forgotten() -> None:
    assert observed(*[60] * 8, *[20] * 8).limit("load") == 40


def test_never_below_fifteen_seconds_nor_above_five_minutes() -> None:
    assert observed(1, 1, 1).limit("load") == LEAST_S
    assert observed(1000, 1000, 1000).limit("load") == MOST_S


def test_a_newest_sample_that_goes_back_is_no_interval() -> None:
    made = observed(30, 30)
    made.saw("load", 500.0, 1100.0)
    made.saw("load", 530.0, 1130.0)
    assert made.limit("load") == 60


def test_what_nobody_asks_about_is_forgotten() -> None:
    made = observed(30, 30)
    made.saw("other", 9000.0, 1000.0 + 2 * KEEP_S)
    assert made.limit("load") is None


@given(looks)
def test_whatever_is_seen_the_limit_is_inside_the_bounds(steps: list[tuple[float, float]]) -> None:
    made, newest, at = Intervals(), 1000.0, 1000.0
    for interval, between in steps:
        newest, at = newest + interval, at + between
        made.saw("load", newest, at)
        limit = made.limit("load")
        assert limit is None or LEAST_S <= limit <= MOST_S


@settings(deadline=None)
@given(st.integers(15, 150), st.integers(2, 20), st.floats(1, 60))
def test_a_steady_scrape_never_turns_stale_between_two_scrapes(interval: int, scrapes: int, every: float) -> None:
    """Looked at every so often, a series that comes at a steady interval is never called stale."""
    made, at, end = Intervals(), 1000.0, 1000.0 + interval * scrapes
    while at < end:
        newest = at - (at - 1000.0) % interval
        made.saw("load", newest, at)
        limit = made.limit("load")
        assert limit is None or at - newest <= limit
        at += every


@given(st.integers(8, 60), st.integers(3, 30))
def test_a_steady_series_that_stops_is_stale_after_two_intervals(interval: int, scrapes: int) -> None:
    made = observed(*[interval] * scrapes)
    assert made.limit("load") == max(2 * interval, LEAST_S)
