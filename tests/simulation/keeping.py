"""The store and the lease that the daemons of a world share, as one of them reaches them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoscaler.errors import LeaseError, StoreError
from autoscaler.ports import Fact, FactKind, Record, RecordKind
from autoscaler.store.memory import MemoryStore
from tests.simulation.process import Process
from tests.simulation.wires import wire

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE_S = 60.0
ASKED_S = 5.0  # how long an answer is waited for


class SharedStore:
    """What is kept, by whom it was written last, and which counts are on record (by workload, with true times)."""

    def __init__(self) -> None:
        self.inner = MemoryStore(lines=5_000)
        self.writes = 0
        self.recorded: dict[str, list[tuple[float, int]]] = {}

    def note(self, records: Sequence[Record], now: float) -> None:
        for each in records:
            if each.kind is RecordKind.DECISION and each.after is not None:
                self.recorded.setdefault(each.workload, []).append((now, each.after))

    async def open_operations(self) -> list[str]:
        """The operations that nobody has ended."""
        return [each.key for each in await self.inner.facts() if each.kind is FactKind.OPERATION]


class FailingStore:
    """One daemon's handle: calls take their turns, and fail when the story says so.

    Facts are refused from a process after another one has written, as long as it has not read anew: whoever was
    stopped while it wrote does no harm when it goes on.
    """

    def __init__(self, world: World, process: Process, name: str) -> None:
        self._world = world
        self._process = process
        self._name = name
        self._turn = asyncio.Lock()
        self._known = -1

    async def append(self, records: Sequence[Record]) -> None:
        async with self._turn:
            await self._gate(writes=True)
            store = self._world.store
            await store.inner.append(records)
            store.note(records, self._world.now())
            await self._unsure()

    async def history(self, workload: str | None, *, until: float, limit: int) -> Sequence[Record]:
        async with self._turn:
            await self._gate(writes=False)
            return await self._world.store.inner.history(workload, until=until, limit=limit)

    async def put(self, facts: Sequence[Fact]) -> None:
        self._world.calls.writing(self._name, facts)
        async with self._turn:
            await self._gate(writes=True)
            store = self._world.store
            if self._known != store.writes:
                raise StoreError("another daemon has written since this one read")
            store.writes += 1
            self._known = store.writes
            await store.inner.put(facts)
            await self._unsure()

    async def facts(self) -> Sequence[Fact]:
        async with self._turn:
            await self._gate(writes=False)
            self._known = self._world.store.writes
            found = await self._world.store.inner.facts()
            await asyncio.sleep(0)
            return found

    async def _gate(self, *, writes: bool) -> None:
        await wire(self._process)
        event = self._world.during("store fails")
        if event is not None and (event.how == "away" or (event.how == "full" and writes)):
            raise StoreError("no space left on the device" if event.how == "full" else "the disk is gone")

    async def _unsure(self) -> None:
        """It is written, and yet whoever wrote it may hear of a failure, or be dead by now."""
        await asyncio.sleep(0)
        event = self._world.during("store fails")
        if event is not None and event.how == "unsure":
            raise StoreError("no answer; what was to be written may still be, later")


class Truth:
    """Who really holds the lease, and until when in true time."""

    def __init__(self) -> None:
        self.holder = ""
        self.until = -math.inf


class SharedLease:
    """One daemon's handle on the lease; what it believes runs on its own monotonic clock."""

    def __init__(self, world: World, process: Process, name: str) -> None:
        self._world = world
        self._process = process
        self._name = name
        self._sure_until = -math.inf

    async def hold(self) -> bool:
        began = asyncio.get_running_loop().time()
        await wire(self._process)
        away = self._world.during("lease away")
        if away is not None and away.how == "refuses":
            raise LeaseError("the lease service does not answer")
        if away is not None:
            await asyncio.sleep(ASKED_S)
            return self.remaining() > 0
        world, truth = self._world, self._world.lease
        if truth.holder not in ("", self._name) and world.now() < truth.until:
            self._sure_until = -math.inf
            return False
        truth.holder, truth.until = self._name, world.now() + LEASE_S
        await asyncio.sleep(0)
        self._sure_until = began + LEASE_S
        return True

    def holder(self) -> str | None:
        return self._world.lease.holder or None

    def address(self) -> str:
        return ""

    def remaining(self) -> float:
        return max(0.0, self._sure_until - asyncio.get_running_loop().time())

    async def release(self) -> None:
        self._sure_until = -math.inf
        await wire(self._process)
        truth = self._world.lease
        if self._world.during("lease away") is None and truth.holder == self._name:
            truth.holder, truth.until = "", -math.inf
