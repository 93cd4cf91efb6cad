"""The promises of the Target port, kept by every platform: one suite for all of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from autoscaler.model.operation import BEGIN, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState, WorkloadRef
from tests.contracts.harness import (
    AWAY,
    DRAIN,
    FENCE,
    ORDER,
    OTHERS,
    REFUSE,
    SELECT,
    SURGE,
    VERSION,
    Harness,
    drive,
    kinds,
    listening,
    operation,
    scale,
    settled,
    state,
    step,
)
from tests.contracts.target_compose import compose_harness
from tests.contracts.target_kubernetes import kubernetes_harness
from tests.contracts.target_process import process_harness
from tests.contracts.target_simulated import read_only_harness, simulated_harness
from tests.support.wait import auntil

APPLIED, CONFLICT, GONE = OutcomeKind.APPLIED, OutcomeKind.CONFLICT, OutcomeKind.GONE
SOON_S = 15.0  # how long news may take, health checks included


def place(request: pytest.FixtureRequest, folder: Path) -> contextlib.AbstractAsyncContextManager[Harness]:
    """The surroundings that a parameter names, on real parts where it has some."""
    match request.param:
        case "simulated":
            return simulated_harness()
        case "read_only":
            return read_only_harness()
        case "process":
            return process_harness(folder)
        case "compose@engine":
            return compose_harness(request.getfixturevalue("compose_project"), folder)
        case _:
            return kubernetes_harness(request.getfixturevalue("control_plane"))


ACTING = [
    "simulated",
    "process",
    pytest.param("compose@engine", marks=pytest.mark.docker),
    pytest.param("kubernetes@api", marks=pytest.mark.kubernetes),
]


@pytest.fixture(params=ACTING)
def acting(request: pytest.FixtureRequest, tmp_path: Path) -> contextlib.AbstractAsyncContextManager[Harness]:
    """Every target that may change something."""
    return place(request, tmp_path)


@pytest.fixture(params=[*ACTING, "read_only"])
def looking(request: pytest.FixtureRequest, tmp_path: Path) -> contextlib.AbstractAsyncContextManager[Harness]:
    """Every target."""
    return place(request, tmp_path)


@pytest.fixture
async def harness(acting: contextlib.AbstractAsyncContextManager[Harness]) -> AsyncIterator[Harness]:
    async with acting as here:
        yield here


@pytest.fixture
async def seen(looking: contextlib.AbstractAsyncContextManager[Harness]) -> AsyncIterator[Harness]:
    async with looking as here:
        yield here


def needs(harness: Harness, promise: str) -> None:
    """Skip where this platform cannot keep the promise, with the reason."""
    if promise in harness.cannot:
        pytest.skip(harness.cannot[promise])


async def sick_one(harness: Harness) -> str:
    """Make the first instance sick, wait until the target has seen it; its id."""
    name, id = sorted((await harness.instances()).items())[0]
    await harness.make_sick(name)

    async def told() -> bool:
        return any(each.id == id and not each.ready for each in (await state(harness)).instances)

    await auntil(told, f"{name} is seen sick")
    return id


# looking


async def test_a_policys_workload_is_discovered_even_before_it_exists(seen: Harness) -> None:
    assert list(seen.target.discover([seen.policy])) == [(seen.ref, seen.policy)]


async def test_a_state_counts_what_exists_and_what_is_ready(seen: Harness) -> None:
    await seen.begin(3)
    whole = await settled(seen, 3)
    assert {each.id for each in whole.instances} == set((await seen.instances()).values())
    assert all(each.ready and each.was_ready and each.running and not each.draining for each in whole.instances)
    id = await sick_one(seen)
    after = await settled(seen, 3, ready=2)
    told = {each.id: each for each in after.instances}
    assert [each.id for each in after.instances if not each.ready] == [id]
    assert told[id].was_ready
    assert told[id].running
    assert told[id].since >= max(each.created for each in whole.instances)


async def test_an_absent_workload_is_told_as_such_in_its_place(seen: Harness) -> None:
    await seen.begin(1)
    await settled(seen, 1)
    nobody = msgspec.structs.replace(seen.ref, name="nobody")
    absent, present = await seen.target.states([nobody, seen.ref])
    assert isinstance(present, TargetState)
    assert (present.ref, present.existing) == (seen.ref, 1)
    if seen.absent == "missing":
        assert isinstance(absent, Missing)
        assert "nobody" in absent.detail
    else:
        assert isinstance(absent, TargetState)
        assert (absent.ref, absent.existing, absent.ready, absent.instances) == (nobody, 0, 0, ())
        assert absent.off_by_owner is (seen.absent == "off")


async def test_a_wake_tells_of_a_sick_instance(seen: Harness) -> None:
    await seen.begin(2)
    await settled(seen, 2)
    async with listening(seen) as heard:
        await seen.make_sick(min(await seen.instances()))
        await auntil(lambda: seen.ref in heard, "the wake", within=SOON_S)
        await settled(seen, 2, ready=1)


async def test_a_wake_tells_of_an_instance_that_other_hands_removed(seen: Harness) -> None:
    await seen.begin(2)
    await settled(seen, 2)
    async with listening(seen) as heard:
        await seen.remove(min(await seen.instances()))
        await auntil(lambda: seen.ref in heard, "the wake", within=SOON_S)


async def test_closing_leaves_what_is_scaled_running(seen: Harness) -> None:
    await seen.begin(2)
    before = await settled(seen, 2)
    await seen.target.close()
    seen.target = await seen.again()
    after = await settled(seen, 2)
    assert {each.id for each in after.instances} == {each.id for each in before.instances}


async def test_a_platform_that_is_away_gives_missing_states(seen: Harness) -> None:
    needs(seen, AWAY)
    await seen.begin(1)
    await settled(seen, 1)
    target = await seen.away()
    (told,) = await target.states([seen.ref])
    assert isinstance(told, Missing)
    assert told.detail


# growing


async def test_growing_reaches_the_count_and_says_so(harness: Harness) -> None:
    await harness.begin(1)
    await settled(harness, 1)
    order = await scale(harness, 3)
    outcomes = await drive(harness, order)
    assert kinds(outcomes) == {APPLIED}, outcomes
    if outcomes[0].operation.kind is OperationKind.SCALE:
        assert [each.count for each in outcomes] == [3]
    else:
        assert [each.operation.kind for each in outcomes] == [OperationKind.CREATE] * 2
    await settled(harness, 3)


async def test_a_count_that_stands_already_is_applied_without_a_change(harness: Harness) -> None:
    await harness.begin(2)
    before = await settled(harness, 2)
    (outcome,) = await drive(harness, await scale(harness, 2))
    assert (outcome.kind, outcome.count) == (APPLIED, 2)
    assert [each.id for each in (await settled(harness, 2)).instances] == [each.id for each in before.instances]


async def test_one_that_is_starting_exists_and_is_not_ready(harness: Harness) -> None:
    await harness.begin(1)
    await settled(harness, 1)
    await harness.hold()
    driving = asyncio.create_task(drive(harness, await scale(harness, 2, ready_within_s=4.0)))
    waiting = await settled(harness, 2, ready=1)
    assert sorted(each.ready for each in waiting.instances) == [False, True]
    assert [each.was_ready for each in waiting.instances if not each.ready] == [False]
    await driving


async def test_a_new_one_that_never_becomes_ready_is_a_failure_and_is_removed(harness: Harness) -> None:
    needs(harness, SURGE)
    await harness.begin(1)
    await settled(harness, 1)
    await harness.hold()
    (outcome,) = await drive(harness, await scale(harness, 2, ready_within_s=1.0))
    assert outcome.kind is OutcomeKind.FAILED
    assert "1 s" in outcome.detail
    await settled(harness, 1)


async def test_a_refusal_says_why_and_changes_nothing(harness: Harness) -> None:
    needs(harness, REFUSE)
    await harness.begin(1)
    await settled(harness, 1)
    await harness.refuse()
    (outcome,) = await drive(harness, await scale(harness, 2))
    assert outcome.kind is OutcomeKind.REFUSED
    assert outcome.detail
    await settled(harness, 1)


# shrinking


async def test_shrinking_takes_the_sick_one_first(harness: Harness) -> None:
    await harness.begin(3)
    await settled(harness, 3)
    id = await sick_one(harness)
    outcomes = await drive(harness, await scale(harness, 2, sick=(id,)))
    assert kinds(outcomes) == {APPLIED}, outcomes
    left = await settled(harness, 2)
    assert id not in {each.id for each in left.instances}


async def test_among_the_well_the_highest_number_goes_first(harness: Harness) -> None:
    needs(harness, ORDER)
    await harness.begin(3)
    whole = await settled(harness, 3)
    assert kinds(await drive(harness, await scale(harness, 1))) == {APPLIED}
    left = await settled(harness, 1)
    assert [each.id for each in left.instances] == [whole.instances[0].id]


async def test_one_that_drains_runs_on_and_is_not_capacity(harness: Harness) -> None:
    needs(harness, DRAIN)
    await harness.begin(2)
    await settled(harness, 2)
    split = await step(harness, await scale(harness, 1, drain_s=2.0))
    assert isinstance(split, Split)
    (part,) = split.parts
    leaving = await step(harness, part)
    assert isinstance(leaving, Operation)
    assert leaving.wait_until >= harness.clock.now() + 1.0
    draining = await state(harness)
    assert (draining.existing, draining.ready) == (1, 1)
    assert [each.id for each in draining.instances if each.draining] == [part.instance]
    assert len(await harness.instances()) == 2
    (outcome,) = await drive(harness, leaving)
    assert outcome.kind is APPLIED
    assert harness.clock.now() >= leaving.wait_until
    assert len((await settled(harness, 1)).instances) == 1


# zero and back


def ours(zero: TargetState, order: Operation) -> bool:
    """Whether a zero is known to be of this order's making, or nobody else is known to have done anything since."""
    return not zero.off_by_owner or zero.foreign_at is None or zero.foreign_at <= order.started


