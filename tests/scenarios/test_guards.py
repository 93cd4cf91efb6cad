"""Doubt, reseeding, settling, none_ready: what holds a service up when the past or the data is not known."""

from __future__ import annotations

import pytest

from autoscaler.decide.memory import first_sight
from autoscaler.model.decision import Reason
from autoscaler.model.observation import Override, Pause, Seen
from autoscaler.model.policy import Behavior, Direction, Mode, Parity, Rate, Reversals, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Series
from tests.scenarios.story import Story, policy

QUICK = Behavior(down=Direction(stabilization=0.0))


@pytest.mark.parametrize("kind", ["none", "nan", "stale", "down"])
def test_no_data_of_any_kind_never_shrinks(kind: str) -> None:
    story = Story(policy(behavior=QUICK), count=6)
    assert story.run(f"600x10 {kind}x200") == "6x210"
    assert story.reason() == "no_opinion"
    assert any(step.reason is Reason.SIGNAL_MISSING and step.facts["why"] for step in story.last.steps)


def test_one_of_two_signals_missing_may_grow_and_never_shrinks() -> None:
    two = (Signal(name="a", prometheus="a", per_replica=100.0), Signal(name="b", prometheus="b", per_replica=100.0))
    story = Story(policy(*two, behavior=QUICK), count=4)
    assert story.run("400x20 100x20 700x2", "400x20 nonex22") == "4x40 7x2"
    story = Story(policy(*two, behavior=QUICK), count=4)
    story.run("400x20 100x1", "400x20 nonex1")
    assert story.reason() == "doubt"
    (step,) = [s for s in story.last.steps if s.reason is Reason.DOUBT]
    assert (step.before, step.after, step.facts["missing"]) == (1, 4, "b")


def test_after_a_hole_the_first_half_filled_windows_do_not_shrink() -> None:
    """A hole of ten minutes, then rates that start from nothing: the count is held as if it were first sight."""
    story = Story(policy(behavior=QUICK), count=6)
    story.run("600x20 nonex40 50x4")
    assert (story.last.desired, story.reason()) == (6, "reseeded")
    story.run("50x10")
    assert story.last.desired == 1


def test_first_sight_holds_the_count_it_finds_for_one_window() -> None:
    story = Story(policy(), count=7)
    assert story.run("100x20") == "7x20"
    assert story.run("100x2") == "1x2"


def test_a_restart_with_its_memory_decides_as_if_it_had_slept() -> None:
    told, twin = Story(policy(), count=6), Story(policy(), count=6)
    for each in (told, twin):
        each.run("600x30 100x5")
    told.restarts()
    assert told.run("100x40") == twin.run("100x40")


def test_after_a_raise_nothing_shrinks_until_it_has_settled() -> None:
    story = Story(policy(behavior=QUICK), count=1)
    story.run("100x30 500x1")
    assert story.count == 5
    assert story.run("100x2") == "5x2"
    assert story.reason() == "settling"
    story.run("100x10")
    assert story.count == 1


def test_none_ready_says_nothing_about_demand() -> None:
    story = Story(policy(Signal(name="p95", prometheus="p95", value=1.0), behavior=QUICK), count=5)
    story.run("1x30")
    story.ready, story.ready_follows = 0, False
    story.run("9x5")
    assert (story.last.desired, story.reason()) == (5, "none_ready")


def test_no_shrink_during_a_rollout_and_growth_goes_on() -> None:
    story = Story(policy(behavior=QUICK), count=5)
    story.run("500x30")
    story.rollout = True
    story.run("100x5")
    assert (story.last.desired, story.reason()) == (5, "rollout")
    story.run("800x1")
    assert story.last.desired == 8


def test_an_unknown_state_changes_nothing() -> None:
    story = Story(policy(), count=5)
    story.run("500x3")
    blind = Seen(state=Missing(MissingWhy.FAILED, "the engine does not answer"))
    decision = story.cycle(seen=blind)
    assert (decision.desired, decision.changes, decision.act) == (5, False, False)
    assert decision.reason is Reason.STATE_MISSING


def test_a_persons_zero_stays_zero() -> None:
    story = Story(policy(), count=0)
    story.run("900x20")
    assert (story.last.desired, story.reason()) == (0, "held_zero_by_owner")


def test_a_cut_by_somebody_else_under_doubt_is_brought_back_to_our_last_order() -> None:
    """`compose up -d` resets to 1 while Prometheus restarts too."""
    story = Story(policy(), count=1)
    story.run("600x10")
    assert story.count == 6
    story.count = story.ready = 1
    story.run("downx1")
    assert (story.last.desired, story.reason()) == (6, "doubt")


def test_a_raise_by_somebody_else_is_respected_for_five_minutes() -> None:
    story = Story(policy(behavior=QUICK), count=2)
    story.run("200x40")
    story.count = story.ready = 8
    assert story.run("200x20") == "8x20"
    assert story.run("200x2") == "2x2"


def test_above_the_maximum_on_first_sight_waits_one_window_then_goes_whatever_the_data() -> None:
    story = Story(policy(high=5), count=7)
    assert story.run("nonex20") == "7x20"
    assert story.reason() == "above_maximum"
    assert story.run("nonex2").startswith("5")


def test_below_the_minimum_is_raised_even_without_data() -> None:
    story = Story(policy(low=3), count=1)
    story.run("nonex1")
    assert (story.last.desired, story.reason()) == (3, "below_minimum")


