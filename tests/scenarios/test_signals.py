"""Load becomes replicas: the main job, on virtual time."""

from __future__ import annotations

from autoscaler.decide.explain import explain, why
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Behavior, Direction, Rate, Signal
from tests.scenarios.story import Story, policy

QUICK = Behavior(down=Direction(stabilization=0.0))


def test_load_rises_and_replicas_follow_at_the_default_rate() -> None:
    story = Story(policy())
    assert story.run("100x3 600x4") == "1x3 5x1 6x3"


def test_the_default_window_keeps_replicas_for_five_minutes_after_the_load_has_gone() -> None:
    story = Story(policy(), count=6)
    counted = story.run("600x25 100x30")
    assert counted.startswith("6x44 ")
    assert counted.endswith(("1x10", "1x11"))


def test_the_largest_wish_of_several_signals_wins_and_is_named() -> None:
    story = Story(policy(Signal(name="a", prometheus="a", per_replica=100), Signal(name="b", prometheus="b", value=10)))
    story.run("250", "10")
    assert story.last.desired == 3
    (step,) = [s for s in story.last.steps if s.reason is Reason.LARGEST_WISH]
    assert step.facts["winner"] == "a"


def test_within_tolerance_the_count_is_left_alone() -> None:
    story = Story(policy(), count=5)
    assert story.run("549 451") == "5x2"
    assert story.reason() == "within_tolerance"


def test_a_load_that_the_count_just_carries_says_so() -> None:
    story = Story(policy(), count=6)
    story.run("510")
    assert (story.last.desired, story.reason()) == (6, "on_target")


def test_value_multiplies_by_ready_replicas() -> None:
    story = Story(policy(Signal(name="p95", prometheus="p95", value=0.3)), count=2)
    story.run("0.6")
    assert story.last.desired == 4


def test_utilization_counts_whole_percents() -> None:
    """54.9 % counts as 54 %, as in the HPA: against 50 % that is inside the tolerance."""
    story = Story(policy(Signal(name="cpu", prometheus="cpu", utilization=0.5)), count=10)
    story.run("0.549")
    assert story.last.desired == 10


def test_never_above_the_maximum_nor_below_the_minimum() -> None:
    story = Story(policy(low=2, high=4, behavior=QUICK), count=2)
    assert max(int(e.split("x")[0]) for e in story.run("9000x10").split()) == 4
    assert story.reason() == "capped_at_maximum"
    story.run("0x60")
    assert (story.last.desired, story.reason()) == (2, "raised_to_minimum")


def test_rates_limit_both_directions() -> None:
    slow = Behavior(
        up=Direction(rates=(Rate(replicas=1, per=60.0),)),
        down=Direction(stabilization=0.0, rates=(Rate(replicas=1, per=60.0),)),
    )
    story = Story(policy(behavior=slow))
    story.run("600x1")
    assert (story.last.desired, story.reason()) == (2, "rate_limited_up")
    assert story.run("600x4").startswith("2x4") or story.count == 3


def test_every_decision_explains_itself_in_words() -> None:
    story = Story(policy(high=5))
    story.run("900")
    text = "\n".join(explain(story.last))
    assert "load 900, 100 per replica, so it asks for 9" in text
    assert "capped_at_maximum" in text
    assert why(story.last) == "9 are asked for, no more than 5 are allowed"
