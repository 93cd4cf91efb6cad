"""What the contract suite needs from each target's surroundings: a way to look at it and to disturb it from outside."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Protocol

from autoscaler.model.operation import Operation, OperationKind, Outcome, Split
from autoscaler.model.policy import Policy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock, Target


class Harness(Protocol):
    """One target with one workload on it, seen and disturbed by other means than the target itself."""

    target: Target
    clock: Clock
    policy: Policy
    ref: WorkloadRef
    can_replace: bool  # False where the platform's owner of instances replaces them itself (Kubernetes pods)

    async def begin(self, count: int) -> None:
        """From outside: `count` instances exist and are ready."""
        ...

    async def names(self) -> Sequence[str]:
        """From outside: the names of the instances that exist now."""
        ...

    async def make_sick(self, name: str) -> None:
        """From outside: this instance is not ready any more, and keeps running."""
        ...

    async def remove(self, name: str) -> None:
        """From outside: somebody else takes this instance away."""
        ...


async def state(harness: Harness) -> TargetState:
    """The workload's state as the target tells it; fails on Missing."""
    (seen,) = await harness.target.states([harness.ref])
    assert isinstance(seen, TargetState), seen
    return seen


def operation(harness: Harness, kind: OperationKind, **fields: object) -> Operation:
    """A new operation on the harness's workload, with two minutes to live."""
    now = harness.clock.now()
    return Operation(
        id=uuid.uuid4().hex[:12], kind=kind, ref=harness.ref, started=now, deadline=now + 120.0, **fields
    )  # type: ignore[arg-type]


async def drive(harness: Harness, begun: Operation) -> list[Outcome]:
    """Advance an operation and its parts to their outcomes, side by side as the daemon does."""
    following = begun
    while True:
        nap = following.wait_until - harness.clock.now()
        if nap > 0:
            await harness.clock.sleep(nap)
        after = await harness.target.advance(following)
        if isinstance(after, Outcome):
            return [after]
        if isinstance(after, Split):
            return [end for ends in await asyncio.gather(*(drive(harness, p) for p in after.parts)) for end in ends]
        following = after
