"""Stories in the notation of policy tests (`autoscaler/backtest`): loads in, replicas and reasons out, one entry per
15 s cycle, one text per signal in the policy's order.

A `Story` is one workload; a `Town` is many of them, decided together through one `step()` with the fleet's memory.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.backtest import moments
from autoscaler.backtest.notation import parsed, printed, reading, readings, spread
from autoscaler.backtest.scenario_driver import NEVER, ORDER_S, Driver
from autoscaler.decide.brake import Fleet
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import prepare
from autoscaler.decide.step import step
from autoscaler.model.decision import Decision
from autoscaler.model.policy import Behavior, ComposeTarget, Direction, Legacy, Policy, Replicas, Signal, TargetSpec
from autoscaler.model.policy import Window as Opening
from autoscaler.model.signal import Reading
from autoscaler.model.target import WorkloadRef

REF = WorkloadRef("compose", "shop", "service", "web")
ON_KUBERNETES = WorkloadRef("kubernetes", "shop", "Deployment", "web")
QUICK = Behavior(down=Direction(stabilization=0.0))


def load(name: str = "load", **keys: Any) -> Signal:
    """A query with a goal; without one 100 per replica."""
    goals = ("per_replica", "value", "utilization", "steps")
    goal = {} if any(key in keys for key in goals) else {"per_replica": 100.0}
    return Signal(name=name, prometheus=name, **{**goal, **keys})


def front(name: str = "front", above: float = 0.0, **keys: Any) -> Signal:
    """A signal that only wakes."""
    return Signal(name=name, prometheus=name, wake_above=above, **keys)


def window(name: str, cron: str, hours: float, **keys: Any) -> Opening:
    """A schedule window that lasts so many hours."""
    return Opening(name=name, cron=cron, lasts=hours * 3600.0, **keys)


def policy(
    *signals: Signal, low: int = 1, high: int = 10, behavior: Behavior | Legacy | None = None, **keys: Any
) -> Policy:
    """A policy for the service web; without signals: 100 per replica."""
    return Policy(
        name="web",
        target=TargetSpec(compose=ComposeTarget(project="shop", service="web")),
        replicas=Replicas(min=low, max=high),
        signals=signals or (load(),),
        behavior=behavior or Behavior(),
        **keys,
    )


def moment(written: str) -> float:
    """A time as policy tests write it, in seconds."""
    return moments.moment(written)[0]


class Story(Driver):
    """The driver of policy tests, told by numbers: how many are ready is said outright."""

    def __init__(
        self,
        asked: Policy,
        *,
        count: int = 1,
        cycle_s: float = 15.0,
        start: float | str = 1_000_000.0,
        ref: WorkloadRef = REF,
    ) -> None:
        now = moment(start) if isinstance(start, str) else start
        super().__init__(prepare(ref, asked), count=count, now=now, cycle_s=cycle_s)
        self.beat_s = cycle_s

    @property
    def ready(self) -> int:
        """How many are ready."""
        return sum(each.ready(self.now) for each in self.units)

    @ready.setter
    def ready(self, ready: int) -> None:
        for index, unit in enumerate(self.units):
            unit.ready_at, unit.sick_since = (self.now, math.inf) if index < ready else (math.inf, math.inf)

    @property
    def ready_follows(self) -> bool:
        """Whether new instances become ready at all."""
        return self.ready_s < NEVER

    @ready_follows.setter
    def ready_follows(self, follows: bool) -> None:
        self.ready_s = self.cycle_s if follows else NEVER
        for unit in self.units:
            if not unit.ready(self.now):
                unit.ready_at = self.now + ORDER_S if follows else NEVER

    def sets_clock(self, by_s: float) -> None:
        """The daemon's clock is set; the instances are as ready as they were."""
        self.now += by_s
        for unit in self.units:
            unit.ready_at += by_s

    def run(self, *loads: str, vouchers: Mapping[str, str] | None = None) -> str:
        """All cycles of these loads (one text per signal); the counts after each, in the notation."""
        each = [list(readings(written)) for written in loads]
        doubles = {name: list(readings(written)) for name, written in (vouchers or {}).items()}
        made: list[int] = []
        for index, read in enumerate(zip(*each, strict=True)):
            decision = self.cycle(*read, vouchers={name: words[index] for name, words in doubles.items()})
            made.append(decision.desired)
        return printed(list(map(str, made)))

    def run_until(self, written: str, *words: str) -> str:
        """Cycles with the same readings up to a moment."""
        until = moment(written)
        read = tuple(map(reading, words))
        made: list[int] = []
        while self.now < until:
            made.append(self.cycle(*read).desired)
        return printed(list(map(str, made)))


class Town:
    """Many workloads decided together, in the order of their keys; the fleet's memory is theirs together."""

    def __init__(self, stories: Sequence[Story], *, slice_of: int = 10_000) -> None:
        self.stories = list(stories)
        self.slice_of = slice_of
        self.memories: dict[str, Memory] = {}
        self.fleet = Fleet(size=len(self.stories))
        self.fleet_resumed: float | None = None

    @classmethod
    def of(cls, number: int, asked: Policy, *, count: int = 1, slice_of: int = 10_000) -> Town:
        """So many workloads under one policy."""
        refs = [WorkloadRef("compose", "shop", "service", f"web-{n:05}") for n in range(number)]
        return cls([Story(asked, count=count, ref=ref) for ref in refs], slice_of=slice_of)

    @property
    def now(self) -> float:
        """The town's time."""
        return self.stories[0].now

    @property
    def counts(self) -> list[int]:
        """How many instances each has."""
        return [story.count for story in self.stories]

    def cycle(self, *words: str) -> list[Decision]:
        """One cycle in which all workloads read the same."""
        return self.cycle_each([tuple(map(reading, words))] * len(self.stories))

    def cycle_each(self, reads: Sequence[tuple[Reading, ...]]) -> list[Decision]:
        """One cycle, each workload with readings of its own; in slices as the daemon has them."""
        made: list[Decision] = []
        looks = [story.look(*read) for story, read in zip(self.stories, reads, strict=True)]
        for start in range(0, len(self.stories), self.slice_of):
            part = slice(start, start + self.slice_of)
            stepped = step(
                [story.plan for story in self.stories[part]],
                looks[part],
                self.memories,
                self.now,
                fleet=self.fleet,
                fleet_resumed=self.fleet_resumed,
            )
            self.memories.update(stepped.memories)
            self.fleet = stepped.fleet
            made.extend(stepped.decisions)
        for story, decision in zip(self.stories, made, strict=True):
            story.follow(decision, self.memories)
            story.now += story.cycle_s
        return made

    def run(self, *loads: str) -> None:
        """All cycles of these loads, the same for all workloads."""
        for words in zip(*(spread(parsed(written), 15.0) for written in loads), strict=True):
            self.cycle(*words)

    def reasons(self) -> dict[str, int]:
        """How many workloads were decided for which reason in the last cycle."""
        found: dict[str, int] = {}
        for story in self.stories:
            found[story.reason()] = found.get(story.reason(), 0) + 1
        return found
