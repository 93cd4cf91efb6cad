"""The simulated fleet on a clock that moves only when told."""

from __future__ import annotations

import asyncio
import math

import pytest

from autoscaler.clock import ManualClock
from autoscaler.errors import Conflict, Gone, Unreachable
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.policy import ComposeTarget, Policy, TargetSpec
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.targets.naming import named
from autoscaler.targets.simulated import Fleet, SimulatedTarget

POLICY = Policy(name="web", target=TargetSpec(compose=ComposeTarget(project="shop", service="web")))
REF = named(POLICY)
START = 1_000.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def fleet(clock: ManualClock) -> Fleet:
    return Fleet(clock)


@pytest.fixture
def target(fleet: Fleet, clock: ManualClock) -> SimulatedTarget:
    made = SimulatedTarget(fleet, clock)
    made.discover([POLICY])
    return made


async def state(target: SimulatedTarget) -> TargetState:
    (seen,) = await target.states([REF])
    assert isinstance(seen, TargetState), seen
    return seen


async def counts(target: SimulatedTarget) -> tuple[int, int]:
    seen = await state(target)
    return seen.existing, seen.ready


def order(clock: ManualClock, count: int, **fields: object) -> Operation:
    now = clock.now()
    return Operation(id="op", kind=OperationKind.SCALE, ref=REF, started=now, deadline=now + 60, count=count, **fields)  # type: ignore[arg-type]


def replacement(clock: ManualClock, instance: str) -> Operation:
    now = clock.now()
    return Operation(
        id="new", kind=OperationKind.REPLACE, ref=REF, started=now, deadline=now + 60, instance=instance
    )  # fmt: skip


async def drive(target: SimulatedTarget, clock: ManualClock, begun: Operation) -> list[Outcome]:
    """To the outcomes, moving the clock whenever there is nothing else to do."""
    open_, ends = [begun], list[Outcome]()
    while open_:
        following = min(open_, key=lambda each: each.wait_until)
        open_.remove(following)
        clock.advance(max(0.0, following.wait_until - clock.now()))
        after = await target.advance(following)
        if isinstance(after, Outcome):
            ends.append(after)
        else:
            open_ += after.parts if isinstance(after, Split) else [after]
    return ends


async def test_instances_take_their_time_to_become_ready(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1, start_s=20.0)
    ends = await drive(target, clock, order(clock, 3))
    assert [each.kind for each in ends] == [OutcomeKind.APPLIED] * 2
    assert START + 20 <= clock.now() <= START + 21
    assert await counts(target) == (3, 3)
    assert [each.since for each in (await state(target)).instances] == [START, START + 20, START + 20]


async def test_every_stage_is_one_call_and_is_counted(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1)
    await drive(target, clock, order(clock, 2))
    assert fleet.calls == {"list": 1, "create": 1, "start": 1, "inspect": 1}
    fleet.calls.clear()
    await drive(target, clock, order(clock, 1))
    assert fleet.calls == {"list": 1, "mark": 1, "stop": 1, "remove": 1}


async def test_a_person_who_stops_all_leaves_the_owners_zero(fleet: Fleet, target: SimulatedTarget) -> None:
    fleet.put(REF, 2)
    for id in list(fleet.workload(REF).units):
        fleet.stop(REF, id)
    seen = await state(target)
    assert (seen.existing, seen.ready, seen.off_by_owner) == (0, 0, True)


async def test_a_crashed_one_exists_and_is_sick(fleet: Fleet, target: SimulatedTarget, clock: ManualClock) -> None:
    fleet.put(REF, 2)
    clock.advance(5.0)
    fleet.crash(REF, "web.1", exit_code=137)
    assert await counts(target) == (2, 1)
    crashed = (await state(target)).instances[0]
    assert (crashed.exit_code, crashed.running, crashed.since, crashed.was_ready) == (137, False, START + 5, True)


async def test_one_that_gets_well_again_is_ready_since_then(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1)
    clock.advance(5.0)
    fleet.make_sick(REF, "web.1")
    assert await counts(target) == (1, 0)
    assert (await state(target)).instances[0].since == START + 5
    clock.advance(5.0)
    fleet.make_well(REF, "web.1")
    assert (await state(target)).instances[0].since == START + 10


async def test_new_ones_that_crash_at_the_start_are_taken_away_again(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1).crash = 3
    (end,) = await drive(target, clock, order(clock, 2))
    assert end.kind is OutcomeKind.FAILED
    assert "exit code 3" in end.detail
    assert await counts(target) == (1, 1)


async def test_new_ones_that_never_become_ready_fail_when_their_time_is_over(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1, start_s=math.inf)
    (end,) = await drive(target, clock, order(clock, 2, ready_within_s=30.0))
    assert end.kind is OutcomeKind.FAILED
    assert clock.now() == pytest.approx(START + 30, abs=1.0)
    assert await counts(target) == (1, 1)


