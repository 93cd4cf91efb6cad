"""A past that is fed gives what living through it gives, to the last bit; and how the lead time is measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.notation import MISSING, reading
from autoscaler.decide.memory import Memory
from autoscaler.decide.taught import Pupil, graduated, lessons, still_taught, untaught
from autoscaler.model.policy import Algorithm, Policy
from autoscaler.model.signal import Reading
from tests.scenarios.story import Story, load, policy


def adaptive(*names: str, high: int = 50, **keys: object) -> Policy:
    signals = [load(name, per_replica=70.0, capacity=100.0) for name in names or ("load",)]
    return policy(*signals, algorithm=Algorithm.ADAPTIVE, high=high, **keys)  # type: ignore[arg-type]


def lived(asked: Policy, *told: Sequence[Reading], every: float = 15.0) -> Story:
    """A workload that has read these, one sequence per signal, one reading per cycle."""
    story = Story(asked, count=10, cycle_s=every)
    story.kept = 0
    for each in zip(*told, strict=True):
        story.cycle(*each)
    return story


def fed(story: Story, *told: Sequence[Reading], parts: int = 1) -> Pupil:
    """The same past as a daemon that had not lived through it is taught it, in so many parts."""
    start = 1_000_000.0
    names = [goal.signal for goal in story.plan.goals]
    pupil = Pupil(story.plan, msgspec.structs.replace(story.memory, learned={}), names)
    many = len(told[0])
    for first in range(0, many, -(-many // parts)):
        part = slice(first, first + -(-many // parts))
        pupil.readings = {name: each[part] for name, each in zip(names, told, strict=True)}
        times = [start + beat * story.cycle_s for beat in range(many)][part]
        for _ in lessons([pupil], times):
            pass
    return pupil


LOADS = st.lists(st.one_of(st.sampled_from(sorted(set(MISSING) - {"uncovered"})), st.floats(0, 1e6).map(str)),
                 min_size=12, max_size=60).map(lambda words: ["100", *words])  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(LOADS, st.sampled_from([5.0, 15.0, 60.0]), st.integers(1, 5))
def test_a_past_that_is_fed_in_any_parts_gives_what_living_through_it_gives(
    words: list[str], every: float, parts: int
) -> None:
    told = list(map(reading, words))
    story = lived(adaptive(low=10, high=10), told, every=every)  # never grows: one lead time for all of it
    pupil = fed(story, told, parts=parts)
    assert pupil.memory.learned == story.memory.learned
    assert pupil.memory.learned["load"].record == story.memory.learned["load"].record


def test_many_are_taught_together_as_each_alone() -> None:
    told = [list(map(reading, [str(100 + n * beat % 70) for beat in range(40)])) for n in range(1, 6)]
    alone = [lived(adaptive(), each) for each in told]
    pupils = [Pupil(story.plan, story.memory, ["load"]) for story in alone]
    refs = [msgspec.structs.replace(pupil.plan.ref, name=f"web-{n}") for n, pupil in enumerate(pupils)]
    for pupil, ref, each in zip(pupils, refs, told, strict=True):
        pupil.plan = msgspec.structs.replace(pupil.plan, key=ref.key)
        pupil.readings = {"load": each}
    for _ in lessons(pupils, [1_000_000.0 + 15 * beat for beat in range(40)]):
        pass
    for pupil, story in zip(pupils, alone, strict=True):
        assert pupil.memory.learned == story.memory.learned


def test_several_signals_are_taught_each_its_own_load() -> None:
    one, other = list(map(reading, ["100"] * 30)), list(map(reading, ["500"] * 30))
    story = lived(adaptive("load", "queue"), one, other)
    pupil = fed(story, one, other)
    assert pupil.memory.learned == story.memory.learned
    assert pupil.memory.learned["queue"].newest == 500.0


def test_more_that_was_lived_through_is_not_given_away_for_less_that_was_recorded() -> None:
    story = lived(adaptive(), list(map(reading, ["100"] * 40)))
    pupil = fed(story, list(map(reading, ["100"] * 20)))
    assert graduated(story.plan, story.memory, pupil) == story.memory


def test_what_history_told_is_said_until_it_is_dropped() -> None:
    story = lived(adaptive(), list(map(reading, ["100"] * 10)))
    pupil = fed(story, list(map(reading, ["100"] * 40)))
    after = graduated(story.plan, story.memory, pupil)
    assert after.learned["load"].bins == 40
    assert after.taught == still_taught(after) == {"load": 600.0}
    dropped = msgspec.structs.replace(after, learned=story.memory.learned)
    assert still_taught(dropped) == {}


def test_another_query_meanwhile_takes_nothing_from_the_old_ones_past() -> None:
    story = lived(adaptive(), list(map(reading, ["100"] * 10)))
    pupil = fed(story, list(map(reading, ["100"] * 40)))
    signal = msgspec.structs.replace(story.plan.goals[0].asked, prometheus="other")
    story.asks(policy(signal, algorithm=Algorithm.ADAPTIVE, high=50))
    assert graduated(story.plan, story.memory, pupil).taught == {}


@pytest.mark.parametrize(
    "asked", [policy(load(per_replica=70.0, capacity=100.0)), policy(load(), algorithm=Algorithm.ADAPTIVE)]
)
def test_nothing_is_to_be_taught_without_adaptive_or_without_a_capacity(asked: Policy) -> None:
    assert untaught(Story(asked).plan, Memory(first_seen=0.0, fingerprint="")) == []


# the lead time


@pytest.mark.parametrize("ready_s", [3.0, 14.0, 20.0, 44.0, 61.0])
def test_the_lead_time_ends_when_the_platform_says_so_and_not_at_the_look_that_sees_it(ready_s: float) -> None:
    story = Story(policy(load(), high=10), count=1)
    story.ready_s = ready_s
    story.run("500x20")
    assert story.memory.lead_s == pytest.approx(1.0 + ready_s)
