"""Where two cannot run side by side the old one stops first; it is back where its successor never comes."""

from __future__ import annotations

import math

import pytest

from autoscaler.clock import ManualClock
from autoscaler.errors import Unreachable
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import ComposeTarget, Policy, TargetSpec
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.targets.naming import named
from autoscaler.targets.simulated import Fleet, SimulatedTarget

POLICY = Policy(name="web", target=TargetSpec(compose=ComposeTarget(project="shop", service="web")))
REF = named(POLICY)
STAGES = ("begin", "halt", "make", "start", "wait", "take")


class World:
    """One instance that cannot have another beside it, and a target that sees it."""

    def __init__(self, *, alone: str = "host port 80 is fixed") -> None:
        self.clock = ManualClock(1_000.0)
        self.fleet = Fleet(self.clock)
        self.workload = self.fleet.put(REF, 1, start_s=5.0)
        self.workload.alone = alone
        self.most = 0
        (self.old,) = self.workload.units
        self.fleet.make_sick(REF, self.old)

    def begin(self, **fields: object) -> Operation:
        now = self.clock.now()
        return Operation(
            id="new", kind=OperationKind.REPLACE, ref=REF, started=now, deadline=now + 600, instance=self.old,
            **fields,  # type: ignore[arg-type]
        )  # fmt: skip

    async def seen(self) -> TargetState:
        (state,) = await SimulatedTarget(self.fleet, self.clock).states([REF])
        assert isinstance(state, TargetState)
        return state

    async def drive(self, after: Operation, *, until: str = "") -> Operation | Outcome:
        """The operation's end, or itself once it is at this stage. There is one that counts at any time."""
        while True:
            if after.stage == until:
                return after
            self.clock.advance(max(0.0, after.wait_until - self.clock.now()))
            step = await SimulatedTarget(self.fleet, self.clock).advance(after)
            self.most = max(self.most, sum(each.running() for each in self.workload.units.values()))
            assert (await self.seen()).existing == 1
            if isinstance(step, Outcome):
                return step
            assert isinstance(step, Operation)
            after = step

    def left(self) -> list[str]:
        return [each.name for each in self.workload.units.values() if each.running() and not each.leaving]


async def test_the_old_one_stops_before_the_new_one_is_made_and_the_count_stays() -> None:
    world = World()
    end = await world.drive(world.begin())
    assert isinstance(end, Outcome)
    assert (end.kind, world.most, world.left()) == (OutcomeKind.APPLIED, 1, ["web-1"])
    assert world.old not in world.workload.units


async def test_a_successor_that_is_never_ready_gives_its_place_back() -> None:
    world = World()
    world.workload.start_s = math.inf
    end = await world.drive(world.begin(ready_within_s=20.0))
    assert isinstance(end, Outcome)
    assert (end.kind, list(world.workload.units), world.left()) == (OutcomeKind.FAILED, [world.old], ["web-1"])


async def test_how_surge_never_leaves_a_gap() -> None:
    world = World()
    end = await world.drive(world.begin(surge=True))
    assert isinstance(end, Outcome)
    assert end.kind is OutcomeKind.REFUSED
    assert "host port 80 is fixed" in end.detail
    assert world.left() == ["web-1"]


async def test_one_that_is_well_again_is_not_stopped_unless_it_is_what_it_is_made_from_that_changed() -> None:
    world = World()
    world.fleet.make_well(REF, world.old)
    end = await world.drive(world.begin())
    assert isinstance(end, Outcome)
    assert (end.kind, list(world.workload.units)) == (OutcomeKind.CONFLICT, [world.old])
    end = await world.drive(world.begin(unless_ready=False))
    assert isinstance(end, Outcome)
    assert end.kind is OutcomeKind.APPLIED
    assert world.old not in world.workload.units


@pytest.mark.parametrize("stage", STAGES)
async def test_an_answer_lost_at_any_stage_does_no_harm(stage: str) -> None:
    world = World()
    there = await world.drive(world.begin(), until=stage)
    assert isinstance(there, Operation)
    lost = [True]

    def lose(word: str, ref: WorkloadRef) -> None:
        if lost.pop() if lost else False:
            raise Unreachable("the answer was lost")

    world.fleet.after = lose
    end = await world.drive(there)
    assert isinstance(end, Outcome)
    assert (end.kind, world.most, world.left()) == (OutcomeKind.APPLIED, 1, ["web-1"])


@pytest.mark.parametrize("stage", STAGES[1:])
async def test_a_daemon_that_knows_nothing_of_it_brings_back_one_that_runs(stage: str) -> None:
    world = World()
    await world.drive(world.begin(), until=stage)
    target = SimulatedTarget(world.fleet, world.clock)
    for each in await target.leftovers([REF]):
        await world.drive(each)
    assert world.left() == ["web-1"]
    assert len(world.workload.units) == 1