@pytest.mark.parametrize("again", [False, True])
async def test_an_order_takes_all_away_and_another_brings_them_back(harness: Harness, again: bool) -> None:
    await harness.begin(2)
    await settled(harness, 2)
    order = await scale(harness, 0)
    assert kinds(await drive(harness, order)) == {APPLIED}
    assert ours(await settled(harness, 0), order)
    if again:  # the next daemon
        await harness.target.close()
        harness.target = await harness.again()
        harness.target.discover([harness.policy])
        assert ours(await settled(harness, 0), order)
    assert kinds(await drive(harness, await scale(harness, 2))) == {APPLIED}
    assert not (await settled(harness, 2)).off_by_owner


async def test_a_zero_by_other_hands_is_the_owners(harness: Harness) -> None:
    needs(harness, OTHERS)
    await harness.begin(2)
    await settled(harness, 2)
    await harness.another_writer(0)
    zero = await settled(harness, 0)
    assert zero.off_by_owner


async def test_a_selector_finds_a_workload_once_it_is_there_and_does_not_lose_it_at_our_zero(harness: Harness) -> None:
    needs(harness, SELECT)

    async def found() -> list[WorkloadRef]:
        await harness.target.survey([harness.selecting])  # type: ignore[attr-defined]
        return [ref for ref, _ in harness.target.discover([harness.selecting])]

    assert await found() == []
    await harness.begin(1)
    await settled(harness, 1)
    assert await found() == [harness.ref]
    assert not await harness.target.survey([harness.selecting])  # type: ignore[attr-defined]
    assert kinds(await drive(harness, await scale(harness, 0))) == {APPLIED}
    assert await found() == [harness.ref]
    await harness.target.close()
    harness.target = await harness.again()
    assert await found() == [harness.ref], "the next daemon knows it too"
    assert kinds(await drive(harness, await scale(harness, 1))) == {APPLIED}
    await settled(harness, 1)


