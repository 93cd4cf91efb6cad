"""What comes in wrong or unlike anything before, and what adaptive decides from it."""

from __future__ import annotations

import math

import pytest

from autoscaler.backtest.notation import MISSING, reading
from autoscaler.decide.adaptive.state import sound
from autoscaler.model.decision import Reason
from autoscaler.model.signal import Point, Series
from autoscaler.model.target import WorkloadRef
from tests.scenarios.story import Story, load
from tests.scenarios.test_adaptive import CAPACITY, LEARNED, adaptive, goes_on, learned

YEAR_S = 365 * 86_400.0


def reads(story: Story, word: str, cycles: int) -> list[int]:
    return [story.cycle(reading(word)).desired for _ in range(cycles)]


def test_a_load_of_zero_for_hours_ends_at_the_minimum_and_the_next_load_is_served() -> None:
    story = learned()
    assert reads(story, "0", 480)[-1] == 1
    assert sound(story.memory.learned["load"].record)
    assert reads(story, "1000", 1)[-1] >= 1000 / CAPACITY


def test_a_single_spike_goes_up_at_once_and_leaves_no_more_than_before_within_minutes() -> None:
    story = learned()
    before = goes_on(story, 4)[-1]
    assert reads(story, "4000", 1)[-1] >= 40
    after = goes_on(story, 60)
    assert max(after[20:]) <= 1.5 * before
    assert after[-1] <= before + 3


def test_after_a_level_shift_the_new_level_is_carried_at_once_and_with_bounded_room() -> None:
    story = learned()
    counts = reads(story, "2500", 240)
    assert min(counts) >= 2500 / CAPACITY
    assert counts[-1] <= 1.6 * 2500 / CAPACITY
    low = reads(story, "300", 240)
    assert min(low) >= 300 / CAPACITY
    assert low[-1] <= 2 * 300 / CAPACITY


@pytest.mark.parametrize("word", ["nan", "none", "stale"])
def test_gaps_within_the_load_shrink_nothing_and_end_nothing(word: str) -> None:
    story = learned()
    for beat in range(40):
        before = story.count
        gap = beat % 4 == 3
        made = story.cycle(MISSING[word] if gap else reading("1000"))
        assert not gap or made.desired >= before
    assert story.memory.learned["load"].trusted


def test_a_clock_set_back_or_ahead_leaves_the_plain_rule_to_decide_until_it_goes_on() -> None:
    for by_s, because in ((-7200.0, "the clock was set back"), (7200.0, "there was a gap in the data")):
        story = learned()
        before = goes_on(story, 4)[-1]
        story.sets_clock(by_s)
        made = story.cycle(reading("1000"))
        assert made.desired >= before, "nothing shrinks by it"
        assert story.fact(Reason.LEARNING, "because") == because
        reads(story, "1000", 20)
        assert story.memory.sized


def test_what_was_learned_a_year_ago_is_dropped_with_its_reason() -> None:
    story = learned()
    story.sets_clock(YEAR_S)
    reads(story, "1000", 1)
    assert story.fact(Reason.LEARNING, "because") == "what was learned before is more than two weeks old"
    assert story.memory.learned["load"].bins == 1


def test_what_was_learned_of_one_workload_is_not_used_for_another() -> None:
    """The target of a policy is another one: its load is not known, whatever is known under the old name."""
    other = Story(adaptive(), count=15, start=LEARNED.now, ref=WorkloadRef("compose", "shop", "service", "other"))
    other.memories = dict(LEARNED.memories)
    other.cycle(reading("1000"))
    assert other.said(Reason.LEARNING)
    assert other.memory.learned["load"].bins == 1


@pytest.mark.parametrize("value", [1e15, 1e300, 1.7e308, math.inf])
def test_a_load_beyond_all_numbers_goes_to_the_maximum_and_spoils_nothing(value: float) -> None:
    story = learned()
    made = story.cycle(Series((Point(value),), 1.0))
    assert made.desired == 50
    assert sound(story.memory.learned["load"].record)
    assert reads(story, "1000", 240)[-1] <= 50
    assert sound(story.memory.learned["load"].record)


def test_another_goal_of_the_same_load_keeps_what_was_learned_of_it() -> None:
    """What comes is the same; only the plain rule asks for another count."""
    story = learned()
    before = goes_on(story, 4)[-1]
    known = story.memory.learned["load"].bins
    story.asks(adaptive(load(per_replica=50.0, capacity=CAPACITY)))
    assert abs(reads(story, "1000", 1)[-1] - before) <= 2
    assert story.memory.learned["load"].bins == known + 1
    assert not story.said(Reason.LEARNING)
