"""How fast workers that keep failing are started again."""

from __future__ import annotations

from autoscaler.targets.process.stages import FORGET_S, LONGEST_S, Brake


def test_a_worker_that_ended_once_is_started_again_at_once() -> None:
    brake = Brake()
    brake.ended("shop", 1000.0)
    assert brake.until("shop") == 0.0
    assert brake.until("another") == 0.0


def test_each_further_failure_doubles_the_pause_up_to_a_minute() -> None:
    brake, now, pauses = Brake(), 1000.0, []
    for _ in range(9):
        brake.failed("shop", now)
        pauses.append(brake.until("shop") - now)
        now = brake.until("shop") + 1.0
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_S, LONGEST_S, LONGEST_S]


def test_workers_that_end_together_are_one_accident() -> None:
    brake = Brake()
    for _ in range(5):
        brake.failed("shop", 1000.2)
    assert brake.until("shop") == 1001.2


def test_a_worker_that_becomes_ready_and_ends_again_and_again_is_slowed_down_too() -> None:
    brake = Brake()
    for now in (1000.0, 1010.0, 1020.0, 1030.0):
        brake.ended("shop", now)
    assert brake.until("shop") == 1030.0 + 4.0


def test_old_failures_are_forgotten() -> None:
    brake = Brake()
    for now in (1000.0, 1010.0, 1020.0):
        brake.failed("shop", now)
    brake.ended("shop", 1020.0 + FORGET_S)
    assert brake.until("shop") == 0.0
