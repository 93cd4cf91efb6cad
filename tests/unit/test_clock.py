"""The one place that reads a clock: what it says while the wall clock is set under it."""

from __future__ import annotations

import pytest

from autoscaler.clock import BACK_S, SystemClock, end_of, parse, text


class Hands:
    """A wall clock and a steady one, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_000_000.0, 50.0
        self.clock = SystemClock(wall=lambda: self.wall, steady=lambda: self.steady)

    def after(self, seconds: float, *, step: float = 0.0) -> float:
        """What it says so many seconds later, the wall clock set by `step` meanwhile; seconds since the beginning."""
        self.steady += seconds
        self.wall += seconds + step
        return self.clock.now() - 1_000_000.0


def test_it_goes_on_evenly_while_the_wall_clock_is_trimmed() -> None:
    hands = Hands()
    assert [hands.after(10, step=step) for step in (0.0, 0.4, -0.9, 0.2)] == [10.0, 20.0, 30.0, 40.0]


def test_a_step_ahead_is_followed_at_once() -> None:
    hands = Hands()
    assert hands.after(10, step=3600) == 3610.0
    assert hands.after(10) == 3620.0


def test_a_step_back_is_followed_after_a_minute_and_one_that_is_taken_back_never() -> None:
    hands = Hands()
    assert hands.after(10, step=-3600) == 10.0
    assert hands.after(BACK_S - 1) == BACK_S + 9
    assert hands.after(0.5, step=3600) == BACK_S + 9.5, "it was a mistake"
    assert hands.after(1, step=-3600) == BACK_S + 10.5
    assert hands.after(BACK_S - 1) == 2 * BACK_S + 9.5, "the minute begins anew"
    assert hands.after(1) == 2 * BACK_S + 10.5 - 3600, "it stays"
    assert hands.clock.monotonic() == hands.steady


@pytest.mark.parametrize(
    ("written", "end"),
    [
        ("1970-01-01T00:00:05Z", 5.999999),
        ("1970-01-01T00:00:05", 5.999999),
        ("1970-01-01T01:00:05+01:00", 5.999999),
        ("1970-01-01T00:00:05.2Z", 5.299999),
        ("1970-01-01T00:00:05.250Z", 5.250999),
        ("1970-01-01T00:00:05.250000Z", 5.250001),
    ],
)
def test_a_time_that_was_printed_short_means_the_whole_of_what_it_names(written: str, end: float) -> None:
    assert end_of(written) == end


def test_what_history_prints_leads_to_what_happened_then() -> None:
    for at in (5.0, 5.0000004, 5.123456, 5.9999999):
        assert end_of(text(at)) >= at - 1e-6 > parse(text(at)) - 1e-5
