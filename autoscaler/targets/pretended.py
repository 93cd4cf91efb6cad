"""A platform that is only imagined: every workload has so many ready instances. For dry runs away from the platform."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from autoscaler.model.operation import Advanced, Operation, Outcome, OutcomeKind
from autoscaler.model.policy import Policy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.naming import named


class PretendedTarget:
    """Says `count` for every workload, and takes no orders."""

    def __init__(self, count: int, clock: Clock) -> None:
        self._count = count
        self._clock = clock

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        """Every policy's workload."""
        return [(named(policy), policy) for policy in policies]

    async def states(self, refs: Sequence[WorkloadRef]) -> list[TargetState]:
        """The same count for each. A zero is the owner's, as on every platform."""
        count = self._count
        now = self._clock.now()
        return [
            TargetState(ref=ref, desired=count, existing=count, ready=count, at=now, off_by_owner=not count)
            for ref in refs
        ]

    async def advance(self, operation: Operation) -> Advanced:
        """Withheld: there is nothing to change."""
        return Outcome(operation, OutcomeKind.WITHHELD, self._clock.now(), "the platform is only pretended")

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """None, ever."""
        await asyncio.Event().wait()
        return
        yield

    async def close(self) -> None:
        """Nothing to put away."""
