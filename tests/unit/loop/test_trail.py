"""What is remembered of a workload's last hours: cells, gaps, and a size that does not grow."""

from __future__ import annotations

from autoscaler.loop.trail import Ring, Trail, seen_in
from autoscaler.model.decision import Reason
from autoscaler.model.signal import Missing, MissingWhy
from tests.support.nouns import decision, state


def test_a_time_in_which_nothing_was_known_is_a_gap_and_the_largest_of_a_cell_stays() -> None:
    ring = Ring(10.0, 6)
    for at, value in ((0.0, 1.0), (10.0, 2.0), (12.0, 5.0), (19.0, 3.0), (40.0, 4.0)):
        ring.put(at, {"ready": value})
    told = ring.read(0.0, 49.0)
    assert (told.start, told.every_s) == (0.0, 10.0)
    assert told.values["ready"] == (1.0, 5.0, None, None, 4.0)


def test_the_oldest_cells_go_and_a_long_silence_empties_them_all() -> None:
    ring = Ring(10.0, 3)
    for at in range(0, 60, 10):
        ring.put(float(at), {"ready": at / 10})
    assert ring.read(0.0, 55.0).values["ready"] == (3.0, 4.0, 5.0)
    ring.put(1000.0, {"ready": 9.0})
    assert ring.read(0.0, 1000.0).values["ready"] == (None, None, 9.0)
    assert ring.read(0.0, 1010.0).values["ready"] == (None, 9.0, None), "what is not over yet is not known"


def test_a_clock_that_was_set_back_does_not_overwrite_what_came_after() -> None:
    ring = Ring(10.0, 3)
    ring.put(100.0, {"ready": 1.0})
    ring.put(20.0, {"ready": 7.0})
    assert ring.read(0.0, 100.0).values["ready"] == (None, None, 1.0)


def test_a_signal_that_first_comes_later_has_no_value_before() -> None:
    ring = Ring(10.0, 3)
    ring.put(0.0, {"ready": 1.0})
    ring.put(10.0, {"ready": 1.0, "signal cpu": 50.0})
    assert ring.read(0.0, 10.0).values["signal cpu"] == (None, 50.0)


def test_counts_of_a_state_that_is_not_known_are_not_zero() -> None:
    made = decision(current=2, desired=6, reason=Reason.ABOVE_TARGET)
    assert seen_in(made, state()) == {"existing": 2, "ready": 2, "desired": 6, "asked": 6, "signal requests": 550}
    assert "ready" not in seen_in(made, Missing(MissingWhy.FAILED, "away"))


def test_a_trail_is_read_as_fine_as_it_reaches() -> None:
    trail = Trail(15.0)
    trail.note(decision(at=90_000.0), state())
    assert trail.read(90_000.0 - 3600, 90_000.0).every_s == 15.0
    assert trail.read(90_000.0 - 86_400, 90_000.0).every_s == 600.0
