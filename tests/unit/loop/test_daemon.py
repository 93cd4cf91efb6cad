"""The daemon as a whole on virtual time: starting, turning, reloading, stopping, and what other hands do meanwhile."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

import msgspec
import pytest

from autoscaler.errors import LeaseError
from autoscaler.loop.lasting import unpacked
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import Pool, TargetState, WorkloadRef
from autoscaler.ports import FactKind, RecordKind
from autoscaler.targets.simulated import SimulatedTarget
from tests.support.virtual import run
from tests.unit.loop.house import POLICY, WEB, House

IDLE = POLICY.replace("signals: [", "idle: {after: 1m}\nsignals: [{name: door, prometheus: door, wake_above: 0}, ")


def test_load_becomes_instances_and_goes_again() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(61)
            assert house.count() == 5
            house.dial.values["load"] = 50.0
            await asyncio.sleep(300)
            assert house.count() == 1

    run(story())


def test_growth_is_as_fast_as_the_rates_allow_although_a_cycle_takes_its_time() -> None:
    """Changes count from the beat they were decided at: 50 ms late they would stand in the way of the next ones."""

    async def story() -> None:
        house = House(POLICY.replace("max: 10", "max: 40"), start_s=0.5)
        house.dial.values["load"], house.dial.slow_s = 4000.0, 0.05
        async with house.running():
            counts = []
            for _ in range(4):
                await asyncio.sleep(14 if not counts else 15)
                counts.append(house.count())
            assert counts == [5, 10, 20, 40]

    run(story())


class Narrow(SimulatedTarget):
    """A platform whose workloads share a quota of nine instances."""

    async def states(self, refs: Sequence[WorkloadRef]) -> list[TargetState | Missing]:
        states = await super().states(refs)
        left = 9 - sum(each.existing for each in states if isinstance(each, TargetState))
        pools = (Pool("pods", left, 1, "the quota"),)
        return [each if isinstance(each, Missing) else msgspec.structs.replace(each, pools=pools) for each in states]


def test_workloads_that_grow_in_one_cycle_share_what_a_quota_leaves() -> None:
    async def story() -> None:
        second = POLICY.replace("name: web", "name: api").replace("service: web", "service: api")
        house = House(f"{POLICY}---\n{second.replace('prometheus: load', 'prometheus: other')}", platform=Narrow)
        api = WorkloadRef("compose", "shop", "service", "api")
        house.fleet.put(api, 2)
        house.dial.values |= {"load": 500.0, "other": 600.0}
        async with house.running():
            await asyncio.sleep(10)
            decided = {key: house.board.entries[key].decision for key in (WEB.key, api.key)}
            assert {key: each.desired for key, each in decided.items() if each is not None} == {
                WEB.key: 5,
                api.key: 4,
            }, "one wants 5 of 1, the other 6 of 2; six more fit"
            assert house.reason() == "above_target"
            other = decided[api.key]
            assert other is not None
            assert other.reason.value == "capped_at_quota"
            await asyncio.sleep(120)
            assert house.count() + len(house.fleet.workload(api).units) == 9

    run(story())


ADAPTIVE = POLICY.replace("per_replica: 100}", "per_replica: 100, capacity: 150}") + "algorithm: adaptive\n"


def test_what_adaptive_learned_outlives_a_clean_stop_and_up_to_ten_minutes_of_it_are_lost_with_a_kill() -> None:
    async def story() -> None:
        house = House(ADAPTIVE)
        house.dial.values["load"] = 250.0
        async with house.running():
            await asyncio.sleep(3600)
            learned = house.cycle.memories[WEB.key].learned["load"]
            assert learned.bins >= 230
            kept = [fact for fact in await house.store.facts() if fact.kind is FactKind.LEARNED]
            assert [fact.key for fact in kept] == [WEB.key]
            assert 190 <= unpacked(kept[0].value or b"")["load"].bins < learned.bins
        last = house.cycle.memories[WEB.key].learned["load"]
        again = House(ADAPTIVE, fleet=house.fleet, store=house.store)
        again.dial.values["load"] = 250.0
        async with again.running():
            await asyncio.sleep(61)
            assert again.cycle.memories[WEB.key].learned["load"].bins >= last.bins + 3

    run(story())


def test_a_policy_that_goes_takes_what_was_learned_out_of_the_store() -> None:
    async def story() -> None:
        house = House(ADAPTIVE)
        house.dial.values["load"] = 250.0
        async with house.running():
            await asyncio.sleep(700)
            house.texts.write()
            await asyncio.sleep(61)
            assert not [fact for fact in await house.store.facts() if fact.kind is FactKind.LEARNED]

    run(story())


def test_a_source_that_goes_away_shrinks_nothing() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(120)
            house.dial.values["load"] = Missing(MissingWhy.FAILED, "connection refused")
            await asyncio.sleep(3600)
            assert (house.count(), house.reason()) == (5, "no_opinion")

    run(story())


def test_an_instance_taken_away_by_others_comes_back_within_a_second_not_a_cycle() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(120.5)
            house.fleet.remove(WEB, next(iter(house.web.units)))
            await asyncio.sleep(1.0)
            assert house.count() == 5

    run(story())


def test_a_policy_that_does_not_load_leaves_the_last_good_one_in_force() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(60)
            house.texts.write(POLICY.replace("max: 10", "max: 0"))
            await asyncio.sleep(60)
            assert (house.board.revision, house.board.rejected_revision) == ("r1", "r2")
            assert "replicas.max" in house.board.problems[0]
            assert house.count() == 5
            house.texts.write(POLICY.replace("max: 10", "max: 3"))
            await asyncio.sleep(400)
            assert (house.board.revision, house.board.rejected_revision) == ("r3", "")
            assert house.count() == 3

    run(story())


def test_a_policy_taken_away_leaves_its_workload_as_it_is() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(60)
            house.texts.write("")
            house.dial.values["load"] = 0.0
            await asyncio.sleep(3600)
            assert house.count() == 5
            assert WEB.key not in house.board.entries

    run(story())


def test_a_policy_taken_away_from_an_idle_workload_gives_it_its_minimum_back() -> None:
    async def story() -> None:
        house = House(IDLE.replace("min: 1", "min: 2").replace("after: 1m", "after: 1m, replicas: 1"), count=2)
        house.dial.values.update(load=0.0, door=0.0)
        async with house.running():
            await asyncio.sleep(1200)
            assert (house.count(), house.reason()) == (1, "idle")
            house.texts.write("")
            await asyncio.sleep(60)
            assert house.count() == 2

    run(story())


def test_words_of_people_are_in_force_at_once_and_survive_the_process() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(60)
            await house.desk.override("web", 2, for_s=600)
            await asyncio.sleep(1)
            assert (house.count(), house.reason()) == (2, "override")
        again = House(fleet=house.fleet, store=house.store)
        again.dial.values["load"] = 450.0
        async with again.running():
            await asyncio.sleep(100)
            assert (again.count(), again.reason()) == (2, "override")
            await asyncio.sleep(600)
            assert again.count() == 5

    run(story())


def test_a_zero_of_the_owner_stays_until_somebody_resumes() -> None:
    async def story() -> None:
        house = House(count=0)
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(600)
            assert (house.count(), house.reason()) == (0, "held_zero_by_owner")
            await house.desk.resume("web")
            await asyncio.sleep(60)
            assert house.reason() != "held_zero_by_owner"

    run(story())


def test_a_clean_stop_leaves_the_memory_for_the_next_process() -> None:
    async def story() -> None:
        house = House(POLICY.replace("0s", "5m"))
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(300)
            house.dial.values["load"] = 50.0
            await asyncio.sleep(200)
        again = House(POLICY.replace("0s", "5m"), fleet=house.fleet, store=house.store)
        again.dial.values["load"] = 50.0
        async with again.running():
            await asyncio.sleep(40)
            assert again.count() == 5
            await asyncio.sleep(100)
            assert again.count() == 1

    run(story())


def test_without_the_lease_nothing_is_decided() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(60)
            house.lease.left = 0.0
            house.dial.values["load"] = 900.0
            await asyncio.sleep(120)
            assert house.count() == 5
            assert any("lease" in fault.sentence for fault in house.board.faults)
            house.lease.left = 60.0
            await asyncio.sleep(60)
            assert house.count() == 9

    run(story())


def test_a_second_daemon_is_refused_and_told_who_has_the_lease() -> None:
    async def story() -> None:
        house = House()
        house.lease.left = 0.0
        with pytest.raises(LeaseError, match="another autoscaler holds the lease: them"):
            await house.daemon.begin()

    run(story())


def test_policies_that_ask_for_it_are_decided_at_every_nth_beat_only() -> None:
    async def story() -> None:
        house = House("every: 60s" + POLICY)
        house.dial.values["load"] = 100.0
        async with house.running():
            await asyncio.sleep(600.5)
            assert house.dial.asked in (10, 11, 12)

    run(story())


def test_what_could_not_be_created_is_not_blamed_on_somebody_else() -> None:
    """The engine refuses replicas 4 to 8: the count stays what it is, the refusal is told, nobody is accused."""

    async def story() -> None:
        house = House()
        house.web.limit = 3
        house.dial.values["load"] = 800.0
        async with house.running():
            await asyncio.sleep(600)
            assert house.count() == 3
            entry = house.board.entries[WEB.key]
            assert entry.stuck is not None
            assert "quota exceeded" in entry.stuck.detail
            records = await house.store.history(WEB.key, until=house.clock.now(), limit=1000)
            decided = [each.decision for each in records if each.kind is RecordKind.DECISION and each.decision]
            reasons = {step.reason.value for each in decided for step in each.steps}
            assert not reasons & {"foreign_count", "contested"}

    run(story())


def test_one_workload_of_an_idle_policy_sleeps_and_wakes_at_the_front_door() -> None:
    async def story() -> None:
        house = House(IDLE, count=2)
        house.dial.values.update(load=0.0, door=0.0)
        async with house.running():
            await asyncio.sleep(900)
            assert (house.count(), house.reason()) == (0, "idle")
            house.dial.values["door"] = Missing(MissingWhy.FAILED, "connection refused")
            await asyncio.sleep(900)
            assert house.count() == 0
            house.dial.values["door"] = 3.0
            await asyncio.sleep(16)
            assert house.count() == 1
            lines = (await house.desk.history("web")).lines
            assert "woken" in [line.reason for line in lines]

    run(story())


def test_one_that_only_observes_is_on_record_when_it_would_change_and_not_once_a_cycle() -> None:
    """A policy on trial that wanted more than there is wrote the same line in every cycle."""

    async def story() -> None:
        house = House(POLICY + "mode: observe\n")
        house.dial.values["load"] = 450.0
        async with house.running():
            await asyncio.sleep(600)
            lines = await house.store.history(None, until=math.inf, limit=100)
            decided = [(each.before, each.after) for each in lines if each.kind is RecordKind.DECISION]
            assert decided.count((1, 5)) == 1
            assert len(decided) <= 3

    run(story())


def test_cycles_go_on_while_a_large_policy_set_is_being_read() -> None:
    async def story() -> None:
        house = House(load_s=100.0)
        house.dial.values["load"] = 250.0
        async with house.running():
            await asyncio.sleep(161)
            assert house.count() == 3
            cycles = house.board.cycles
            house.texts.write(POLICY.replace("max: 10", "max: 4"))
            house.dial.values["load"] = 900.0
            await asyncio.sleep(91)
            assert house.board.cycles >= cycles + 6
            assert house.count() == 9, "the old policies are in force"
            await asyncio.sleep(60)
            assert house.board.revision == "r2"

    run(story())


def test_a_fault_is_on_record_once_while_it_comes_again_and_again_and_on_the_board_each_time() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 50.0
        async with house.running():
            await asyncio.sleep(31)
            for _ in range(3):
                house.keeper.fault("the shelf is full")
                await asyncio.sleep(60)
            assert [each.sentence for each in house.board.faults] == ["the shelf is full"] * 3
            assert await told(house) == ["the shelf is full"]
            await asyncio.sleep(600)
            house.keeper.fault("the shelf is full")
            await asyncio.sleep(16)
            assert await told(house) == ["the shelf is full"] * 2

    async def told(house: House) -> list[str]:
        lines = await house.store.history(None, until=math.inf, limit=100)
        return [each.text for each in lines if each.kind is RecordKind.FAULT]

    run(story())


def test_a_lease_that_is_lost_is_on_record_with_a_word_of_its_own() -> None:
    async def story() -> None:
        house = House()
        house.dial.values["load"] = 50.0
        async with house.running():
            await asyncio.sleep(31)
            house.lease.left = 0.0
            await asyncio.sleep(20)
            house.lease.left = math.inf
            await asyncio.sleep(40)
            lines = await house.store.history(None, until=math.inf, limit=100)
            assert [each.reason for each in lines if each.kind is RecordKind.FAULT] == ["lease_lost"]

    run(story())
