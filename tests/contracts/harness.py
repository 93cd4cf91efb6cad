"""What the contract suite needs from each target's surroundings: a way to look at it and to disturb it from outside."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol

from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.policy import Policy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock, Target
from tests.support.wait import auntil

# promises that not every platform can keep; `Harness.cannot` says which and why
ACT = "act"  # anything can be changed at all
SURGE = "surge"  # a new instance beside the one to replace
DRAIN = "drain"  # time between leaving the count and being stopped
ORDER = "order"  # the highest number goes first
FENCE = "fence"  # instances have numbers, and each number is given once
VERSION = "version"  # the platform tells that another writer was faster
REFUSE = "refuse"  # it can be made to refuse a count
OTHERS = "others"  # somebody else can set the count
SELECT = "select"  # workloads are found by selectors
AWAY = "away"  # there is a platform apart from us that can be away


class Harness(Protocol):
    """One target with one workload on it, seen and disturbed by other means than the target itself."""

    target: Target
    clock: Clock
    policy: Policy
    ref: WorkloadRef
    selecting: Policy  # finds the workload by a selector, where that can be
    cannot: Mapping[str, str]
    absent: str  # what is told of a workload that is not there: "missing", "off" or "empty"
    greets: bool  # its wakes begin with every workload, once it listens

    async def begin(self, count: int) -> None:
        """From outside: `count` instances exist and are ready."""
        ...

    async def instances(self) -> Mapping[str, str]:
        """From outside: the names of all instances that exist now, those on their way out too, and their ids."""
        ...

    async def make_sick(self, name: str) -> None:
        """From outside: this instance is not ready any more, and keeps running."""
        ...

    async def remove(self, name: str) -> None:
        """From outside: somebody else takes this instance away."""
        ...

    async def hold(self) -> None:
        """From now on new instances run and do not become ready."""
        ...

    async def another_writer(self, count: int) -> None:
        """From outside: somebody else sets the count."""
        ...

    async def refuse(self) -> None:
        """From now on the platform refuses to have more."""
        ...

    async def again(self) -> Target:
        """A new target on the same platform, knowing nothing."""
        ...

    async def away(self) -> Target:
        """A target whose platform does not answer (any more)."""
        ...


async def state(harness: Harness) -> TargetState:
    """The workload's state as the target tells it; fails on Missing."""
    (seen,) = await harness.target.states([harness.ref])
    assert isinstance(seen, TargetState), seen
    return seen


async def settled(harness: Harness, existing: int, ready: int | None = None) -> TargetState:
    """Wait until the target tells these counts, and as many exist as seen from outside."""
    wanted = existing, existing if ready is None else ready

    async def stands() -> TargetState | None:
        seen = await state(harness)
        outside = await harness.instances()
        assert (seen.existing, seen.ready, len(outside)) == (*wanted, existing), (seen, outside)
        return seen

    return await auntil(stands, f"{wanted[0]} instances, {wanted[1]} of them ready", within=60.0)  # type: ignore[return-value]


def operation(harness: Harness, kind: OperationKind, **fields: object) -> Operation:
    """A new operation on the harness's workload, with two minutes to live."""
    now = harness.clock.now()
    return Operation(id=uuid.uuid4().hex[:12], kind=kind, ref=harness.ref, started=now, deadline=now + 120.0, **fields)  # type: ignore[arg-type]


async def scale(harness: Harness, count: int, **fields: object) -> Operation:
    """An order of this count by what is seen now, as the cycle makes it."""
    seen = await state(harness)
    before = seen.existing if seen.desired is None else seen.desired
    told: dict[str, object] = {"before": before, "version": seen.version, "stop_within_s": 5.0, **fields}
    return operation(harness, OperationKind.SCALE, count=count, **told)


async def step(harness: Harness, begun: Operation, *, times: int = 1) -> Advanced:
    """Wait until the operation may be advanced, then advance it so many times from the same stage."""
    nap = begun.wait_until - harness.clock.now()
    if nap > 0:
        await harness.clock.sleep(nap)
    after: Advanced = begun
    for _ in range(times):
        after = await harness.target.advance(begun)
    return after


async def drive(harness: Harness, begun: Operation, *, times: int = 1) -> list[Outcome]:
    """Advance an operation and its parts to their outcomes, side by side as the daemon does."""
    following = begun
    while True:
        after = await step(harness, following, times=times)
        if isinstance(after, Outcome):
            return [after]
        if isinstance(after, Split):
            ends = await asyncio.gather(*(drive(harness, part, times=times) for part in after.parts))
            return [end for each in ends for end in each]
        following = after


def kinds(outcomes: Sequence[Outcome]) -> set[OutcomeKind]:
    """How operations ended."""
    return {each.kind for each in outcomes}


@contextlib.asynccontextmanager
async def listening(harness: Harness) -> AsyncIterator[list[WorkloadRef]]:
    """The workloads the target's wakes tell of, from when it listens."""
    heard: list[WorkloadRef] = []

    async def listen() -> None:
        async for ref in harness.target.wakes():
            heard.append(ref)  # noqa: PERF401 (each as it comes)

    task = asyncio.create_task(listen())
    try:
        if harness.greets:
            await auntil(lambda: heard, "it listens")
        await state(harness)
        await asyncio.sleep(0.3)  # news of the beginning may still be on its way
        heard.clear()
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
