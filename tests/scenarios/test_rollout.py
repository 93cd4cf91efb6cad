"""Rollouts: nothing shrinks, and the instances of a surge do not ask for more of themselves."""

from __future__ import annotations

from autoscaler.decide.explain import explain
from autoscaler.model.decision import Reason
from autoscaler.model.policy import Parity
from tests.scenarios.story import QUICK, Story, load, policy


def surging(surplus: int, *signals: object, count: int = 5, **keys: object) -> Story:
    told = Story(policy(*signals, behavior=QUICK, high=40, **keys), count=count)  # type: ignore[arg-type]
    told.run(*(f"{count * 100 if goal.kind == 'per_replica' else 1}x20" for goal in told.plan.goals))
    assert told.count == count
    told.rollout, told.surplus = True, surplus
    return told


def test_surge_instances_do_not_ratchet_the_count() -> None:
    """Within tolerance the HPA answers with what exists: 5 and a surge of 1 make 6, which surge to 8, and so on."""
    told = surging(1)
    assert told.run("550x10") == "5x10"
    assert told.said(Reason.ROLLOUT_SURPLUS)
    assert "a rollout runs 1 instances too many" in "\n".join(explain(told.last))
    told = surging(1)
    told.rollout = False
    assert told.run("550x1") == "6x1", "without the guard it does"


def test_surplus_ready_instances_do_not_multiply_a_ratio() -> None:
    """`value` multiplies by the ready: 1.5 times the target on 10 ready of which 5 are surplus is 8, not 15."""
    told = surging(5, load(value=1.0))
    assert told.run("1.5x1") == "8x1"
    told = surging(5, load(value=1.0), parity=Parity.STRICT)
    assert told.run("1.5x1") == "10x1"
    assert told.last.steps[-1].before == 15


def test_real_growth_goes_on_and_never_below_what_is_asked_for() -> None:
    told = surging(1)
    assert told.run("900x2") == "9x2"
    told = surging(3)
    told.run("100x5")
    assert (told.count, told.reason()) == (5, "rollout")


def test_nothing_shrinks_until_it_is_over() -> None:
    told = surging(2)
    assert told.run("100x50") == "5x50"
    told.rollout, told.surplus = False, 0
    assert told.run("100x1") == "1x1"


def test_a_ceiling_waits_for_the_end_of_a_rollout() -> None:
    told = surging(1)
    told.asks(policy(behavior=QUICK, high=3))
    assert told.run("500x10") == "5x10"
    assert told.reason() == "rollout"
    told.rollout, told.surplus = False, 0
    assert told.run("500x1") == "3x1"


def test_a_minimum_is_raised_during_a_rollout() -> None:
    told = surging(1)
    told.asks(policy(behavior=QUICK, low=8, high=40))
    assert told.run("500x1") == "8x1"
    assert told.reason() == "below_minimum"


def test_a_rollout_during_a_peak() -> None:
    """A rollout during a peak: growth is served, the surge adds nothing, and afterwards it settles where load is."""
    told = surging(2)
    assert told.run("500x2 800x4 1200x4 1200x10") == "5x2 8x4 12x14"
    told.rollout, told.surplus = False, 0
    assert told.run("1200x5") == "12x5"


def test_surge_instances_that_are_not_ready_change_nothing() -> None:
    told = surging(3)
    told.ready_follows, told.ready = False, 2
    assert told.run("550x3") == "5x3"
