"""Replacing the sick: who, when, and what holds it back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from autoscaler.decide import lineage
from autoscaler.decide.due import age_limit_s
from autoscaler.decide.explain import sentence
from autoscaler.decide.recycle import BACKOFF_MOST_S, LASTED_S, TRIES
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Pause, Seen
from autoscaler.model.policy import (
    Behavior,
    Breaker,
    Direction,
    Exited,
    Mode,
    Opening,
    Outlier,
    Recycle,
    Times,
    When,
)
from autoscaler.model.signal import Point, Series
from autoscaler.targets.simulated.unit import Unit
from tests.scenarios.story import ON_KUBERNETES, REF, Story, Town, moment, policy

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
    assert decision.steps[-1].reason is Reason.RECYCLE_UNAVAILABLE


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


def failed(told: Story, times: int = 1) -> None:
    """So many replacements of sick-0 failed just now."""
    known = told.memory.recycling
    for _ in range(times):
        tries = known.lineages["sick-0"].tries + 1 if "sick-0" in known.lineages else 1
        known = lineage.begun(known, "sick-0", tries, "   ", told.now)
        known = lineage.ended(known, "sick-0", told.now, failed=True)
    told.memories[REF.key] = msgspec.structs.replace(told.memory, recycling=known)


def test_replacements_that_never_become_ready_are_tried_less_and_less_often() -> None:
    told = story(40.0)
    cycle(told, removing=True)
    failed(told, 3)
    decision = cycle(told)
    assert (decision.replace, decision.steps[-1].reason) == ((), Reason.RECYCLE_BACKOFF)
    told.now += 41.0
    assert [each.name for each in cycle(told).replace] == ["sick-0"]
    assert told.memory.recycling.lineages["sick-0"].tries == 4


def test_a_replacement_takes_the_place_of_the_sick_once_it_is_ready() -> None:
    told = story(31.0)
    told.ready_s = 15.0
    assert told.run("300x1") == "3x1"
    assert (told.replaced, told.count) == (1, 3)
    told.run("300x1")
    assert (told.ready, told.last.replace) == (2, ()), "its successor is on its way"
    told.run("300x2")
    assert (told.ready, told.replaced, told.memory.recycling.lineages["sick-0"].failed) == (3, 1, False)


def test_a_replacement_that_is_never_ready_is_given_up_and_counted() -> None:
    told = story(31.0)
    told.run("300x9")
    assert (told.memory.recycling.lineages["sick-0"].tries, told.replaced) == (1, 1)
    told.run("300x2")
    assert (told.memory.recycling.lineages["sick-0"].tries, told.replaced) == (2, 2)


def test_a_policy_that_only_recycles_leaves_the_count_alone() -> None:
    told = story(40.0)
    only = policy(recycle=HEAL)
    told.asks(type(only)(name="web", target=only.target, recycle=HEAL))
    decision = told.cycle(seen=Seen(state=told.state()))
    assert (decision.desired, decision.reason) == (3, Reason.NO_SIGNALS)
    assert [each.name for each in decision.replace] == ["sick-0"]


# causes


def among(**keys: Any) -> tuple[Story, Unit]:
    """Three that serve under a policy with these causes, and the last of them."""
    told = Story(policy(recycle=Recycle(when=When(**keys))), count=3)
    return told, told.units[-1]


def reasons(decision: Decision) -> list[tuple[str, str]]:
    return [(each.name, each.reason.value) for each in decision.replace]


def test_one_that_was_never_ready_is_replaced_at_the_age_that_is_said() -> None:
    told, last = among(never_ready_after=60.0)
    last.ready_at, last.created = told.now + 1e9, told.now - 59.0
    assert cycle(told).replace == ()
    assert reasons(cycle(told)) == [("web-3", "never_ready")]


def test_one_that_ended_with_an_error_is_replaced_and_one_that_finished_is_not() -> None:
    told, last = among(exited=Exited.ERROR)
    last.ended, last.exit_code = told.now, 0
    assert cycle(told).replace == ()
    last.ended, last.exit_code = told.now, 3
    decision = cycle(told)
    assert reasons(decision) == [("web-3", "exited")]
    assert "ended with exit code 3" in sentence(decision.steps[-1])


def test_restarts_count_within_their_period_and_those_before_we_looked_count_not_at_all() -> None:
    told, last = among(restarts=Times(count=3, per=60.0))
    last.created, last.restarts = told.now - 3600.0, 50
    assert cycle(told).replace == ()
    last.restarts = 52
    assert cycle(told).replace == ()
    told.now += 60.0
    last.restarts = 54
    assert cycle(told).replace == (), "two of the four are too long ago"
    last.restarts = 55
    assert reasons(cycle(told)) == [("web-3", "restarts")]


def test_restarts_of_a_young_one_count_at_first_sight_and_a_counter_begun_anew_adds_nothing() -> None:
    told, last = among(restarts=Times(count=3, per=60.0))
    last.created, last.restarts = told.now - 10.0, 2
    assert cycle(told).replace == ()
    last.restarts = 0
    assert cycle(told).replace == ()
    last.restarts = 1
    assert reasons(cycle(told)) == [("web-3", "restarts")]


def test_ends_by_lack_of_memory_are_remembered_when_the_platform_forgets_them_and_told_twice_are_one() -> None:
    told, last = among(oom_kills=Times(count=2, per=600.0))
    last.ooms = (told.now - 5.0,)
    cycle(told)
    last.ooms = (told.now - 19.2,)  # the same, as the container's own record has it
    assert cycle(told).replace == ()
    told.restarts()
    last.ooms = (told.now - 1.0,)
    assert reasons(cycle(told)) == [("web-3", "oom_kills")]


def test_the_old_go_at_an_age_of_their_own_and_never_too_early() -> None:
    told, _ = among(older_than=3600.0)
    limits = {each.id: age_limit_s(each, 3600.0) for each in told.state().instances}
    assert len(set(limits.values())) == 3
    assert all(3600.0 <= each <= 4320.0 for each in limits.values())
    for unit in told.units:
        unit.created, unit.seen = told.now - limits[unit.id] + 1.0, None
    assert cycle(told).replace == ()
    decision = cycle(told)
    assert len(decision.replace) == 1, "one at a time"
    assert decision.replace[0].serves


@pytest.mark.parametrize("what", ["image", "config"])
def test_those_made_from_what_is_no_longer_meant_are_replaced_one_after_the_other(what: str) -> None:
    told, _ = among(**{f"{what}_changed": True})
    for unit in told.units:
        setattr(unit, f"newer_{what}", "sha256:new")
    assert reasons(cycle(told)) == [("web-1", f"{what}_changed")]
    told.run("300x8")
    assert (told.replaced, told.count, {getattr(each, f"newer_{what}") for each in told.units}) == (3, 3, {""})


def test_a_cause_that_is_not_named_is_none() -> None:
    told, last = among(unhealthy_for=30.0)
    last.created, last.restarts, last.ooms, last.newer_image, last.newer_config = 0.0, 99, (told.now,), "x", "y"
    assert cycle(told).replace == ()


# budgets


def sick_story(sick: int, healthy: int, **keys: Any) -> Story:
    told = story(*(100.0 + n for n in range(sick)), healthy=healthy)
    told.asks(policy(high=50, recycle=Recycle(when=When(unhealthy_for=30.0), **keys)))
    return told


def test_so_many_at_once_as_may_be_out_of_service() -> None:
    decision = cycle(sick_story(4, 6, unavailable=3))
    assert len(decision.replace) == 3
    assert decision.steps[-1].reason is Reason.RECYCLE_UNAVAILABLE


def test_what_serves_waits_while_another_is_out_of_service_for_whatever_cause() -> None:
    told, last = among(older_than=60.0)
    for unit in told.units:
        unit.created = told.now - 1000.0
    last.sick_since = told.now - 1.0  # sick, but no cause of this policy
    decision = cycle(told)
    assert [each.name for each in decision.replace] == ["web-3"], "it does not serve anyway"
    told.asks(policy(recycle=Recycle(when=When(older_than=60.0), unavailable=2)))
    last.created = told.now
    assert reasons(cycle(told, replacing=(last.id,))) == [("web-1", "too_old")]


def test_a_budget_counts_all_causes_and_outlives_a_restart() -> None:
    told = sick_story(2, 8, unavailable=5, budget=Times(count=1, per=600.0))
    assert len(cycle(told).replace) == 1
    told.restarts()
    decision = cycle(told)
    assert (decision.replace, decision.steps[-1].reason) == ((), Reason.RECYCLE_BUDGET)
    assert told.fact(Reason.RECYCLE_BUDGET, "rest_s") == 585.0
    told.now += 585.0
    assert len(cycle(told).replace) == 1


def test_half_of_a_service_sick_is_probed_with_one_replacement_and_nothing_that_serves_is_touched() -> None:
    told = sick_story(3, 2, unavailable=5)
    decision = cycle(told)
    assert len(decision.replace) == 1
    assert decision.steps[-1].reason is Reason.RECYCLE_BREAKER
    assert "more than 50 %" in sentence(decision.steps[-1])
    assert cycle(told, replacing=("sick-2",)).replace == ()
    told.asks(policy(recycle=Recycle(when=When(older_than=60.0), breaker=Breaker(percent=50, least=3), unavailable=5)))
    for unit in told.units:
        unit.created = 0.0
    assert cycle(told).replace == ()


@pytest.mark.parametrize(("sick", "healthy", "replaced"), [(1, 0, 1), (2, 0, 2), (3, 3, 3), (3, 2, 1), (4, 3, 1)])
def test_the_breaker_counts_from_three_and_more_than_half(sick: int, healthy: int, replaced: int) -> None:
    assert len(cycle(sick_story(sick, healthy, unavailable=5)).replace) == replaced


def test_the_whole_fleet_begins_few_replacements_a_minute() -> None:
    town = Town.of(40, policy(recycle=HEAL), count=2)
    for told in town.stories:
        told.units[0].ready_at, told.units[0].sick_since = 0.0, told.now - 60.0
    assert sum(len(each.replace) for each in town.cycle("100")) == 5
    assert town.stories[-1].said(Reason.RECYCLE_FLEET)
    for _ in range(3):
        town.cycle("100")
    assert sum(told.replaced for told in town.stories) == 5
    town.cycle("100")
    assert sum(told.replaced for told in town.stories) == 10


def test_only_what_serves_waits_for_a_window() -> None:
    night = Recycle(
        when=When(older_than=60.0, unhealthy_for=30.0),
        windows=(Opening(cron="0 3 * * *", lasts=3600.0, timezone="Europe/Berlin"),),
    )
    told = Story(policy(recycle=night), count=2, start="2026-03-02 01:59:30")
    for unit in told.units:
        unit.created = told.now - 9999.0
    decision = cycle(told)
    assert (decision.replace, decision.steps[-1].reason) == ((), Reason.RECYCLE_WINDOW)
    told.now += 15.0
    assert len(cycle(told).replace) == 1
    told.now = moment("2026-03-02 12:00:00")
    told.run("300x1")
    told.units[0].ready_at, told.units[0].sick_since = 0.0, told.now - 60.0
    assert [each.reason for each in cycle(told).replace] == [Reason.UNHEALTHY]


def test_observe_says_who_would_be_replaced_and_spends_nothing() -> None:
    told = sick_story(2, 2)
    told.asks(policy(mode=Mode.OBSERVE, recycle=HEAL))
    for _ in range(3):
        decision = cycle(told)
        assert (decision.replace, decision.act, told.said(Reason.UNHEALTHY)) == ((), False, True)
    assert told.memory.recycling == lineage.NOTHING


# places that never get well


def test_a_place_whose_instances_never_last_is_given_up_until_resumed() -> None:
    told = story(40.0)
    cycle(told, removing=True)
    failed(told, TRIES)
    told.now += 10 * BACKOFF_MOST_S
    decision = cycle(told)
    assert (decision.replace, decision.steps[-1].reason) == ((), Reason.RECYCLE_GIVEN_UP)
    told.says(resumed=told.now - 1.0)
    assert len(cycle(told).replace) == 1


def test_another_image_is_a_new_beginning_for_a_place_that_was_given_up() -> None:
    told = story(40.0)
    cycle(told, removing=True)
    failed(told, TRIES)
    told.units[-1].newer_image = "sha256:repaired"
    assert len(cycle(told).replace) == 1


def test_a_successor_that_turns_sick_soon_is_a_relapse_and_one_that_lasted_is_not() -> None:
    told = story(40.0)
    told.ready_s = 15.0
    told.run("300x4")
    assert (told.replaced, told.ready) == (1, 3)
    last = told.units[-1]
    last.name, last.sick_since = "sick-0", told.now - 31.0
    cycle(told)
    assert told.memory.recycling.lineages["sick-0"].tries == 2
    told.run("300x4")
    last = told.units[-1]
    told.now += LASTED_S + 100.0
    last.name, last.sick_since = "sick-0", told.now - 31.0
    cycle(told)
    assert told.memory.recycling.lineages["sick-0"].tries == 1


def test_pods_have_names_of_their_own_so_their_place_is_the_workload() -> None:
    told = Story(policy(recycle=HEAL), count=3, ref=ON_KUBERNETES)
    for unit in told.units[1:]:
        unit.created, unit.ready_at, unit.sick_since = told.now - 600.0, 0.0, told.now - 60.0
    assert len(cycle(told).replace) == 1
    told.run("300x3")
    assert told.replaced == 2, "the second is no successor of the first, and does not wait for it"


def test_who_stands_out_is_told_in_observe_mode_as_well() -> None:
    asked = Recycle(when=When(outlier=Outlier(prometheus="lag", times_median=3.0, lasts=60.0)))
    for mode, chosen in ((Mode.ACT, 1), (Mode.OBSERVE, 0)):
        told = Story(policy(recycle=asked, mode=mode), count=3)
        ids = [each.id for each in told.state().instances]
        lag = Series(tuple(Point(value, instance=id) for value, id in zip((9.0, 1.0, 1.0), ids, strict=True)))
        decisions = [cycle(told, measured={"recycle.when.outlier": lag}) for _ in range(6)]
        assert len(decisions[-1].replace) == chosen
        (step,) = [each for each in decisions[-1].steps if each.reason is Reason.OUTLIER]
        assert step.facts["for_s"] == 75.0
