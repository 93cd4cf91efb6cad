"""Replacing the sick: who, when, and what holds it back."""

from __future__ import annotations

from autoscaler.decide.memory import recycled
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Pause, Seen
from autoscaler.model.policy import Behavior, Direction, Mode, Recycle, When
from autoscaler.model.signal import Point, Series
from tests.scenarios.story import REF, Story, policy

QUICK = Behavior(down=Direction(stabilization=0.0))
HEAL = Recycle(when=When(unhealthy_for=30.0))


def story(*sick_for: float, healthy: int = 2) -> Story:
    told = Story(policy(recycle=HEAL), count=healthy + len(sick_for))
    told.ready_follows = False
    for unit, age in zip(told.units[healthy:], sick_for, strict=True):
        unit.name, unit.ready_at, unit.sick_since = f"sick-{unit.number - healthy - 1}", 0.0, told.now - age
    return told


def cycle(told: Story, load: float = 300.0, **fields: object) -> Decision:
    seen = Seen(state=told.state(), readings=(Series((Point(load),)),), **fields)  # type: ignore[arg-type]
    return told.cycle(seen=seen)


def test_an_instance_unhealthy_for_long_enough_is_replaced() -> None:
    decision = cycle(story(31.0))
    assert [each.name for each in decision.replace] == ["sick-0"]
    assert decision.steps[-1].reason is Reason.UNHEALTHY


def test_not_before_its_time_and_never_one_that_was_never_ready() -> None:
    assert cycle(story(29.0)).replace == ()
    told = story(31.0)
    told.ready = 2
    assert cycle(told).replace == ()


def test_one_at_a_time_the_longest_sick_first() -> None:
    told = story(40.0, 50.0, healthy=1)
    assert [each.name for each in cycle(told).replace] == ["sick-1"]
    decision = cycle(told, replacing=("sick-1",))
    assert decision.replace == ()
    assert decision.steps[-1].reason is Reason.RECYCLE_BUDGET


def test_never_in_the_cycle_that_shrinks_nor_while_instances_leave() -> None:
    told = Story(policy(recycle=HEAL, behavior=QUICK), count=3)
    told.run("300x20")
    told.units[-1].ready_at, told.units[-1].sick_since = 0.0, told.now - 999.0
    decision = cycle(told, load=100.0)
    assert decision.desired < decision.current
    assert (decision.replace, decision.steps[-1].reason) == ((), Reason.RECYCLE_WAITS)
    told = story(40.0)
    assert cycle(told, removing=True).steps[-1].reason is Reason.RECYCLE_WAITS


def test_not_during_a_rollout_nor_when_paused_nor_in_observe() -> None:
    told = story(40.0)
    told.rollout = True
    assert cycle(told).replace == ()
    told = story(40.0)
    told.says(pause=Pause(since=told.now))
    assert cycle(told).replace == ()
    told = story(40.0)
    told.asks(policy(recycle=HEAL, mode=Mode.OBSERVE))
    decision = cycle(told)
    assert (decision.replace, decision.act) == ((), False)


def test_replacements_that_never_become_ready_are_tried_less_and_less_often() -> None:
    told = story(40.0)
    cycle(told)
    for _ in range(3):
        told.memories[REF.key] = recycled(told.memories[REF.key], told.now, failed=True)
    assert cycle(told).steps[-1].reason is Reason.RECYCLE_BACKOFF
    told.now += 41.0
    assert [each.name for each in cycle(told).replace] == ["sick-0"]
    told.memories[REF.key] = recycled(told.memories[REF.key], told.now, failed=False)
    assert told.memories[REF.key].recycle_failures == 0


def test_a_replacement_takes_the_place_of_the_sick_once_it_is_ready() -> None:
    told = story(31.0)
    told.ready_s = 15.0
    assert told.run("300x1") == "3x1"
    assert (told.replaced, told.count) == (1, 3)
    told.run("300x1")
    assert (told.ready, told.last.replace) == (2, ()), "its successor is on its way"
    told.run("300x2")
    assert (told.ready, told.replaced, told.memory.recycle_failures) == (3, 1, 0)


def test_a_replacement_that_is_never_ready_is_given_up_and_counted() -> None:
    told = story(31.0)
    told.run("300x9")
    assert (told.memory.recycle_failures, told.replaced) == (1, 1)
    told.run("300x1")
    assert (told.memory.recycle_failures, told.replaced) == (1, 2)


def test_a_policy_that_only_recycles_leaves_the_count_alone() -> None:
    told = story(40.0)
    only = policy(recycle=HEAL)
    told.asks(type(only)(name="web", target=only.target, recycle=HEAL))
    decision = told.cycle(seen=Seen(state=told.state()))
    assert (decision.desired, decision.reason) == (3, Reason.NO_SIGNALS)
    assert [each.name for each in decision.replace] == ["sick-0"]
