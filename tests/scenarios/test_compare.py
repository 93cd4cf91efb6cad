"""`compare:`: the other algorithm in the shadow. It never acts, never disturbs, and has what it would have alone."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.notation import MISSING, reading
from autoscaler.decide.adaptive.series import TRUSTED_BINS
from autoscaler.decide.explain import explain
from autoscaler.model.decision import Beside, Reason
from autoscaler.model.policy import Algorithm, Policy, Signal
from tests.scenarios.story import Story, Town, load, policy
from tests.scenarios.test_adaptive import LEARNED, adaptive, goes_on, level, rates

HPA, ADAPTIVE = Algorithm.HPA, Algorithm.ADAPTIVE


def hpa(*signals: Signal, **keys: object) -> Policy:
    return policy(*(signals or (rates(),)), high=50, **keys)  # type: ignore[arg-type]


def other(story: Story) -> Beside:
    assert story.last.beside is not None
    return story.last.beside


def both(asked: Policy) -> tuple[Story, Story]:
    """The same policy with its shadow, and without one."""
    return Story(asked, count=4), Story(msgspec.structs.replace(asked, compare=None), count=4)


WORDS = st.lists(st.one_of(st.sampled_from(sorted(MISSING)), st.floats(0, 1e5).map(str)), min_size=1, max_size=40)


@settings(max_examples=40, deadline=None)
@given(WORDS, st.sampled_from([hpa(compare=ADAPTIVE), adaptive(compare=HPA)]))
def test_what_is_decided_is_the_same_with_a_shadow_and_without(words: list[str], asked: Policy) -> None:
    with_shadow, alone = both(asked)
    for word in words:
        made, plain = with_shadow.cycle(reading(word)), alone.cycle(reading(word))
        assert msgspec.structs.replace(made, beside=None) == plain


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=60))
def test_hpa_in_the_shadow_has_what_it_would_have_where_it_decides(loads: list[float]) -> None:
    shadow, real = Story(adaptive(compare=HPA), count=4), Story(hpa(), count=4)
    real.ready_s = 0.0
    for value in loads:
        shadow.cycle(reading(str(value)))
        real.cycle(reading(str(value)))
        assert (other(shadow).current, other(shadow).desired) == (real.last.current, real.last.desired)


def test_adaptive_in_the_shadow_learns_and_goes_below_hpa_while_hpa_decides() -> None:
    story = Story(hpa(compare=ADAPTIVE), count=LEARNED.count, start=LEARNED.now)
    story.kept, story.memories = 0, dict(LEARNED.memories)
    counts, others = [], []
    for beat in range(300):
        counts.append(story.cycle(reading(str(level(TRUSTED_BINS + 40 + beat)))).desired)
        others.append(other(story).desired)
    plain = Story(hpa(), count=LEARNED.count, start=LEARNED.now)
    plain.kept = 0
    assert counts == goes_on(plain, 300)
    assert sum(others) < sum(counts)
    assert other(story).reason in (Reason.EXPECTS_SAME, Reason.EXPECTS_LESS)
    assert story.memory.learned["load"].trusted


def test_explain_says_both() -> None:
    story = Story(adaptive(compare=HPA), count=4)
    story.run("1000x3")
    lines = explain(story.last)
    place = next(n for n, line in enumerate(lines) if line.startswith("in the shadow, never acted on: hpa would "))
    assert "  signal " in lines[place + 1]


def test_a_shadow_goes_through_the_store_and_a_restart() -> None:
    story, again = Story(adaptive(compare=HPA), count=4), Story(adaptive(compare=HPA), count=4)
    for each in (story, again):
        each.run("1000x20")
    again.restarts()
    for each in (story, again):
        each.run("300x30")
    assert other(story) == other(again)


def test_a_word_of_a_person_ends_the_shadow_and_it_begins_anew_from_what_is_there() -> None:
    story = Story(adaptive(compare=HPA), count=4)
    story.run("1000x5")
    story.pauses()
    story.run("1000")
    assert (story.last.beside, story.memory.shadow) == (None, None)
    story.says()
    story.run("1000")
    assert other(story).current == story.last.current


def test_a_policy_without_compare_forgets_the_shadow() -> None:
    story = Story(adaptive(compare=HPA), count=4)
    story.run("1000x5")
    story.asks(adaptive())
    story.run("1000")
    assert (story.last.beside, story.memory.shadow) == (None, None)


def test_a_measure_that_depends_on_the_count_is_judged_from_the_real_one() -> None:
    story = Story(hpa(load(utilization=0.5), rates(), compare=ADAPTIVE), count=4)
    story.run("0.9x10", "200x10")
    assert other(story).current == story.last.current


def test_shadows_do_not_take_from_the_fleets_brake() -> None:
    town, alone = Town.of(30, adaptive(compare=HPA), count=10), Town.of(30, adaptive(), count=10)
    for each in (town, alone):
        each.run("600x3")
        each.run("100x60")
    assert town.fleet == alone.fleet
    assert town.fleet.wanting == 30


@pytest.mark.parametrize("kind", [HPA, ADAPTIVE])
def test_a_load_of_nothing_at_all_is_no_matter(kind: Algorithm) -> None:
    asked = adaptive(compare=HPA) if kind is HPA else hpa(compare=ADAPTIVE)
    story = Story(asked, count=4)
    story.run("0x60")
    assert other(story).desired == 1
    assert math.isfinite(other(story).current)
