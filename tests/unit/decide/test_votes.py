"""One signal's vote: how a reading becomes the numbers of the HPA."""

from __future__ import annotations

from autoscaler.decide.hpa import Behavior
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Goal
from autoscaler.decide.votes import Ballot, vote
from autoscaler.model.policy import Signal
from autoscaler.model.signal import Point, Series
from tests.support.nouns import state


def goal(kind: str, target: float, milli: int) -> Goal:
    return Goal("s", kind, target, milli, Signal(name="s", prometheus="q"))


def asked(goal: Goal, *values: float, count: int, ready: int | None = None, unread: int = 0) -> int | None:
    reading = Series(tuple(map(Point, values)), unread=tuple(f"i{n}" for n in range(unread)))
    seen, memory = state(existing=count, ready=ready), Memory(first_seen=0.0, fingerprint="")
    return vote(goal, reading, Ballot(seen, count, Behavior().tolerance, memory, {}, 0.0)).count


VALUE = goal("value", 1.0, 1000)
CPU = goal("utilization", 50.0, 50)


def test_a_utilization_is_cut_to_whole_percent_without_losing_one_to_binary_fractions() -> None:
    assert asked(goal("utilization", 57.0, 57), 0.57, count=10) == 10
    assert asked(CPU, 0.559, count=20) == 20  # 55 of 50 is the edge of the tolerance


def test_several_instances_are_averaged_in_whole_thousandths() -> None:
    assert asked(VALUE, 1.1, 1.101, count=10) == 10  # 1.1005 is cut to 1.100: the edge of the tolerance


def test_instances_that_could_not_be_read_count_as_empty_when_growing() -> None:
    assert asked(VALUE, 3.0, count=2, unread=1) == 3
    assert asked(CPU, 1.5, count=2, unread=1) == 3


def test_what_could_not_be_read_never_turns_growth_round() -> None:
    assert asked(VALUE, 3.0, count=10, unread=9) == 10


def test_instances_that_could_not_be_read_count_as_loaded_when_shrinking() -> None:
    assert asked(VALUE, 0.2, count=10, unread=9) == 10
