"""Several signals become one count: the largest wish, or what all agree on."""

from __future__ import annotations

import pytest

from autoscaler.model.decision import Reason
from autoscaler.model.policy import Combine, Fallback, LoadStep, NotANumber
from tests.scenarios.story import QUICK, Story, load, policy

TWO = (load("a"), load("b"))


def together(combine: Combine, *signals: object, count: int = 4) -> Story:
    told = Story(policy(*(signals or TWO), behavior=QUICK, combine=combine), count=count)  # type: ignore[arg-type]
    told.run(*(f"{count * 100}x10" for _ in told.plan.goals))
    return told


@pytest.mark.parametrize(
    ("a", "b", "largest", "agreed"),
    [
        ("600", "800", 8, 6),
        ("600", "400", 6, 4),
        ("600", "200", 6, 4),
        ("100", "300", 3, 3),
        ("100", "400", 4, 4),
        ("100", "200", 2, 2),
        ("none", "600", 6, 6),
        ("none", "200", 4, 4),
        ("none", "none", 4, 4),
    ],
)
def test_max_takes_the_largest_wish_and_all_what_everybody_wants(a: str, b: str, largest: int, agreed: int) -> None:
    assert together(Combine.MAX).run(a, b) == f"{largest}x1"
    assert together(Combine.ALL).run(a, b) == f"{agreed}x1"


def test_all_says_why_it_stays() -> None:
    told = together(Combine.ALL)
    told.run("600", "200")
    assert told.reason() == "not_all_agree"
    assert (told.fact(Reason.NOT_ALL_AGREE, "least"), told.fact(Reason.NOT_ALL_AGREE, "most")) == (2, 6)
    told.run("600", "900")
    assert (told.count, told.said(Reason.ALL_ASK_FOR_MORE)) == (6, True)
    told.run("600x9 100x1", "600x9 200x1")
    assert (told.count, told.said(Reason.ALL_ASK_FOR_LESS)) == (2, True)


def test_all_an_ignored_signal_has_no_say_and_a_missing_one_stops_the_shrink() -> None:
    ignoring = load("a", nan=NotANumber.IGNORE)
    assert together(Combine.ALL, ignoring, load("b")).run("nan", "200") == "2x1"
    assert together(Combine.ALL, ignoring, load("b")).run("nan", "600") == "6x1"
    told = together(Combine.ALL, load("a"), load("b"))
    assert told.run("nan", "200") == "4x1"
    assert told.reason() == "doubt"


def test_all_a_last_good_value_may_hold_growth_back_and_never_shrinks() -> None:
    kept = load("a", failed=Fallback(last_good=300.0))
    assert together(Combine.ALL, kept, load("b")).run("none", "600") == "4x1", "it still asks for no more than 4"
    assert together(Combine.ALL, kept, load("b")).run("none", "200") == "4x1"


def test_all_a_signal_with_a_cap_of_its_own_stops_growth_beyond_it() -> None:
    assert together(Combine.ALL, load("a", at_most=5), load("b")).run("900", "900") == "5x1"


def test_of_equal_wishes_the_first_is_named() -> None:
    told = together(Combine.MAX)
    told.run("600", "600")
    assert told.fact(Reason.LARGEST_WISH, "winner") == "a"


def test_at_most_caps_one_signal_and_not_the_others() -> None:
    told = together(Combine.MAX, load("a", at_most=5), load("b"))
    assert told.run("900", "400") == "5x1"
    assert (told.reason(), told.fact(Reason.AT_MOST, "asked")) == ("at_most", 9)
    assert told.run("900", "700") == "7x1"


def test_steps_ask_for_the_rung_below_the_load() -> None:
    rungs = (LoadStep(above=100.0, replicas=4), LoadStep(above=10.0, replicas=2), LoadStep(above=500.0, replicas=9))
    told = Story(policy(load(steps=rungs), behavior=QUICK), count=1)
    assert told.run("10x1 11x1 100x1 101x1 900x4") == "1x1 2x2 4x1 8x1 9x3"
    assert told.reason() == "on_step"
    assert told.run("900x5 0x1") == "9x5 1x1"


def test_steps_read_from_instances_do_not_shrink_while_one_cannot_be_read() -> None:
    told = Story(policy(load(steps=(LoadStep(above=100.0, replicas=4),)), behavior=QUICK), count=4)
    told.run("200x10")
    assert told.run("50?1x5") == "4x5"
    assert told.run("50x1") == "1x1"


def test_values_below_zero_ask_for_nothing_and_harm_nobody() -> None:
    """A world by seed: two signals below zero, and the daemon died of looking for the one that wished for 0."""
    story = Story(policy(*TWO, behavior=QUICK), count=3)
    story.run("300x30 -250x20", "300x30 -150x20")
    assert story.last.desired == 1
    assert story.reason() == "raised_to_minimum"
