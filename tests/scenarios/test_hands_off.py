"""What keeps our hands off a count: another autoscaler, and what is written on the workload itself."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
import pytest

from autoscaler.decide.explain import why
from autoscaler.loop.orders import Orders
from autoscaler.loop.underway import Underway
from autoscaler.model.operation import OperationKind
from autoscaler.model.policy import KubernetesTarget, Mode, Recycle, TargetSpec, When
from autoscaler.model.target import Pool, TargetState
from tests.scenarios.story import ON_KUBERNETES, QUICK, Story, load, policy

HPA = "HorizontalPodAutoscaler web"


class Told(Story):
    """A workload whose platform tells more of it."""

    more: Mapping[str, Any] = MappingProxyType({})

    def state(self) -> TargetState:
        return msgspec.structs.replace(super().state(), **self.more)


def steady(count: int = 4, **keys: Any) -> Told:
    told = Told(policy(load(), behavior=QUICK, **keys), count=count)
    told.run(f"{count * 100}x10")
    return told


def test_another_autoscaler_keeps_the_count_and_is_named() -> None:
    told = steady()
    told.more = {"steered_by": HPA}
    assert told.run("900x3") == "4x3"
    assert told.reason() == "other_autoscaler"
    assert why(told.last) == f"{HPA} sets this count: it is left alone until that one is gone"
    assert told.run("100x3") == "4x3"


def test_an_override_is_not_carried_out_against_another_autoscaler() -> None:
    told = steady()
    told.more = {"steered_by": HPA}
    told.overrides(7)
    assert told.run("400x2") == "4x2"
    told.more = {}
    assert told.run("400") == "7x1"


def test_what_another_autoscaler_changes_is_no_contest_and_its_last_count_is_held_for_a_while() -> None:
    told = steady()
    told.more = {"steered_by": HPA}
    told.run("400")
    for count in (5, 7, 9, 8):
        told.somebody_sets(count)
        told.run("400")
    told.more = {}
    assert told.run("400x2") == "8x2"
    assert told.reason() == "reseeded"
    told.run("1000")
    assert told.count == 10, "and growing waits for nothing"


def test_a_policy_that_observes_decides_beside_another_autoscaler() -> None:
    told = steady(mode=Mode.OBSERVE)
    told.more = {"steered_by": HPA}
    told.run("700")
    assert (told.last.desired, told.last.act) == (7, False)
    assert "other_autoscaler" in [step.reason.value for step in told.last.steps]


def test_an_annotation_pauses_until_its_time_and_beats_an_override() -> None:
    told = steady()
    told.more = {"paused_until": told.now + 40}
    told.overrides(7)
    assert told.run("900x3") == "4x3"
    assert told.reason() == "paused_by_annotation"
    assert told.run("900") == "7x1"


def test_an_annotation_that_cannot_be_read_holds_until_it_is_mended() -> None:
    told = steady()
    told.more = {"pause_fault": "the annotation says tomorrow"}
    assert told.run("900x200") == "4x200"
    assert why(told.last) == "the annotation says tomorrow: nothing is done until it is mended"
    told.more = {}
    assert told.run("700") == "7x1"


@pytest.mark.parametrize("more", [{"paused_until": 2e9}, {"pause_fault": "?"}, {}])
def test_a_workload_that_is_paused_on_itself_keeps_its_sick_instance(more: dict[str, Any]) -> None:
    told = Told(policy(load(), behavior=QUICK, recycle=Recycle(when=When(unhealthy_for=30.0))), count=2)
    told.run("200x4")
    told.more = more
    told.turn_sick(1)
    told.run("200x20")
    replaced = any(each.replace for each in told.decisions)
    assert replaced == (not more)


def test_sick_instances_are_replaced_beside_another_autoscaler() -> None:
    told = Told(policy(load(), behavior=QUICK, recycle=Recycle(when=When(unhealthy_for=30.0))), count=2)
    told.run("200x4")
    told.more = {"steered_by": HPA}
    told.turn_sick(1)
    told.run("200x20")
    assert any(each.replace for each in told.decisions)


def test_a_growth_goes_only_as_far_as_a_quota_leaves_room_and_on_once_there_is_more() -> None:
    told = steady(2)
    told.more = {"pools": (Pool("team/pods", 3, 1, "ResourceQuota team (pods: 2 of 5 used)"),)}
    assert told.run("800") == "5x1"
    assert why(told.last) == "6 are asked for, ResourceQuota team (pods: 2 of 5 used) leaves room for 5"
    told.more = {"pools": (Pool("team/pods", 0, 1, "ResourceQuota team (pods: 5 of 5 used)"),)}
    assert told.run("800x2") == "5x2"
    assert why(told.last) == "8 are asked for, ResourceQuota team (pods: 5 of 5 used) leaves room for 5"
    told.more = {"pools": (Pool("team/pods", 2, 1, "ResourceQuota team"),)}
    assert told.run("800") == "7x1"
    told.more = {}
    assert told.run("800") == "8x1"


def test_a_quota_that_is_full_shrinks_nothing_and_hinders_no_shrink() -> None:
    told = steady(4)
    told.more = {"pools": (Pool("team/pods", 0, 1, "ResourceQuota team"),)}
    assert told.run("800") == "4x1"
    assert told.reason() == "capped_at_quota"
    told.run("300x30")
    assert told.count == 3


def test_a_writer_that_keeps_putting_its_count_back_is_named_with_what_keeps_it_from_that() -> None:
    told = steady()
    told.more = {"remedy": "leave spec.replicas out"}
    for _ in range(4):
        told.somebody_sets(2, by="Flux")
        told.run("400")
    assert told.reason() == "contested"
    said = "somebody else (Flux) changed the count from 4 to 2 (to keep it from that: leave spec.replicas out)"
    assert said in why(told.last) or said in "; ".join(map(why, told.decisions))
    assert why(told.last).endswith("for now (to keep it from that: leave spec.replicas out)")


def test_a_policy_that_adopts_says_so_waits_and_orders_it() -> None:
    asked = policy(load(), behavior=QUICK)
    aim = TargetSpec(kubernetes=KubernetesTarget(namespace="shop", name="web", adopt=True))
    told = Told(msgspec.structs.replace(asked, target=aim), count=4, ref=ON_KUBERNETES)
    told.run("400x10")
    told.more = {"steered_by": HPA}
    assert told.run("900") == "4x1"
    assert told.reason() == "adopting"
    looks, policies = [told.look()], [told.plan.workload.policy]
    (order,) = Orders().following([told.last], looks, policies, told.now)
    assert (order.kind, order.ref) == (OperationKind.ADOPT, ON_KUBERNETES)
    open_ones = Underway()
    assert not open_ones.adopting(order)
    open_ones.put(order)
    assert open_ones.adopting(order), "one is enough"
