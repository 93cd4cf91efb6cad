"""Replacing the sick: who, when, and what holds it back."""

from __future__ import annotations

from autoscaler.decide.memory import recycled
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Pause, Seen
from autoscaler.model.policy import Behavior, Direction, Mode, Recycle, When
from autoscaler.model.signal import Point, Series
from autoscaler.model.target import Instance
from tests.scenarios.story import REF, Story, policy

QUICK = Behavior(down=Direction(stabilization=0.0))
HEAL = Recycle(when=When(unhealthy_for=30.0))


def instance(name: str, *, ready: bool, since: float, was_ready: bool = True) -> Instance:
    return Instance(id=name, name=name, created=0.0, ready=ready, since=since, was_ready=was_ready)


def story(*sick_for: float, healthy: int = 2) -> Story:
    told = Story(policy(recycle=HEAL), count=healthy + len(sick_for))
    told.instances = tuple(instance(f"web-{i}", ready=True, since=0.0) for i in range(healthy)) + tuple(
        instance(f"sick-{i}", ready=False, since=told.now - age) for i, age in enumerate(sick_for)
    )
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
    told.instances = (*told.instances[:2], instance("new", ready=False, since=0.0, was_ready=False))
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
    told.instances = story(999.0).instances
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


def test_a_policy_that_only_recycles_leaves_the_count_alone() -> None:
    told = story(40.0)
    only = policy(recycle=HEAL)
    told.asks(type(only)(name="web", target=only.target, recycle=HEAL))
    decision = told.cycle(seen=Seen(state=told.state()))
    assert (decision.desired, decision.reason) == (3, Reason.NO_SIGNALS)
    assert [each.name for each in decision.replace] == ["sick-0"]