# twice, and at once


@pytest.mark.parametrize("count", [4, 1])
async def test_every_stage_of_a_count_may_be_done_twice(harness: Harness, count: int) -> None:
    await harness.begin(2)
    await settled(harness, 2)
    outcomes = await drive(harness, await scale(harness, count), times=2)
    assert kinds(outcomes) == {APPLIED}, outcomes
    await settled(harness, count)


async def test_every_stage_of_a_replacement_may_be_done_twice(harness: Harness) -> None:
    await harness.begin(2)
    await settled(harness, 2)
    id = await sick_one(harness)
    (outcome,) = await drive(harness, replacing(harness, id), times=2)
    assert outcome.kind is APPLIED, outcome
    left = await settled(harness, 2)
    assert id not in {each.id for each in left.instances}


async def test_two_orders_of_one_count_at_once_make_no_duplicates(harness: Harness) -> None:
    await harness.begin(1)
    await settled(harness, 1)
    orders = [await scale(harness, 3), await scale(harness, 3)]
    ends = await asyncio.gather(*(drive(harness, each) for each in orders))
    assert kinds([end for each in ends for end in each]) <= {APPLIED, CONFLICT}, ends
    left = await settled(harness, 3)
    assert len({each.name for each in left.instances}) == 3


async def test_two_orders_to_shrink_at_once_take_no_more_than_one(harness: Harness) -> None:
    await harness.begin(3)
    await settled(harness, 3)
    orders = [await scale(harness, 2), await scale(harness, 2)]
    ends = await asyncio.gather(*(drive(harness, each) for each in orders))
    assert kinds([end for each in ends for end in each]) <= {APPLIED, CONFLICT}, ends
    await settled(harness, 2)


