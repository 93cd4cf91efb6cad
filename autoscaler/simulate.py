"""A whole daemon around a fleet that exists in memory only: for sizing a machine, and to have something to look at.

The daemon is the one that `run` starts; only what it talks to is not there: platform and loads are simulated.
"""

from __future__ import annotations

import asyncio
import math
import random
import resource
import time
from collections.abc import AsyncIterator, Sequence

import msgspec

from autoscaler.app import steer
from autoscaler.clock import SystemClock
from autoscaler.errors import Gone
from autoscaler.loop.board import Board
from autoscaler.loop.daemon import Daemon
from autoscaler.loop.registry import Targets
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Clock, Revision
from autoscaler.settings import Settings
from autoscaler.sources.past import PastSource
from autoscaler.sources.simulated import LoadSource
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from autoscaler.wiring import Adapters

PROJECT = 100  # services in one
PER_REPLICA = 100.0
MEAN_REPLICAS = 3
MOST = 30
START_S = 5.0
SICK_EVERY = 2000  # workloads of which one instance falls sick each cycle

POLICY = """\
name: {name}
target: {{compose: {{project: {project}, service: {service}}}}}
replicas: {{min: 1, max: {most}}}
signals:
  - {{name: requests, prometheus: 'sum(rate(requests_total{{service="{{service}}"}}[1m]))', per_replica: 100}}
  - {{name: in flight, prometheus: 'sum(in_flight{{service="{{service}}"}})', per_replica: 100}}
recycle: {{when: {{unhealthy_for: 15s}}}}
"""


class Turned(msgspec.Struct, frozen=True):
    """One cycle and what came of it until the next: CPU of the whole process, how long and how late the cycle was."""

    cpu_s: float
    duration_s: float
    lateness_s: float


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet of this size costs. The first cycle, which sees everything for the first time, is left out.

    `start_s` is what came before it: policies read, operations taken up. Memory is what the process grew by at most,
    the simulated platform included.
    """

    workloads: int
    cycles: int
    cycle_s: float
    seed: int
    start_s: float
    cpu_s: float
    cpu_most_s: float
    duration_most_s: float
    lateness_p50_s: float
    lateness_p99_s: float
    memory_per_workload_kib: float
    decisions: int
    changes: int
    version: int = 1


class World(Board):
    """The board of a daemon that also notes what each cycle cost, and lets a little happen in the fleet after each."""

    def __init__(
        self, fleet: Fleet, refs: Sequence[WorkloadRef], clock: Clock, *, seed: int, cycles: int | None, cycle_s: float
    ) -> None:
        super().__init__(started=clock.now(), cycle_s=cycle_s)
        self.first = 0.0  # when the first cycle began, on the steady clock
        self._clock = clock
        self.turns: list[Turned] = []
        self.daemon: Daemon | None = None
        self._fleet = fleet
        self._refs = refs
        self._drawn = random.Random(seed)
        self._left = cycles
        self._cpu_s = time.process_time()

    def turned(self, at: float, *, duration_s: float, lateness_s: float) -> None:
        """A cycle has ended."""
        super().turned(at, duration_s=duration_s, lateness_s=lateness_s)
        self.first = self.first or self._clock.monotonic() - duration_s
        cpu_s = time.process_time()
        if self._left is not None:
            self.turns.append(Turned(cpu_s - self._cpu_s, duration_s, lateness_s))
            if len(self.turns) > self._left and self.daemon is not None:
                self.daemon.stop()
        self._cpu_s = cpu_s
        for ref in self._drawn.choices(self._refs, k=-(-len(self._refs) // SICK_EVERY)):
            self._fall_sick(ref)

    def _fall_sick(self, ref: WorkloadRef) -> None:
        try:
            units = [unit for unit in self._fleet.workload(ref).units.values() if unit.ready(self._fleet.now())]
        except Gone:
            return
        if len(units) > 1:
            self._fleet.make_sick(ref, units[0].id)


class _Texts:
    """A policy source that never changes."""

    def __init__(self, text: str) -> None:
        self._text = text

    async def revisions(self) -> AsyncIterator[Revision]:
        """The one there is."""
        yield Revision("simulated", (("simulated.yaml", self._text),))
        await asyncio.Event().wait()


async def simulate(settings: Settings, workloads: int, *, cycles: int | None, seed: int, speed: float) -> Measured:
    """Run a daemon over so many workloads for so many cycles (None: until SIGTERM or SIGINT), and what that cost."""
    clock, before = SystemClock(), _peak_kib()
    began = clock.monotonic()
    fleet, refs = Fleet(clock), [_ref(number) for number in range(workloads)]
    loads = LoadSource(seed, mean=MEAN_REPLICAS * PER_REPLICA, speed=speed)
    for ref in refs:  # as many as are needed, so that it is the steady state that is measured
        fleet.put(ref, max(1, min(MOST, math.ceil(loads.load(ref, clock.now()) / PER_REPLICA))), start_s=START_S)
    world = World(fleet, refs, clock, seed=seed, cycles=cycles, cycle_s=settings.cycle)
    adapters = Adapters(
        targets=Targets({"compose": lambda: SimulatedTarget(fleet, clock)}),
        sources={"prometheus": loads},
        prometheus={},
        past=PastSource({}, settings.cycle),
        pushed=None,
    )
    text = "---\n".join(
        POLICY.format(name=f"{ref.namespace}-{ref.name}", project=ref.namespace, service=ref.name, most=MOST)
        for ref in refs
    )

    def started(daemon: Daemon) -> None:
        world.daemon = daemon

    await steer(settings, adapters, _Texts(text), clock, board=world, started=started)
    counted = world.turns[1:] or world.turns
    late = sorted(each.lateness_s for each in counted) or [0.0]
    return Measured(
        workloads=workloads,
        cycles=len(counted),
        cycle_s=settings.cycle,
        seed=seed,
        start_s=round(world.first - began, 3),
        cpu_s=round(sum(each.cpu_s for each in counted) / max(1, len(counted)), 4),
        cpu_most_s=round(max((each.cpu_s for each in counted), default=0.0), 4),
        duration_most_s=round(max((each.duration_s for each in counted), default=0.0), 4),
        lateness_p50_s=round(late[len(late) // 2], 4),
        lateness_p99_s=round(late[min(len(late) - 1, int(len(late) * 0.99))], 4),
        memory_per_workload_kib=round((_peak_kib() - before) / workloads, 1),
        decisions=sum(world.decisions.values()),
        changes=sum(world.changes.values()),
    )


def _ref(number: int) -> WorkloadRef:
    return WorkloadRef("compose", f"p{number // PROJECT:03}", "service", f"s{number:05}")


def _peak_kib() -> float:
    """The most memory this process has had, in KiB."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
