"""Selectors in the loop: what they find comes and goes between policies, and nothing is done to what is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from autoscaler.model.policy import Policy
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Clock, RecordKind
from autoscaler.targets.naming import named
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from tests.support.virtual import run
from tests.unit.loop.house import WEB, House

POLICY = """
name: all
target: {compose: {project: "*", selector: {team: shop}}}
replicas: {min: 1, max: 10}
signals: [{name: load, prometheus: load, per_replica: 100}]
behavior: {down: {stabilization: 0s}}
"""
OWN = """
name: own
target: {compose: {project: shop, service: web}}
replicas: {min: 3, max: 3}
"""
API = WorkloadRef("compose", "shop", "service", "api")


class Town(SimulatedTarget):
    """A simulated platform on which a selector finds what `there` says."""

    there: tuple[WorkloadRef, ...] = ()

    def __init__(self, fleet: Fleet, clock: Clock) -> None:
        super().__init__(fleet, clock)
        self._told: set[WorkloadRef] = set()

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        explicit = [(named(each), each) for each in policies if each.target.explicit]
        found = [(ref, each) for each in policies if not each.target.explicit for ref in type(self).there]
        self._told = {ref for ref, _ in [*explicit, *found]}
        self._steered = self._told
        return explicit + found

    async def survey(self, policies: Sequence[Policy]) -> bool:
        explicit = {named(each) for each in policies if each.target.explicit}
        return explicit | set(type(self).there) != self._told


def town(*there: WorkloadRef) -> type[Town]:
    return type("ThisTown", (Town,), {"there": there})


def test_what_a_selector_finds_is_steered_from_the_next_cycle_on() -> None:
    async def story() -> None:
        platform = town(WEB)
        house = House(POLICY, platform=platform)
        house.fleet.put(API, 1)
        house.dial.values["load"] = 250.0
        async with house.running():
            await asyncio.sleep(31)
            assert set(house.board.entries) == {WEB.key}
            platform.there = (WEB, API)
            await asyncio.sleep(61)
            assert set(house.board.entries) == {WEB.key, API.key}
            assert len(house.fleet.workload(API).units) == 3
            lines = await house.store.history(None, until=house.clock.now(), limit=50)
            told = [each.text for each in lines if each.kind is RecordKind.POLICIES and each.reason == "selected"]
            assert told == [f"found {API.key}"]

    run(story())


def test_what_is_gone_is_forgotten_and_nothing_is_ordered_for_it() -> None:
    async def story() -> None:
        platform = town(WEB, API)
        idle = POLICY.replace("replicas:", "idle: {after: 15s}\nreplicas:").replace("100}", "100, wake_above: 0}")
        house = House(idle, platform=platform)
        house.fleet.put(API, 1)
        house.dial.values["load"] = 0.0
        async with house.running():
            await asyncio.sleep(400)
            assert not house.fleet.workload(API).units, "it is idle"
            platform.there = (WEB,)
            await asyncio.sleep(61)
            assert set(house.board.entries) == {WEB.key}
            assert API.key not in house.cycle.memories
            assert not house.fleet.workload(API).units, "nobody gives it its minimum: no policy let go of it"

    run(story())


def test_an_explicit_policy_that_is_broken_later_leaves_the_selection_and_its_problems_stay_on_the_board() -> None:
    async def story() -> None:
        platform = town(WEB)
        house = House(POLICY, platform=platform)
        house.fleet.put(API, 1)
        house.dial.values["load"] = 50.0
        async with house.running():
            await asyncio.sleep(20)
            house.texts.write(POLICY.replace("max: 10", "max: 0"))
            await asyncio.sleep(20)
            assert house.board.problems
            platform.there = (WEB, API)
            await asyncio.sleep(31)
            assert set(house.board.entries) == {WEB.key, API.key}
            assert house.board.problems, "what was found says nothing about the policy that does not load"

    run(story())


def test_an_explicit_target_beats_the_selector_that_finds_it_too() -> None:
    async def story() -> None:
        house = House(POLICY, platform=town(WEB, API))
        house.fleet.put(API, 1)
        house.dial.values["load"] = 150.0
        house.texts.write(POLICY, OWN)
        async with house.running():
            await asyncio.sleep(61)
            steering = {key: entry.workload.policy.name for key, entry in house.board.entries.items()}
            assert steering == {WEB.key: "own", API.key: "all"}
            assert (house.count(), len(house.fleet.workload(API).units)) == (3, 2)
            assert not house.board.faults

    run(story())