async def test_two_replacements_of_one_at_once_make_one_new(harness: Harness) -> None:
    await harness.begin(2)
    await settled(harness, 2)
    id = await sick_one(harness)
    ends = await asyncio.gather(*(drive(harness, replacing(harness, id)) for _ in range(2)))
    assert kinds([end for each in ends for end in each]) <= {APPLIED, CONFLICT, GONE}, ends
    left = await settled(harness, 2)
    assert id not in {each.id for each in left.instances}


# others were faster


async def test_a_count_that_somebody_else_changed_is_a_conflict_and_stays(harness: Harness) -> None:
    needs(harness, VERSION)
    await harness.begin(2)
    await settled(harness, 2)
    order = await scale(harness, 4)
    await harness.another_writer(3)
    (outcome,) = await drive(harness, order)
    assert outcome.kind is CONFLICT
    assert "kubectl" in outcome.detail
    await settled(harness, 3)


async def test_a_number_that_is_taken_is_a_conflict_and_makes_nothing(harness: Harness) -> None:
    needs(harness, FENCE)
    await harness.begin(1)
    await settled(harness, 1)
    split = await step(harness, await scale(harness, 2))
    assert isinstance(split, Split)
    assert kinds(await drive(harness, await scale(harness, 2))) == {APPLIED}  # somebody else gives number 2 away
    (outcome,) = await drive(harness, split.parts[0])
    assert outcome.kind is CONFLICT
    await settled(harness, 2)


@pytest.mark.parametrize("kind", [OperationKind.REMOVE, OperationKind.REPLACE])
@pytest.mark.parametrize("done", [0, 1, 3])
async def test_one_that_other_hands_remove_meanwhile_ends_the_operation(
    harness: Harness, kind: OperationKind, done: int
) -> None:
    if kind is OperationKind.REMOVE:
        needs(harness, SURGE)
    await harness.begin(3)
    await settled(harness, 3)
    id = await sick_one(harness)
    following = msgspec.structs.replace(replacing(harness, id), kind=kind)
    for _ in range(done):
        after = await step(harness, following)
        if isinstance(after, Outcome):
            break  # it is gone already, by our own hand
        assert isinstance(after, Operation)
        following = after
    for name in [name for name, other in (await harness.instances()).items() if other == id]:
        with contextlib.suppress(AssertionError):  # it may be gone by now
            await harness.remove(name)
    (outcome,) = await drive(harness, following)
    assert outcome.kind in (APPLIED, GONE), outcome
    left = await auntil(lambda: settled_without(harness, id), "the rest stands", within=60.0)
    assert isinstance(left, TargetState)


async def settled_without(harness: Harness, id: str) -> TargetState | None:
    """The state once everybody is ready and this instance is gone."""
    seen, outside = await state(harness), await harness.instances()
    whole = seen.existing == seen.ready == len(outside)
    return seen if whole and id not in outside.values() and 2 <= seen.existing <= 3 else None


# replacing


def replacing(harness: Harness, id: str, **fields: object) -> Operation:
    return operation(harness, OperationKind.REPLACE, **{"instance": id, "stop_within_s": 5.0, **fields})


async def test_a_sick_one_is_replaced(harness: Harness) -> None:
    await harness.begin(2)
    await settled(harness, 2)
    id = await sick_one(harness)
    (outcome,) = await drive(harness, replacing(harness, id))
    assert outcome.kind is APPLIED, outcome
    left = await settled(harness, 2)
    assert id not in {each.id for each in left.instances}


async def test_one_that_is_well_again_is_left_alone(harness: Harness) -> None:
    await harness.begin(2)
    before = await settled(harness, 2)
    (outcome,) = await drive(harness, replacing(harness, before.instances[0].id))
    assert outcome.kind is CONFLICT
    after = await settled(harness, 2)
    assert {each.id for each in after.instances} == {each.id for each in before.instances}


async def test_one_that_serves_is_replaced_where_it_is_not_its_health_that_asks_for_it(harness: Harness) -> None:
    await harness.begin(2)
    before = await settled(harness, 2)
    id = before.instances[0].id
    (outcome,) = await drive(harness, replacing(harness, id, unless_ready=False))
    assert outcome.kind is APPLIED, outcome
    after = await settled(harness, 2)
    assert id not in {each.id for each in after.instances}


