"""A whole daemon in this process, on quicker time: real store, lease and loop around a simulated fleet."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from autoscaler.clock import SystemClock
from autoscaler.errors import UsageError
from autoscaler.loop.act import Actor
from autoscaler.loop.answers import WorkloadStatus
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts
from autoscaler.loop.desk import Desk
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Clock, Source
from autoscaler.store.lease_file import FileLease
from autoscaler.store.sqlite import SqliteStore
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from tests.support.policies import loading
from tests.unit.loop.house import Dial, Texts

START = 1_700_000_000.0


class WallClock(SystemClock):
    """The daemon's own clock over a wall clock that is set at will; both run `speed` times as fast as time does."""

    def __init__(self, speed: float = 1.0, start: float | None = None) -> None:
        self.speed = speed
        self.step = 0.0
        began = time.monotonic()
        begin = time.time() if start is None else start
        super().__init__(
            wall=lambda: begin + speed * (time.monotonic() - began) + self.step,
            steady=lambda: speed * (time.monotonic() - began),
        )

    async def sleep(self, seconds: float) -> None:
        """Come back after so many of its seconds."""
        await asyncio.sleep(max(0.0, seconds / self.speed))


class Home:
    """One daemon; a second one in the same folder goes on from what the first has kept."""

    def __init__(
        self, folder: Path, policies: str, fleet: Fleet, clock: Clock, *, cycle_s: float = 15.0,
        source: Source | None = None,
    ) -> None:  # fmt: skip
        self.fleet, self.clock = fleet, clock
        self.dial = Dial()
        self.store = SqliteStore(folder / "memory.sqlite", clock)
        self.keeper = Keeper(self.store, [])
        self.board = Board(started=clock.now(), cycle_s=cycle_s)
        targets = Targets({name: lambda: SimulatedTarget(fleet, clock) for name in PLATFORMS})
        lease = FileLease(folder / "lease", clock)
        self.actor = Actor(targets, self.keeper, lease, clock)
        self.cycle = Cycle(
            Observer(targets, {"prometheus": source or self.dial}), self.actor, self.keeper, self.board, clock
        )
        parts = Parts(
            targets=targets, cycle=self.cycle, actor=self.actor, keeper=self.keeper, lease=lease,
            policies=Texts(policies), board=self.board, clock=clock, load=loading,
        )  # fmt: skip
        self.daemon = Daemon(parts, cycle_s)
        past = Past(self.board, self.keeper, _untold)
        self.desk = Desk(self.board, self.keeper, clock, self.daemon.control, past, self.cycle.recollect)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[Home]:
        """The daemon, running until the block ends; stopped cleanly then."""
        await self.daemon.begin()
        task = asyncio.create_task(self.daemon.run())
        try:
            yield self
        finally:
            self.daemon.stop()
            await task
            await self.store.close()

    async def cycles(self, many: int, watch: Mapping[WorkloadRef, int] | None = None) -> None:
        """So many more cycles end; meanwhile no workload has fewer instances than `watch` says."""
        end = self.board.cycles + many
        deadline = time.monotonic() + 60.0
        while self.board.cycles < end:
            assert time.monotonic() < deadline, "the beat has stopped"
            for ref, least in (watch or {}).items():
                assert self.count(ref) >= least, f"{ref.name} fell to {self.count(ref)}: {self.told(ref).because}"
            await asyncio.sleep(0.01)

    def count(self, ref: WorkloadRef) -> int:
        """How many instances serve, seen from outside."""
        return len(self.fleet.workload(ref).counted())

    def told(self, ref: WorkloadRef) -> WorkloadStatus:
        """What the board says of a workload."""
        from autoscaler.loop.views import line

        return line(self.board.entries[ref.key], None, None)


async def _untold(*_: object) -> object:
    raise UsageError("nothing tells of the past here")
