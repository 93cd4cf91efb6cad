"""`algorithm: adaptive` in the product's own decisions: when it decides, what it says, what it never does."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.notation import MISSING, reading
from autoscaler.decide.adaptive.series import TRUSTED_BINS
from autoscaler.decide.adaptive.state import stacked
from autoscaler.decide.explain import sentence
from autoscaler.decide.sizing import WORTH_S
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Algorithm, Behavior, Direction, Policy, Signal
from tests.scenarios.story import Story, Town, load, policy

CAPACITY = 100.0


def rates(**keys: object) -> Signal:
    return load(per_replica=70.0, capacity=CAPACITY, **keys)


def adaptive(*signals: Signal, **keys: object) -> Policy:
    keys = {"high": 50, **keys}
    return policy(*(signals or (rates(),)), algorithm=Algorithm.ADAPTIVE, **keys)  # type: ignore[arg-type]


def level(beat: int) -> float:
    return 1000 + 100 * math.sin(beat / 240) + beat * 7919 % 13


def ran(asked: Policy, cycles: int) -> Story:
    """A workload that has seen so many cycles of a wave."""
    story = Story(asked, count=15)
    story.kept = 0
    for beat in range(cycles):
        story.cycle(*[reading(str(level(beat)))] * len(story.plan.goals))
    return story


LEARNED = ran(adaptive(), TRUSTED_BINS + 40)


def learned(asked: Policy | None = None, count: int | None = None) -> Story:
    """A workload that knows its load; memories are never changed, so all these begin with the same ones."""
    story = Story(LEARNED.plan.workload.policy, count=LEARNED.count if count is None else count, start=LEARNED.now)
    story.kept, story.memories = 0, dict(LEARNED.memories)
    if asked is not None:
        story.asks(asked)
    return story


def goes_on(story: Story, cycles: int) -> list[int]:
    beats = range(TRUSTED_BINS + 40, TRUSTED_BINS + 40 + cycles)
    return [story.cycle(*[reading(str(level(beat)))] * len(story.plan.goals)).desired for beat in beats]


def test_under_twelve_hours_every_count_is_that_of_hpa_and_it_says_why() -> None:
    new, plain = ran(adaptive(), TRUSTED_BINS - 1), ran(policy(rates(), high=50), TRUSTED_BINS - 1)
    assert [each.desired for each in new.decisions] == [each.desired for each in plain.decisions]
    assert new.said(Reason.LEARNING)
    step = next(step for step in new.last.steps if step.reason is Reason.LEARNING)
    assert sentence(step) == "load: the plain rule decides for another 15s, then adaptive does (it is new here)"


def test_then_it_is_sized_for_what_is_expected_and_says_so_in_words() -> None:
    story = learned()
    goes_on(story, 1)
    step = next(step for step in story.last.steps if step.reason in (Reason.EXPECTS_SAME, Reason.EXPECTS_LESS))
    said = sentence(step)
    assert said.startswith("load: expects at most ")
    assert "within 75 s (99.6 of 100 times), needs " in said
    assert "; the plain rule says 1" in said


def test_it_carries_the_load_with_fewer_instances_than_the_plain_rule_once_it_knows() -> None:
    story, plain = learned(), ran(policy(rates(), high=50), TRUSTED_BINS + 40)
    counts = goes_on(story, 400)
    assert sum(counts) < sum(goes_on(plain, 400))
    short = sum(level(TRUSTED_BINS + 40 + beat + 1) > CAPACITY * count for beat, count in enumerate(counts[:-1]))
    assert short <= 4


def test_a_load_above_everything_expected_goes_up_at_once() -> None:
    story = learned()
    before = story.count
    story.run("4000")
    assert story.reason() == "expects_more"
    assert story.count >= 44 > before


def test_many_too_many_are_given_back_soon_and_one_of_many_late() -> None:
    waited = {}
    for word in ("300", "900"):
        story = learned()
        story.run("1000x40")
        before, spared = story.count, []
        while story.count == before:
            spared.append(story.memory.spare.get("load", 0.0))
            story.run(word)
        waited[word] = len(spared)
        assert max(spared) < WORTH_S, "no change before it is worth one"
        assert not story.memory.spare, "after a change it counts from nothing"
    assert waited["300"] < waited["900"] / 2


def test_a_need_that_comes_back_takes_away_what_was_spared() -> None:
    story = learned()
    story.run("1000x40")
    while not story.memory.spare.get("load"):
        story.run("900")
    before = story.count
    story.run("1010")
    assert story.count == before
    assert not story.memory.spare["load"]


def test_without_capacity_the_plain_rule_decides_and_says_so() -> None:
    story = ran(adaptive(load(per_replica=70.0)), 50)
    assert story.said(Reason.CAPACITY_UNKNOWN)
    assert not story.memory.learned


@pytest.mark.parametrize("word", sorted(set(MISSING) - {"uncovered"}))
def test_data_that_is_missing_never_shrinks(word: str) -> None:
    story = learned()
    before = story.count
    story.run(f"{word}x40")
    assert min(each.desired for each in story.decisions[-40:]) >= before


def test_after_a_gap_the_plain_rule_decides_for_two_minutes_and_the_count_is_held() -> None:
    story = learned()
    before = story.count
    story.run("nonex20 100x8")
    assert story.said(Reason.LEARNING)
    assert story.count >= before
    story.run("100")
    assert story.said(Reason.EXPECTS_LESS) or story.said(Reason.EXPECTS_SAME)


def test_only_written_behavior_limits_it() -> None:
    slow = Behavior(down=Direction(stabilization=1800.0))
    free, held = learned(), learned(adaptive(behavior=slow))
    for story in (free, held):
        story.run("200x100")
    assert free.count < 10 < held.count


def test_instances_that_could_not_be_read_leave_the_plain_rule_to_decide() -> None:
    story = learned()
    story.run("1000?2")
    assert story.said(Reason.LEARNING)


def test_one_signal_with_a_capacity_beside_one_without_is_the_largest_of_both() -> None:
    story = learned(adaptive(rates(), load("queue", per_replica=25.0)))
    story.run("1000x5", "1000x5")
    assert story.said(Reason.CAPACITY_UNKNOWN)
    assert story.count == 40


def test_a_clean_restart_goes_on_as_if_nothing_had_happened() -> None:
    story, other = learned(), learned()
    other.restarts()
    assert goes_on(story, 60) == goes_on(other, 60)
    assert story.memory == other.memory


def test_a_policy_that_goes_back_to_hpa_forgets_and_holds_the_count() -> None:
    story = learned()
    before = story.count
    story.asks(policy(rates(), high=50))
    story.run("100x5")
    assert (story.count, story.memory.learned) == (before, {})


def test_a_changed_query_begins_anew() -> None:
    story = learned()
    story.asks(adaptive(Signal(name="load", prometheus="other", per_replica=70.0, capacity=CAPACITY)))
    story.run("1000")
    assert story.fact(Reason.LEARNING, "because") == "what the signal measures has changed"


def test_with_more_surprises_than_planned_it_does_not_go_below_the_plain_rule() -> None:
    careful = adaptive(load(per_replica=40.0, capacity=CAPACITY))
    story, other = learned(careful), learned(careful)
    known = other.memory.learned["load"]
    surprised = stacked([known.record])
    surprised["over"] = 0.05
    again = msgspec.structs.replace(known, record=surprised.tobytes(), over=0.05)
    other.memories = {other.key: msgspec.structs.replace(other.memory, learned={"load": again})}
    assert goes_on(story, 40)[-1] < 20
    assert goes_on(other, 1)[-1] >= level(TRUSTED_BINS + 40) / 40
    assert other.said(Reason.UNPROVEN)


WORDS = st.one_of(st.sampled_from(sorted(MISSING)), st.floats(0, 1e7).map(str))


@settings(max_examples=40, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=40), st.integers(1, 60))
def test_it_stays_within_the_bounds_and_never_shrinks_on_missing_data(words: list[str], count: int) -> None:
    story = Story(adaptive(), count=count, start=LEARNED.now)
    story.kept = 0
    story.memories = dict(LEARNED.memories)
    for word in words:
        made = story.cycle(reading(word))
        if word in MISSING and made.current <= 50:
            assert made.desired >= made.current
        assert made.desired >= 1
        assert made.desired <= max(50, made.current)


@settings(max_examples=25, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=60), st.integers(1, 50))
def test_before_twelve_hours_any_load_gives_what_hpa_gives(words: list[str], count: int) -> None:
    new, plain = Story(adaptive(), count=count), Story(policy(rates(), high=50), count=count)
    for word in words:
        made, told = new.cycle(reading(word)), plain.cycle(reading(word))
        assert (made.current, made.desired, made.reason) == (told.current, told.desired, told.reason)


@settings(max_examples=25, deadline=None)
@given(st.floats(3000.0, 1e7), st.integers(1, 49))
def test_whatever_is_above_all_that_was_expected_goes_up_in_the_same_cycle(value: float, count: int) -> None:
    wanted = min(50, math.ceil(1.1 * value / 0.97 / CAPACITY))
    made = learned(count=min(count, wanted - 1)).cycle(reading(str(value)))
    assert made.reason in (Reason.EXPECTS_MORE, Reason.CAPPED_AT_MAXIMUM)
    assert made.desired == wanted


@settings(max_examples=10, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=12, max_size=12), min_size=2, max_size=5))
def test_the_same_history_gives_the_same_decisions_in_any_batch(words: list[list[str]]) -> None:
    town, alone = Town.of(len(words), adaptive(), count=15), [learned(count=15) for _ in words]
    for story in town.stories:
        story.now = LEARNED.now
        town.memories[story.key] = LEARNED.memory
    for beat in range(12):
        made = town.cycle_each([(reading(each[beat]),) for each in words])
        for story, each, decision in zip(alone, words, made, strict=True):
            lone = story.cycle(reading(each[beat]))
            assert (lone.current, lone.desired, lone.steps) == (decision.current, decision.desired, decision.steps)


@pytest.mark.parametrize(("cycle_s", "cycles", "bins"), [(5.0, 60, 20), (15.0, 20, 20), (60.0, 5, 20)])
def test_other_cycles_fill_the_same_bins_and_it_goes_on_deciding(cycle_s: float, cycles: int, bins: int) -> None:
    story = Story(adaptive(), count=LEARNED.count, start=LEARNED.now - 15.0 + cycle_s, cycle_s=cycle_s)
    story.kept, story.memories = 0, dict(LEARNED.memories)
    for _ in range(cycles):
        made = story.cycle(reading("1000"))
        assert any(step.reason.value.startswith("expects_") for step in made.steps)
    assert abs(story.memory.learned["load"].bins - LEARNED.memory.learned["load"].bins - bins) <= 1


def test_of_several_signals_each_is_sized_by_what_it_expects_itself() -> None:
    story = learned(adaptive(rates(), rates(name="queue")))
    known = LEARNED.memory.learned["load"]
    other = msgspec.structs.replace(known, of=known.of.replace("load", "queue"))
    story.memories = {story.key: msgspec.structs.replace(LEARNED.memory, learned={"load": known, "queue": other})}
    story.run("1000", "3000")
    expected = [step.facts["expected"] for step in story.last.steps if step.reason.value.startswith("expects_")]
    assert len(expected) == 2
    assert story.count == 35 == math.ceil(1.1 * 3000 / 0.97 / CAPACITY)


def test_a_rate_is_told_per_second() -> None:
    story = learned()
    asked = rates()
    story.asks(adaptive(msgspec.structs.replace(asked, prometheus="sum(rate(load[30s]))")))
    of = "prometheus:sum(rate(load[30s])):None"
    known = msgspec.structs.replace(LEARNED.memory.learned["load"], of=of)
    story.memories = {story.key: msgspec.structs.replace(LEARNED.memory, learned={"load": known})}
    story.run("4000")
    step = next(step for step in story.last.steps if step.reason is Reason.EXPECTS_MORE)
    said = "load: expects at most 4400/s within 75 s (99.6 of 100 times), needs 46; the plain rule says 58"
    assert sentence(step) == said