async def test_one_on_its_way_out_is_not_replaced(harness: Harness) -> None:
    needs(harness, DRAIN)
    await harness.begin(2)
    await settled(harness, 2)
    id = await sick_one(harness)
    split = await step(harness, await scale(harness, 1, sick=(id,), drain_s=1.0))
    assert isinstance(split, Split)
    leaving = await step(harness, split.parts[0])
    (outcome,) = await drive(harness, replacing(harness, id))
    assert outcome.kind in (GONE, CONFLICT), outcome
    assert isinstance(leaving, Operation)
    assert kinds(await drive(harness, leaving)) == {APPLIED}
    await settled(harness, 1)


async def test_the_new_one_is_ready_before_the_old_one_leaves(harness: Harness) -> None:
    needs(harness, SURGE)
    await harness.begin(2)
    await settled(harness, 2)
    id = await sick_one(harness)
    name = next(name for name, other in (await harness.instances()).items() if other == id)
    counts: list[tuple[int, int]] = []
    driving = asyncio.create_task(drive(harness, replacing(harness, id, drain_s=0.5)))
    while not driving.done():
        seen = await state(harness)
        counts.append((seen.existing, seen.ready))
        await asyncio.sleep(0.05)
    assert kinds(driving.result()) == {APPLIED}, driving.result()
    assert {existing for existing, _ in counts} == {2}
    assert {ready for _, ready in counts} == {1, 2}
    await settled(harness, 2)
    assert (await harness.instances())[name] != id, "the new one has the old one's name"


async def test_a_replacement_that_never_becomes_ready_is_removed_and_the_old_one_kept(harness: Harness) -> None:
    needs(harness, SURGE)
    await harness.begin(2)
    before = await settled(harness, 2)
    id = await sick_one(harness)
    await harness.hold()
    (outcome,) = await drive(harness, replacing(harness, id, ready_within_s=1.0))
    assert outcome.kind is OutcomeKind.FAILED
    after = await settled(harness, 2, ready=1)
    assert {each.id for each in after.instances} == {each.id for each in before.instances}


async def test_a_replacement_taken_away_by_other_hands_leaves_the_old_one(harness: Harness) -> None:
    needs(harness, SURGE)
    await harness.begin(2)
    before = await settled(harness, 2)
    names = set(await harness.instances())
    id = await sick_one(harness)
    await harness.hold()
    driving = asyncio.create_task(drive(harness, replacing(harness, id, ready_within_s=30.0)))
    fresh = await auntil(lambda: newcomer(harness, names), "the new one is there")
    await settled_outside(harness, 3)
    await harness.remove(fresh)
    (outcome,) = await driving
    assert outcome.kind in (GONE, OutcomeKind.FAILED), outcome
    after = await settled(harness, 2, ready=1)
    assert {each.id for each in after.instances} == {each.id for each in before.instances}


async def newcomer(harness: Harness, known: set[str]) -> str:
    return next((name for name in await harness.instances() if name not in known), "")


async def settled_outside(harness: Harness, count: int) -> None:
    async def stands() -> bool:
        return len(await harness.instances()) == count

    await auntil(stands, f"{count} exist")


# nobody answers, and nothing may be changed


@pytest.mark.parametrize("kind", [OperationKind.SCALE, OperationKind.REPLACE])
async def test_an_operation_on_a_platform_that_is_away_waits_or_has_failed(
    harness: Harness, kind: OperationKind
) -> None:
    needs(harness, AWAY)
    await harness.begin(1)
    (instance,) = (await settled(harness, 1)).instances
    begun = replacing(harness, instance.id) if kind is OperationKind.REPLACE else await scale(harness, 2)
    target = await harness.away()
    after = await target.advance(begun)
    if isinstance(after, Operation):
        assert after.stage == BEGIN
        assert after.wait_until > harness.clock.now()
        late = msgspec.structs.replace(after, deadline=harness.clock.now())
        after = await target.advance(late)
    assert isinstance(after, Outcome)
    assert after.kind is OutcomeKind.FAILED
    assert after.detail
    assert len(await harness.instances()) == 1


@pytest.mark.parametrize("looking", ["read_only"], indirect=True)
@pytest.mark.parametrize("kind", list(OperationKind))
@pytest.mark.parametrize("stage", [BEGIN, "start", "drain", "remove"])
async def test_read_only_withholds_every_operation_at_every_stage(
    seen: Harness, kind: OperationKind, stage: str
) -> None:
    await seen.begin(2)
    before = await settled(seen, 2)
    begun = operation(seen, kind, count=5, stage=stage, instance=before.instances[0].id, facts={"new": "web.1"})
    (outcome,) = await drive(seen, begun)
    assert outcome.kind is OutcomeKind.WITHHELD
    assert "read-only" in outcome.detail
    assert msgspec.structs.replace(await settled(seen, 2), at=before.at) == before