async def test_what_is_above_the_limit_is_refused_with_the_reason_and_the_rest_is_had(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 2, limit=3).limit_reason = "pods are limited"
    ends = await drive(target, clock, order(clock, 4, before=2))
    assert sorted(each.kind.value for each in ends) == ["applied", "refused"]
    (refused,) = [each.detail for each in ends if each.kind is OutcomeKind.REFUSED]
    assert refused == "pods are limited: 3 is the limit"
    assert await counts(target) == (3, 3)


async def test_shrinking_to_a_count_still_above_the_limit_is_allowed(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 5, limit=3)
    await drive(target, clock, order(clock, 4, before=5))
    assert await counts(target) == (4, 4)


async def test_another_writer_moves_the_version_and_is_named(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 2, start_s=10.0)
    version = (await state(target)).version
    fleet.set_count(REF, 4, by="kubectl")
    assert await counts(target) == (4, 2)
    (end,) = await drive(target, clock, order(clock, 1, version=version))
    assert end.kind is OutcomeKind.CONFLICT
    assert "kubectl" in end.detail
    seen = await state(target)
    assert (seen.existing, seen.writer) == (4, "kubectl")
    assert seen.version != version


async def test_a_workload_that_is_deleted_is_missing_and_its_operations_are_gone(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 2)
    fleet.delete(REF)
    (seen,) = await target.states([REF])
    assert isinstance(seen, Missing)
    assert REF.key in seen.detail
    (end,) = await drive(target, clock, order(clock, 3))
    assert end.kind is OutcomeKind.GONE


async def test_while_the_fleet_is_away_operations_wait_until_their_deadline(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 2)
    fleet.away = "connection refused"
    (seen,) = await target.states([REF])
    assert seen == Missing(MissingWhy.FAILED, "connection refused")
    (end,) = await drive(target, clock, order(clock, 3))
    assert (end.kind, end.detail, clock.now()) == (OutcomeKind.FAILED, "connection refused", START + 60)


async def test_an_answer_that_is_lost_makes_no_second_instance(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1)
    lost = set[str]()

    def lose(word: str, ref: WorkloadRef) -> None:
        if word not in lost:
            lost.add(word)
            raise Unreachable("the answer was lost")

    fleet.after = lose
    await drive(target, clock, order(clock, 2))
    assert await counts(target) == (2, 2)
    fleet.make_sick(REF, "web.1")
    (end,) = await drive(target, clock, replacement(clock, "web.1"))
    assert end.kind is OutcomeKind.APPLIED
    assert lost == {"list", "create", "start", "inspect", "mark", "stop", "remove"}
    assert await counts(target) == (2, 2)


async def test_a_fault_before_a_call_keeps_it_from_being_carried_out(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1)

    def refuse(word: str, ref: WorkloadRef) -> None:
        if word == "start":
            raise Conflict("somebody was faster")

    fleet.before = refuse
    (end,) = await drive(target, clock, order(clock, 2))
    assert end.kind is OutcomeKind.CONFLICT
    assert await counts(target) == (1, 1)


async def test_wakes_tell_each_change_once_and_readiness_when_its_time_comes(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 1, start_s=10.0)
    heard: list[float] = []

    async def listen() -> None:
        async for ref in target.wakes():
            assert ref == REF
            heard.append(clock.now())

    task = asyncio.create_task(listen())
    await settle()
    fleet.put(WorkloadRef("compose", "other", "service", "other"), 1)
    fleet.set_count(REF, 2)
    await settle()
    assert heard == [START]
    await clock.pass_time(5.0)
    await settle()
    assert heard == [START]
    await clock.pass_time(5.0)
    await settle()
    assert heard == [START, START + 10]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settle()
    assert fleet.listeners == []


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_a_dead_daemon_left_is_found_and_removed(
    fleet: Fleet, target: SimulatedTarget, clock: ManualClock
) -> None:
    fleet.put(REF, 3)
    fleet.create(REF, 4, operation="dead")
    fleet.create_beside(REF, "web.1", operation="dead too")
    fleet.drain(REF, "web.3")
    left = await target.leftovers([REF, WorkloadRef("compose", "shop", "service", "nobody")])
    assert len(left) == 3
    for each in left:
        await drive(target, clock, each)
    assert await counts(target) == (2, 2)
    assert sorted(fleet.workload(REF).units) == ["web.1", "web.2"]
    assert await target.leftovers([REF]) == []


async def test_two_targets_see_one_fleet(fleet: Fleet, target: SimulatedTarget, clock: ManualClock) -> None:
    fleet.put(REF, 1)
    await drive(SimulatedTarget(fleet, clock), clock, order(clock, 3))
    await target.close()
    assert await counts(target) == (3, 3)


def test_a_workload_that_is_not_there_cannot_be_disturbed(fleet: Fleet) -> None:
    with pytest.raises(Gone):
        fleet.set_count(REF, 3)
