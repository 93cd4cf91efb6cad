"""Any target, with every effect withheld: what is decided is the same, and nothing changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from autoscaler.model.operation import Advanced, Operation, Outcome, OutcomeKind
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock, Stockroom, Target

Survey = Callable[[Sequence[Policy]], Awaitable[bool]]


class ReadOnly:
    """Looks through to `target`; answers every operation with WITHHELD."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        self._clock = clock

    def discover(self, policies: Sequence[Policy]) -> Sequence[tuple[WorkloadRef, Policy]]:
        """As the target."""
        return self._target.discover(policies)

    async def survey(self, policies: Sequence[Policy]) -> bool:
        """As the target, where it finds anything by selectors."""
        look: Survey | None = getattr(self._target, "survey", None)
        return await look(policies) if look is not None else False

    async def states(self, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        """As the target."""
        return await self._target.states(refs)

    async def advance(self, operation: Operation) -> Advanced:
        """Nothing is done, whatever the stage."""
        return Outcome(operation, OutcomeKind.WITHHELD, self._clock.now(), "read-only: nothing was changed")

    def wakes(self) -> AsyncIterator[WorkloadRef]:
        """As the target."""
        return self._target.wakes()

    async def notices(self) -> AsyncIterator[str]:
        """As the target, where it has any."""
        tell: Callable[[], AsyncIterator[str]] | None = getattr(self._target, "notices", None)
        if tell is not None:
            async for sentence in tell():
                yield sentence

    def stockroom(self) -> Stockroom | None:
        """The target's, where it has one; who cleans up in it must not be told to act."""
        room: Callable[[], Stockroom] | None = getattr(self._target, "stockroom", None)
        return room() if room is not None else None

    async def close(self) -> None:
        """As the target."""
        await self._target.close()
