"""Pushed signals between two cycles: they raise at once what is theirs to raise, and never shrink anything."""

from __future__ import annotations

import pytest

from autoscaler.backtest.notation import reading
from autoscaler.decide.explain import explain
from autoscaler.model.policy import (
    Algorithm,
    Behavior,
    Combine,
    Direction,
    Idle,
    Parity,
    Push,
    Rate,
    ScrapeMode,
    Signal,
)
from autoscaler.model.signal import Missing, MissingWhy
from tests.scenarios.story import QUICK, Story, load, policy


def pushed(name: str = "queue", **keys: object) -> Signal:
    goal = {} if "wake_above" in keys else {"per_replica": 100.0}
    return Signal(name=name, push=Push(match=name, mode=ScrapeMode.GAUGE), **{**goal, **keys})  # type: ignore[arg-type]


def story(*signals: Signal, count: int = 2, behavior: Behavior = QUICK, **keys: object) -> Story:
    made = Story(policy(*(signals or (pushed(),)), behavior=behavior, **keys), count=count)  # type: ignore[arg-type]
    made.run(*["200x40"] * len(signals or (pushed(),)))
    return made


def test_a_pushed_load_raises_between_two_cycles_and_says_why() -> None:
    told = story()
    made = told.cycle(reading("550"), wake=True)
    assert (made.current, made.desired, made.reason.value) == (2, 6, "above_target")
    assert any("queue" in line and "550" in line for line in explain(made))


@pytest.mark.parametrize("low", ["0", "50", "nan", "none"])
def test_whatever_is_pushed_a_wake_never_shrinks(low: str) -> None:
    told = story(count=2)
    made = told.cycle(reading(low), wake=True)
    assert (made.desired, made.reason.value) == (2, "awaiting_cycle")


def test_a_wake_adds_nothing_to_the_history() -> None:
    told = story()
    history = told.memories[told.key].history.recommendations
    told.cycle(reading("900"), wake=True)
    assert told.memories[told.key].history.recommendations == history
    assert told.memories[told.key].accepted != told.now


def test_a_raise_by_push_keeps_to_the_rates_and_the_bounds() -> None:
    slow = Behavior(up=Direction(rates=(Rate(replicas=1, per=60.0),)), down=Direction(stabilization=0.0))
    told = story(behavior=slow)
    assert [told.cycle(reading("900"), wake=True).desired for _ in range(3)] == [3, 3, 3]
    assert told.last.reason.value == "awaiting_cycle", "there is nothing to raise it by until a minute is over"
    capped = story(high=4)
    made = capped.cycle(reading("900"), wake=True)
    assert (made.desired, made.reason.value) == (4, "capped_at_maximum")


def test_other_signals_have_no_part_in_a_wake() -> None:
    """What they said is of the last cycle; a value multiplied by the instances of now would climb by itself."""
    told = Story(policy(pushed(), load("busy", value=100.0), behavior=QUICK), count=2)
    told.run("200x40", "100x40")
    assert told.cycle(reading("200"), reading("900"), wake=True).desired == 2
    assert told.cycle(reading("300"), reading("0"), wake=True).desired == 3


def test_with_combine_all_a_wake_waits_unless_every_signal_is_pushed() -> None:
    mixed = story(pushed(), load(), combine=Combine.ALL)
    assert mixed.cycle(reading("900"), reading("900"), wake=True).desired == 2
    both = story(pushed(), pushed("other"), combine=Combine.ALL)
    assert both.cycle(reading("900"), reading("200"), wake=True).desired == 2
    assert both.cycle(reading("900"), reading("500"), wake=True).desired == 5
    telling = Signal(name="answered", prometheus="answered")  # wants nothing, so it has nothing to wait for
    told = story(pushed(served="answered"), telling, combine=Combine.ALL)
    assert told.cycle(reading("500"), reading("200"), wake=True).desired == 5


def test_after_a_raise_by_push_the_next_cycles_do_not_shrink_at_once() -> None:
    told = story()
    told.cycle(reading("600"), wake=True)
    assert told.cycle(reading("200")).reason.value == "settling"


def test_a_pushed_wake_signal_wakes_from_idle_between_two_cycles() -> None:
    told = Story(
        policy(pushed(), pushed("front", wake_above=0.0), low=2, idle=Idle(after=60.0), behavior=QUICK), count=2
    )
    told.run("0x40", "0x40")
    assert told.count == 0
    assert told.cycle(reading("0"), reading("0"), wake=True).desired == 0
    missing = Missing(MissingWhy.FAILED, "nobody pushes")
    assert told.cycle(missing, missing, wake=True).desired == 0
    made = told.cycle(reading("0"), reading("3"), wake=True)
    assert (made.desired, made.reason.value) == (2, "woken")


def test_a_wake_signal_that_is_asked_for_waits_for_the_cycle() -> None:
    asked = Signal(name="front", prometheus="front", wake_above=0.0)
    told = Story(policy(pushed(), asked, low=2, idle=Idle(after=60.0), behavior=QUICK), count=2)
    told.run("0x40", "0x40")
    assert told.count == 0
    assert told.cycle(reading("0"), reading("3"), wake=True).desired == 0


def test_strict_and_what_adaptive_expects_are_reckoned_in_cycles_only() -> None:
    strict = story(parity=Parity.STRICT)
    assert strict.cycle(reading("900"), wake=True).desired == 2
    sized = story(pushed(capacity=150.0), algorithm=Algorithm.ADAPTIVE)
    plain = not sized.memories[sized.key].sized
    assert (sized.cycle(reading("900"), wake=True).desired > 2) is plain


def test_before_the_first_cycle_a_wake_knows_of_no_readings() -> None:
    told = Story(policy(pushed(), behavior=QUICK), count=2)
    assert told.cycle(wake=True).desired == 2