def test_pause_beats_override_beats_signals() -> None:
    story = Story(policy(behavior=QUICK), count=2)
    story.run("200x30")
    override = Override(count=4, until=story.now + 300, by="mina")
    story.says(pause=Pause(since=story.now), override=override)
    assert story.run("900x2") == "2x2"
    assert story.reason() == "paused"
    story.says(override=override)
    assert story.run("900x2") == "4x2"
    assert story.reason() == "override"
    story.says()
    assert story.run("200x1") == "4x1"
    assert story.reason() == "reseeded"


def test_observe_decides_and_changes_nothing() -> None:
    story = Story(policy(mode=Mode.OBSERVE), count=1)
    story.run("600x2")
    assert (story.last.desired, story.last.act, story.count) == (5, False, 1)
    assert story.last.steps[-1].reason is Reason.OBSERVED


def test_a_raised_maximum_or_a_lowered_minimum_does_not_drop_the_service_at_once() -> None:
    story = Story(policy(low=6, behavior=QUICK), count=6)
    story.run("100x30")
    story.asks(policy(low=1, behavior=QUICK))
    assert story.run("100x2") == "6x2"
    assert story.reason() == "reseeded"
    assert story.run("100x10").endswith("1x8")


def test_a_wake_restores_the_last_wish_and_never_shrinks() -> None:
    story = Story(policy(behavior=QUICK), count=1)
    story.run("600x10")
    story.count = story.ready = 3
    decision = story.cycle(Series((Point(600.0),)), wake=True)
    assert (decision.desired, decision.reason) == (6, Reason.LAST_WISH)
    history = story.memories
    story.count = story.ready = 9
    decision = story.cycle(Series((Point(0.0),)), wake=True)
    assert (decision.desired, decision.reason) == (9, Reason.AWAITING_CYCLE)
    assert all(story.memories[k].history == m.history for k, m in history.items())


def test_a_wake_grows_no_faster_than_the_rates_allowed() -> None:
    story = Story(policy(behavior=QUICK), count=1)
    assert story.run("1000x1") == "5x1"
    assert story.reason() == "rate_limited_up"
    decision = story.cycle(Series((Point(1000.0),)), wake=True)
    assert (decision.desired, decision.reason) == (5, Reason.AWAITING_CYCLE)


def test_unread_instances_count_as_loaded_when_shrinking_and_as_empty_when_growing() -> None:
    story = Story(policy(behavior=QUICK), count=4)
    story.run("400x30")
    partial = Series((Point(100.0, instance="a"), Point(100.0, instance="b")), unread=("c", "d"))
    assert story.cycle(partial).desired == 4
    partial = Series((Point(300.0, instance="a"), Point(300.0, instance="b")), unread=("c", "d"))
    assert story.cycle(partial).desired == 6


def test_strict_parity_has_none_of_our_guards() -> None:
    """First sight, a raise that settles, a rollout, a floor's end, a spent budget: the HPA knows nothing of them."""
    swinging = Behavior(down=Direction(stabilization=0.0), reversals=Reversals(count=1, per=3600.0))
    story = Story(policy(behavior=swinging, parity=Parity.STRICT), count=4)
    assert story.run("100x1 400x1 100x1 400x1 100x1") == "1x1 4x1 1x1 4x1 1x1"
    story.run("400x1")
    story.rollout = True
    assert story.run("100x1") == "1x1"
    story.asks(policy(low=6, behavior=swinging, parity=Parity.STRICT))
    story.run("100x1")
    story.asks(policy(low=1, behavior=swinging, parity=Parity.STRICT))
    assert story.run("100x1") == "1x1"


def test_strict_parity_goes_to_the_maximum_at_once_and_to_the_minimum_before_it_looks_at_signals() -> None:
    slow = Behavior(down=Direction(rates=(Rate(replicas=1, per=60.0),)))
    story = Story(policy(high=5, behavior=slow, parity=Parity.STRICT), count=9)
    assert story.run("nonex1") == "5x1"
    story = Story(policy(low=3, parity=Parity.STRICT), count=1)
    assert story.run("900x2") == "3x1 7x1"
    story = Story(policy(high=5, parity=Parity.STRICT), count=9)
    assert story.run("100x22") == "5x20 1x2", "its window began when it was first seen, at nine"


def test_after_a_kill_the_count_that_is_found_holds() -> None:
    """The snapshot says all is well and that nothing has to be waited for; a minute of its own doing is missing."""
    for lost in range(5):
        story = Story(policy(behavior=QUICK), count=4)
        story.run("400x30")
        story.is_killed(lost)
        assert story.run("100x4") == "4x4"
        assert story.last.steps[-1].facts["because"] == "a restart"
        assert story.run("100x1") == "1x1"


def test_a_seed_is_not_weakened_by_a_later_one() -> None:
    memory = first_sight(policy(), 0.0).held(8, 600.0, 0.0, "first sight")
    for count, for_s, now, kept in (
        (4, 300.0, 100.0, (8, 600.0)),
        (4, 900.0, 100.0, (8, 1000.0)),
        (9, 60.0, 0.0, (9, 600.0)),
    ):
        seed = memory.held(count, for_s, now, "a gap").seed
        assert seed is not None
        assert (seed.count, seed.until) == kept
    over = memory.held(4, 300.0, 600.0, "a gap").seed
    assert over is not None
    assert (over.count, over.until) == (4, 900.0), "one that is over says nothing"


def test_signals_that_change_hold_the_count_until_their_own_past_is_known() -> None:
    story = Story(policy(behavior=QUICK), count=4)
    story.run("400x10")
    story.asks(policy(Signal(name="load", prometheus="load", per_replica=400.0), behavior=QUICK))
    assert story.run("400x4") == "4x4"
    assert story.last.steps[-1].facts["because"] == "signals that changed"
    assert story.run("400x1") == "1x1"
