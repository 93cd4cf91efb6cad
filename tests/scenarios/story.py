"""Stories in the notation of policy tests: loads in, replicas and reasons out, one entry per 15 s cycle.

`100x3 600x2` is 100 for three cycles, then 600 for two; `none`, `nan`, `stale` and `down` are kinds of missing data.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import msgspec

from autoscaler.decide.brake import Fleet
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import prepare
from autoscaler.decide.step import applied, step
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Override, Pause, Seen
from autoscaler.model.policy import Behavior, ComposeTarget, Mode, Policy, Recycle, Replicas, Signal, TargetSpec
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import Instance, TargetState, WorkloadRef

REF = WorkloadRef("compose", "shop", "service", "web")
MISSING = {
    "none": Missing(MissingWhy.EMPTY, "no series"),
    "nan": Missing(MissingWhy.NAN, "NaN"),
    "stale": Missing(MissingWhy.STALE, "3m old"),
    "down": Missing(MissingWhy.FAILED, "connection refused"),
}


def policy(
    *signals: Signal,
    low: int = 1,
    high: int = 10,
    behavior: Behavior | None = None,
    mode: Mode = Mode.ACT,
    recycle: Recycle | None = None,
) -> Policy:
    """A policy for the service web; without signals: 100 per replica."""
    return Policy(
        name="web",
        target=TargetSpec(compose=ComposeTarget(project="shop", service="web")),
        replicas=Replicas(min=low, max=high),
        signals=signals or (Signal(name="load", prometheus="load", per_replica=100.0),),
        behavior=behavior or Behavior(),
        mode=mode,
        recycle=recycle,
    )


def readings(written: str) -> Iterator[Reading]:
    """The readings of one signal, cycle by cycle."""
    for entry in written.split():
        word, _, times = entry.partition("x")
        reading = MISSING.get(word) or Series((Point(float(word)),), 5.0)
        yield from itertools.repeat(reading, int(times or 1))


def counts(written: str) -> list[int]:
    """`1x3 6x2` as a list of counts.

    >>> counts("1x3 6x2")
    [1, 1, 1, 6, 6]
    """
    found: list[int] = []
    for entry in written.split():
        word, _, times = entry.partition("x")
        found += [int(word)] * int(times or 1)
    return found


def compact(numbers: list[int]) -> str:
    """The other way round, for messages.

    >>> compact([1, 1, 1, 6, 6])
    '1x3 6x2'
    """
    return " ".join(f"{n}x{len(list(group))}" for n, group in itertools.groupby(numbers))


class Story:
    """One workload under one policy on virtual time; orders are carried out at once and ready one cycle later."""

    def __init__(self, asked: Policy, *, count: int = 1, cycle_s: float = 15.0, start: float = 1_000_000.0) -> None:
        self.plan = prepare(REF, asked)
        self.count = count
        self.ready = count
        self.cycle_s = cycle_s
        self.now = start
        self.memories: dict[str, Memory] = {}
        self.fleet = Fleet()
        self.decisions: list[Decision] = []
        self.rollout = False
        self.instances: tuple[Instance, ...] = ()
        self.ready_follows = True

    @property
    def last(self) -> Decision:
        """The newest decision."""
        return self.decisions[-1]

    def asks(self, asked: Policy) -> None:
        """The owner changes the policy."""
        self.plan = prepare(REF, asked)

    def says(self, *, pause: Pause | None = None, override: Override | None = None) -> None:
        """A person's word, or its end."""
        self.plan = self.plan.controlled(pause, override)

    def state(self) -> TargetState:
        """The workload as the target would tell it."""
        return TargetState(
            ref=REF,
            desired=self.count,
            existing=self.count,
            ready=self.ready,
            at=self.now,
            instances=self.instances,
            rollout=self.rollout,
            off_by_owner=self.count == 0,
        )

    def cycle(self, *read: Reading, seen: Seen | None = None, wake: bool = False) -> Decision:
        """One cycle with these readings, in the order of the signals; what it orders is carried out."""
        look = seen or Seen(state=self.state(), readings=read)
        stepped = step([self.plan], [look], self.memories, self.now, cycle_s=self.cycle_s, wake=wake, fleet=self.fleet)
        (made,), self.memories, self.fleet = stepped.decisions, stepped.memories, stepped.fleet
        self.decisions.append(made)
        if self.ready_follows:
            self.ready = self.count
        if made.act and made.changes:
            memory = self.memories[REF.key]
            self.memories[REF.key] = applied(
                self.plan, memory, before=made.current, count=made.desired, now=self.now, reason=made.reason.value
            )
            self.count = made.desired
            self.ready = min(self.ready, self.count)
        self.now += self.cycle_s
        return made

    def run(self, *loads: str) -> str:
        """All cycles of these loads (one text per signal); the counts after each, in the notation."""
        each = [list(readings(load)) for load in loads]
        return compact([self.cycle(*read).desired for read in zip(*each, strict=True)])

    def reason(self) -> str:
        """The newest decision's reason code."""
        return self.last.reason.value

    def remembered(self) -> None:
        """A restart: the memory goes through the store's encoding and back."""
        self.memories = {
            key: msgspec.json.decode(msgspec.json.encode(memory), type=Memory) for key, memory in self.memories.items()
        }
