"""What deciding costs: the arithmetic of one workload, and `step()` over fleets of several sizes."""

from __future__ import annotations

import gc
import math
import os
import sys
from functools import partial
from pathlib import Path

from autoscaler.decide.hpa import LEGACY, Behavior, Event, History, Legacy, Recommendation, hpa
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.step import applied, step
from autoscaler.model.observation import Seen
from autoscaler.model.policy import ComposeTarget, Policy, Replicas, Signal, TargetSpec
from autoscaler.model.signal import Point, Series
from autoscaler.model.target import TargetState, WorkloadRef
from benchmarks.calibration import Stopwatch, timed
from benchmarks.rows import Row

CYCLE_S = 15.0
BEGIN = 1_700_000_000.0
FLEETS = (1_000, 3_000, 10_000)
WARM_UP = 22  # cycles until every history holds a full window
TIMED = 5
LONG = 100_000  # cycles that leave memory as it was
SETTLED = 1_000  # cycles until all that is kept has its length
PAGE = os.sysconf("SC_PAGE_SIZE")


def arithmetic() -> list[Row]:
    """`hpa()` with the default window full of earlier wishes (20 entries, one every 15 s)."""
    past = tuple(Recommendation(10 + n % 3, BEGIN + n * CYCLE_S) for n in range(20))
    now = BEGIN + 20 * CYCLE_S
    history = History(past, (Event(2, BEGIN), Event(2, now - 10)), (Event(1, BEGIN),))
    cases: list[tuple[str, int, Behavior | Legacy]] = [
        ("hpa(): the count stays", 10, Behavior()),
        ("hpa(): held up by its window", 5, Behavior()),
        ("hpa(): grows, two rates", 20, Behavior()),
        ("hpa(): legacy, grows", 20, LEGACY),
    ]
    return [
        Row(name, timed(partial(hpa, wish, 10, 1, 100, behavior, history, now)), goal)
        for (name, wish, behavior), goal in zip(cases, ("about 5 µs", "", "about 5 µs", ""), strict=True)
    ]


class Fleet:
    """Services under two signals each on virtual time; load goes up and down, orders are carried out."""

    def __init__(self, size: int) -> None:
        self.policies = [_policy(n) for n in range(size)]
        self.plans = [prepare(_ref(n), policy) for n, policy in enumerate(self.policies)]
        self.counts = [3] * size
        self.memories: dict[str, Memory] = {}
        self.now = BEGIN

    def look(self) -> list[Seen]:
        """What this cycle sees."""
        return [self._seen(n, plan) for n, plan in enumerate(self.plans)]

    def _seen(self, n: int, plan: Plan) -> Seen:
        count = self.counts[n]
        load = 500.0 + 400.0 * math.sin(self.now / 600.0 + n)
        state = TargetState(ref=plan.ref, desired=count, existing=count, ready=count, at=self.now)
        readings = (Series((Point(load),), 5.0), Series((Point(min(1.0, load / (count * 150.0))),), 5.0))
        return Seen(state=state, readings=readings)

    def turn(self, seen: list[Seen]) -> None:
        """One cycle: everything between looking and ordering."""
        stepped = step(self.plans, seen, self.memories, self.now)
        self.decided, self.memories = stepped.decisions, stepped.memories

    def carry_out(self) -> None:
        """The orders take effect, and fifteen seconds pass."""
        for n, (plan, decision) in enumerate(zip(self.plans, self.decided, strict=True)):
            if decision.desired != self.counts[n]:
                key = plan.ref.key
                self.memories[key] = applied(
                    plan, self.memories[key], before=self.counts[n], count=decision.desired, now=self.now
                )
                self.counts[n] = decision.desired
        self.now += CYCLE_S


def _ref(n: int) -> WorkloadRef:
    return WorkloadRef("compose", "shop", "service", f"web{n}")


def _policy(n: int) -> Policy:
    return Policy(
        name=f"web{n}",
        target=TargetSpec(compose=ComposeTarget(project="shop", service=f"web{n}")),
        replicas=Replicas(min=1, max=20),
        signals=(
            Signal(name="requests", prometheus="sum(rate(requests[1m]))", per_replica=100.0),
            Signal(name="cpu", prometheus="avg(cpu)", utilization=0.7),
        ),
    )


def steps() -> list[Row]:
    """`step()` over each fleet, all of it in one call as the daemon does; one decision."""
    return [row for size in FLEETS for row in _steps(size)]


def _steps(size: int) -> list[Row]:
    before = _resident()
    fleet = Fleet(size)
    watch = Stopwatch()
    for cycle in range(WARM_UP + TIMED):
        seen = fleet.look()
        if cycle < WARM_UP:
            fleet.turn(seen)
        else:
            with watch.piece(size):
                fleet.turn(seen)
        fleet.carry_out()
    kept = (_resident() - before) / size / 1024
    name = f"{size:,} workloads, two signals"
    return [
        Row(f"step(): {name}", watch.cost(), "25 µs on a whole core"),
        Row(f"memory of deciding, each of {name}", None, "60 KiB", f"{kept:.1f} KiB"),
    ]


def flat() -> list[Row]:
    """What one workload keeps after many cycles beside what it kept once it had settled."""
    fleet, settled = Fleet(1), 0
    for cycle in range(LONG):
        if cycle == SETTLED:
            settled = _blocks()
        fleet.turn(fleet.look())
        fleet.carry_out()
    more = _blocks() - settled
    name = f"memory blocks of deciding, added from cycle {SETTLED:,} to {LONG:,}"
    return [Row(name, None, "none", f"{more:+,} of {settled:,}")]


def _blocks() -> int:
    """Blocks of memory that are held by something: what only waits for the collector is collected first."""
    gc.collect()
    return sys.getallocatedblocks()


def _resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE
