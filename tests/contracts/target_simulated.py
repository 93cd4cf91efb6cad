"""The contract suite's surroundings for the simulated fleet, and for a look at it that may change nothing."""

from __future__ import annotations

import contextlib
import math
from collections.abc import AsyncIterator, Mapping

from autoscaler.clock import SystemClock
from autoscaler.model.policy import ComposeTarget, Policy, TargetSpec
from autoscaler.ports import Target
from autoscaler.targets.naming import named
from autoscaler.targets.read_only import ReadOnly
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from tests.contracts.harness import ACT, SELECT

NAMED = "workloads of a simulated fleet are named"


class SimulatedHarness:
    """A workload of a fleet of its own; instances take a moment to start."""

    cannot: Mapping[str, str] = {SELECT: NAMED}
    absent = "missing"
    greets = False

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.fleet = Fleet(self.clock)
        self.target: Target = SimulatedTarget(self.fleet, self.clock)
        self.policy = Policy(name="web", target=TargetSpec(compose=ComposeTarget(project="shop", service="web")))
        self.selecting = self.policy
        self.ref = named(self.policy)

    async def begin(self, count: int) -> None:
        self.target.discover([self.policy])
        self.fleet.put(self.ref, count, start_s=0.2)

    async def instances(self) -> Mapping[str, str]:
        units = self.fleet.workload(self.ref).units
        return {f"{each.name}{'+' * (each.replaces in units)}": each.id for each in units.values()}

    async def make_sick(self, name: str) -> None:
        self.fleet.make_sick(self.ref, (await self.instances())[name])

    async def remove(self, name: str) -> None:
        self.fleet.remove(self.ref, (await self.instances())[name])

    async def hold(self) -> None:
        self.fleet.workload(self.ref).start_s = math.inf

    async def another_writer(self, count: int) -> None:
        self.fleet.set_count(self.ref, count, by="kubectl")

    async def refuse(self) -> None:
        self.fleet.workload(self.ref).limit = len(self.fleet.workload(self.ref).units)

    async def again(self) -> Target:
        return SimulatedTarget(self.fleet, self.clock)

    async def away(self) -> Target:
        self.fleet.away = "the simulated platform does not answer"
        return self.target


class ReadOnlyHarness(SimulatedHarness):
    """The same, looked at through ReadOnly."""

    cannot: Mapping[str, str] = {ACT: "read-only: nothing may be changed", SELECT: NAMED}

    def __init__(self) -> None:
        super().__init__()
        self.target = ReadOnly(self.target, self.clock)

    async def again(self) -> Target:
        return ReadOnly(await super().again(), self.clock)


@contextlib.asynccontextmanager
async def simulated_harness() -> AsyncIterator[SimulatedHarness]:
    """A fleet of its own."""
    yield SimulatedHarness()


@contextlib.asynccontextmanager
async def read_only_harness() -> AsyncIterator[SimulatedHarness]:
    """A fleet of its own, read only."""
    yield ReadOnlyHarness()
