"""What one daemon of the simulated world stands on: clock, source, target, store and lease, all of which may fail.

A daemon that was killed never comes back from its next await: every port hangs for ever.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from autoscaler.clock import SystemClock
from autoscaler.errors import StoreError, Unreachable
from autoscaler.model.observation import Ask
from autoscaler.model.operation import Advanced, Operation
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Fact, Record
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.simulated import SimulatedTarget

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE_S = 60.0


class Mortal:
    """Whether a daemon lives. `breath` stands at every await of its ports."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dead = False

    async def breath(self) -> None:
        if self.dead and not self.world.over:
            await asyncio.Event().wait()
        if self.world.over:
            raise asyncio.CancelledError


class MortalClock(SystemClock):
    """The product's clock over a wall clock that can be set, and virtual time."""

    def __init__(self, life: Mortal) -> None:
        self.step = 0.0
        self._life = life
        super().__init__(lambda: life.world.now() + self.step, lambda: asyncio.get_running_loop().time())

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await self._life.breath()


class FailingSource:
    """Loads of the world, missing in the ways its story tells."""

    def __init__(self, life: Mortal) -> None:
        self._life = life

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        world = self._life.world
        slow = world.during("source slow")
        if slow is not None:
            await asyncio.sleep(min(slow.much, 5.0))
        await self._life.breath()
        if slow is not None and slow.much > 5.0:
            return [Missing(MissingWhy.FAILED, "no answer within 5 s")] * len(asks)
        return [self._reading(ask) for ask in asks]

    def _reading(self, ask: Ask) -> Reading:
        world = self._life.world
        who = world.number(ask.ref)
        event = world.during("source", who)
        value = world.load(who, ask.signal.name)
        if event is None:
            return Series((Point(value),), 5.0)
        if event.how == "uncovered":
            ids = tuple(each.id for each in ask.instances if each.ready)
            return Series((Point(value / 2),), 5.0, found=ids[: len(ids) // 2], expected=ids)
        return Missing(MissingWhy(event.how), "as the story tells")

    async def close(self) -> None:
        pass


class FailingTarget:
    """The simulated platform through a connection that loses, repeats and delays calls."""

    def __init__(self, life: Mortal, clock: MortalClock, name: str) -> None:
        self._life = life
        self._inner = SimulatedTarget(life.world.fleet, clock)
        self._name = name

    def discover(self, policies: Sequence[Policy]) -> Sequence[tuple[WorkloadRef, Policy]]:
        return self._inner.discover(policies)

    async def states(self, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        await self._life.breath()
        return await self._inner.states(refs)

    async def advance(self, operation: Operation) -> Advanced:
        world, who = self._life.world, self._life.world.number(operation.ref)
        await self._life.breath()
        world.rules.calling(self._name, operation)
        slow = world.during("platform slow")
        if slow is not None:
            await asyncio.sleep(slow.much)
        after = await self._inner.advance(operation)
        if world.during("call repeated", who) is not None:
            after = await self._inner.advance(operation)
        world.rules.called(operation)
        await self._life.breath()
        return after

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        async for ref in self._inner.wakes():
            await self._life.breath()
            yield ref

    async def leftovers(self, refs: Sequence[WorkloadRef]) -> list[Operation]:
        await self._life.breath()
        try:
            return await self._inner.leftovers(refs)
        except Unreachable:
            return []

    async def close(self) -> None:
        pass


class FailingStore:
    """The store all daemons of a world share; writing fails when the story says so, reading with it."""

    def __init__(self, life: Mortal, inner: MemoryStore) -> None:
        self._life = life
        self._inner = inner

    async def append(self, records: Sequence[Record]) -> None:
        await self._gate()
        await self._inner.append(records)

    async def history(self, workload: str | None, *, until: float, limit: int) -> Sequence[Record]:
        await self._gate()
        return await self._inner.history(workload, until=until, limit=limit)

    async def put(self, facts: Sequence[Fact]) -> None:
        await self._gate()
        await self._inner.put(facts)

    async def facts(self) -> Sequence[Fact]:
        await self._gate()
        return await self._inner.facts()

    async def _gate(self) -> None:
        await self._life.breath()
        if self._life.world.during("store fails") is not None:
            raise StoreError("no space left on the device")


class Truth:
    """Who really holds the lease, and until when in true time."""

    def __init__(self) -> None:
        self.holder = ""
        self.until = -math.inf


class SharedLease:
    """One daemon's handle on the lease; what it believes runs on its own monotonic clock."""

    def __init__(self, life: Mortal, name: str) -> None:
        self._life = life
        self._name = name
        self._sure_until = -math.inf

    async def hold(self) -> bool:
        await self._life.breath()
        world, truth = self._life.world, self._life.world.lease
        began = asyncio.get_running_loop().time()
        if world.during("lease away") is not None:
            return self.remaining() > 0
        if truth.holder not in ("", self._name) and world.now() < truth.until:
            self._sure_until = -math.inf
            return False
        truth.holder, truth.until = self._name, world.now() + LEASE_S
        self._sure_until = began + LEASE_S
        return True

    def holder(self) -> str | None:
        return self._life.world.lease.holder or None

    def remaining(self) -> float:
        return max(0.0, self._sure_until - asyncio.get_running_loop().time())

    async def release(self) -> None:
        await self._life.breath()
        truth = self._life.world.lease
        if truth.holder == self._name:
            truth.holder, truth.until = "", -math.inf
        self._sure_until = -math.inf
