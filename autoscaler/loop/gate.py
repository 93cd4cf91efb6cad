"""The gate to a platform: who may call it next, and how many at once."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from autoscaler.decide import room
from autoscaler.loop.pace import Pace
from autoscaler.model.operation import BEGIN, Operation, OperationKind
from autoscaler.ports import Clock

PATIENCE_S = 5.0  # who has waited this much longer is as urgent as the next class

Rank = tuple[float, float]


class Pass(asyncio.Future[None]):
    """A place in the queue; done once its holder is let in. `term` is the pace's at that moment."""

    term = 0


class Gate:
    """Lets calls to one platform through: the most urgent first, at most as many at once as its pace allows."""

    def __init__(self, clock: Clock) -> None:
        self.pace = Pace()
        self._clock = clock
        self._waiting: list[tuple[Rank, int, Pass]] = []
        self._numbers = itertools.count()
        self._inside = 0
        self._alarm: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self, rank: Rank) -> AsyncIterator[int]:
        """Wait for one's turn, and have it while the body runs; gives the term to tell the pace of."""
        place = Pass()
        heapq.heappush(self._waiting, (rank, next(self._numbers), place))
        self._let_in()
        try:
            await place
            yield place.term
        finally:
            if place.done() and not place.cancelled():
                self._inside -= 1
            self._let_in()

    def pushed_back(self, term: int, until: float) -> None:
        """Tell the pace of a call that was sent away until a time of day (0: none told); how long, not until when, so
        that a clock which is set keeps nobody out."""
        at = self._clock.monotonic()
        self.pace.pushed_back(term, at, at + until - self._clock.now() if until else 0.0)

    def close(self) -> None:
        """Nothing of the gate runs afterwards."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _let_in(self) -> None:
        now = self._clock.monotonic()
        while self._waiting and self.pace.room(self._inside, now):
            *_, place = heapq.heappop(self._waiting)
            if not place.done():  # its holder may have been cancelled
                place.term = self.pace.term
                place.set_result(None)
                self._inside += 1
        if self._waiting and now < self.pace.shut_until and self._alarm is None:
            self._alarm = asyncio.create_task(self._open_again(), name="gate")

    async def _open_again(self) -> None:
        while (left := self.pace.shut_until - self._clock.monotonic()) > 0:
            await self._clock.sleep(left)
        self._alarm = None
        self._let_in()


def rank(operation: Operation, arrived: float) -> Rank:
    """The place of an operation that came at this second: the lower, the sooner.

    A class counts as a few seconds of waiting, so that the most patient goes before all who come much later.
    """
    kind, within = urgency(operation)
    return (arrived // 1 + kind * PATIENCE_S, within)


def urgency(operation: Operation) -> tuple[int, float]:
    """The order of one cycle's actions: wake from zero, raise by largest relative deficit, then recycle, then shrink.

    >>> from autoscaler.model.target import WorkloadRef
    >>> ref = WorkloadRef("simulated", "n", "k", "w")
    >>> def scale(a, b): return Operation(
    ...     id="x", kind=OperationKind.SCALE, ref=ref, started=0, deadline=0, before=a, count=b)
    >>> urgency(scale(0, 1)) < urgency(scale(1, 4)) < urgency(scale(10, 12)) < urgency(scale(4, 1))
    True
    """
    if operation.kind in (OperationKind.REPLACE, OperationKind.ADOPT):
        return (2, 0.0)
    if operation.count > operation.before:
        return room.urgency(operation.before, operation.count)
    return (3, 0.0)


def too_late(operation: Operation, now: float) -> bool:
    """True for a count whose time was up before it could leave: the next cycle decides afresh.

    What has several stages ends by its own rules: it may have to tidy up.
    """
    return operation.kind is OperationKind.SCALE and operation.stage == BEGIN and now >= operation.deadline
