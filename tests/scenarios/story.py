"""Stories in the notation of policy tests: loads in, replicas and reasons out, one entry per 15 s cycle.

`100x3 600x2` is 100 for three cycles, then 600 for two. A word is a kind of missing data: `none`, `nan`, `stale`,
`down`, `several`, `partial`, `implausible`, `uncovered`. `600?2` could not be read from two instances, `600:3/4` holds
three of the four instances that should be in it. One text per signal, in the policy's order.

A `Story` is one workload; a `Town` is many of them, decided together through one `step()` with the fleet's memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from autoscaler.decide.brake import Fleet
from autoscaler.decide.memory import Memory, after_kill, our_zero, uncertain
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.step import applied, step
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Override, Pause, Seen
from autoscaler.model.policy import Behavior, ComposeTarget, Direction, Legacy, Policy, Replicas, Signal, TargetSpec
from autoscaler.model.policy import Window as Opening
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import Instance, TargetState, WorkloadRef

REF = WorkloadRef("compose", "shop", "service", "web")
ON_KUBERNETES = WorkloadRef("kubernetes", "shop", "Deployment", "web")
QUICK = Behavior(down=Direction(stabilization=0.0))
MISSING = {
    "none": Missing(MissingWhy.EMPTY, "no series"),
    "nan": Missing(MissingWhy.NAN, "NaN"),
    "stale": Missing(MissingWhy.STALE, "3m old"),
    "down": Missing(MissingWhy.FAILED, "connection refused"),
    "several": Missing(MissingWhy.SEVERAL, "two series"),
    "partial": Missing(MissingWhy.PARTIAL, "a store did not answer"),
    "implausible": Missing(MissingWhy.IMPLAUSIBLE, "-1 cannot be"),
    "uncovered": Missing(MissingWhy.UNCOVERED, "1 of 4 in it"),
}
KEPT = 16  # snapshots, one per cycle


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
    """A time as people write it, with an offset or a zone, in seconds.

    >>> moment("1970-01-01T01:00:10+01:00"), moment("1970-01-01T01:00:10 Europe/Paris")
    (10.0, 10.0)
    """
    text, _, zone = written.partition(" ")
    at = datetime.fromisoformat(text)
    return (at.replace(tzinfo=ZoneInfo(zone)) if zone else at).timestamp()


def reading(word: str) -> Reading:
    """One entry of a load: a number or a kind of missing data."""
    if word in MISSING:
        return MISSING[word]
    number, _, unread = word.partition("?")
    number, _, share = number.partition(":")
    names = tuple(f"i{n}" for n in range(int(unread or 0)))
    if not share:
        return Series((Point(float(number)),), 5.0, unread=names)
    found, expected = (tuple(f"i{n}" for n in range(int(count))) for count in share.split("/"))
    return Series((Point(float(number)),), 5.0, unread=names, found=found, expected=expected)


def readings(written: str) -> Iterator[Reading]:
    """The readings of one signal, cycle by cycle."""
    for entry in written.split():
        word, _, times = entry.partition("x")
        yield from itertools.repeat(reading(word), int(times or 1))


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


def compact(numbers: Sequence[int]) -> str:
    """The other way round, for messages.

    >>> compact([1, 1, 1, 6, 6])
    '1x3 6x2'
    """
    return " ".join(f"{n}x{len(list(group))}" for n, group in itertools.groupby(numbers))


class Story:
    """One workload under one policy on virtual time; orders are carried out at once and ready one cycle later.

    `limit` is how many instances the platform gives, whatever is ordered.
    """

    def __init__(
        self,
        asked: Policy,
        *,
        count: int = 1,
        cycle_s: float = 15.0,
        start: float | str = 1_000_000.0,
        ref: WorkloadRef = REF,
    ) -> None:
        self.plan = prepare(ref, asked)
        self.count = count
        self.ready = count
        self.cycle_s = cycle_s
        self.now = moment(start) if isinstance(start, str) else start
        self.memories: dict[str, Memory] = {}
        self.fleet = Fleet()
        self.decisions: list[Decision] = []
        self.rollout = False
        self.surplus = 0
        self.instances: tuple[Instance, ...] = ()
        self.ready_follows = True
        self.limit: int | None = None
        self.writer = ""
        self.ours = False
        self.age_s = 0.0
        self.snapshots: list[bytes] = []
        self.kept = KEPT
        self.intent: int | None = None

    # what is there to see

    @property
    def key(self) -> str:
        """The workload's key."""
        return self.plan.ref.key

    @property
    def memory(self) -> Memory:
        """What is remembered of the workload."""
        return self.memories[self.key]

    @property
    def last(self) -> Decision:
        """The newest decision."""
        return self.decisions[-1]

    def reason(self) -> str:
        """The newest decision's reason code."""
        return self.last.reason.value

    def said(self, reason: Reason) -> bool:
        """Whether the newest decision has such a step."""
        return any(step.reason is reason for step in self.last.steps)

    def fact(self, reason: Reason, name: str) -> Any:
        """A fact of the newest decision's first step with this reason."""
        return next(step for step in self.last.steps if step.reason is reason).facts[name]

    # what happens

    def asks(self, asked: Policy) -> None:
        """The owner changes the policy."""
        self.plan = self._same_words(prepare(self.plan.ref, asked))

    def _same_words(self, plan: Plan) -> Plan:
        said = self.plan.workload
        return plan.controlled(said.pause, said.override, said.resumed)

    def says(
        self, *, pause: Pause | None = None, override: Override | None = None, resumed: float | None = None
    ) -> None:
        """A person's word, or its end."""
        self.plan = self.plan.controlled(pause, override, resumed)

    def pauses(self, until: float | None = None) -> None:
        """Hands off, until a time or until resumed."""
        self.says(pause=Pause(since=self.now, until=until, by="mina"))

    def overrides(self, count: int, for_s: float = 300.0) -> None:
        """A person sets the count for a while."""
        self.says(override=Override(count=count, until=self.now + for_s, by="mina"))

    def somebody_sets(self, count: int, by: str = "kubectl") -> None:
        """Somebody else changes the count."""
        self.count = self.ready = count
        self.writer, self.ours = by, False

    def sleeps(self, cycles: float) -> None:
        """Nobody decides for a while."""
        self.now += cycles * self.cycle_s

    def restarts(self) -> None:
        """A clean stop: the memory goes through the store's encoding and back."""
        self.memories = _decoded(_encoded(self.memories))

    def is_killed(self, lost: int = 0) -> None:
        """A kill: what comes back is a snapshot from so many cycles ago, and the order that was on record last."""
        old = self.snapshots[max(len(self.snapshots) - 1 - lost, 0)] if self.snapshots else b"{}"
        self.memories = {key: after_kill(memory) for key, memory in _decoded(old).items()}
        if self.intent == 0 and self.key in self.memories:
            self.memories[self.key] = our_zero(self.memory, self.now)

    # cycles

    def state(self) -> TargetState:
        """The workload as the target would tell it."""
        told = self.plan.ref.platform == "kubernetes"
        return TargetState(
            ref=self.plan.ref,
            desired=self.count,
            existing=self.count + self.surplus,
            ready=min(self.ready + self.surplus, self.count + self.surplus),
            at=self.now - self.age_s,
            instances=self.instances,
            rollout=self.rollout,
            writer=self.writer,
            off_by_owner=self.count == 0 and not (told and self.ours),
        )

    def look(self, *read: Reading, vouchers: Mapping[str, Reading] | None = None) -> Seen:
        """One look with these readings."""
        return Seen(state=self.state(), readings=read, vouchers=dict(vouchers or {}))

    def cycle(
        self,
        *read: Reading,
        seen: Seen | None = None,
        wake: bool = False,
        vouchers: Mapping[str, Reading] | None = None,
    ) -> Decision:
        """One cycle with these readings, in the order of the signals; what it orders is carried out."""
        look = seen or self.look(*read, vouchers=vouchers)
        stepped = step([self.plan], [look], self.memories, self.now, cycle_s=self.cycle_s, wake=wake, fleet=self.fleet)
        self.memories, self.fleet = stepped.memories, stepped.fleet
        self.follow(stepped.decisions[0], self.memories)
        if self.kept:
            self.snapshots = [*self.snapshots[1 - self.kept :], _encoded(self.memories)]
        self.now += self.cycle_s
        return self.last

    def follow(self, made: Decision, memories: dict[str, Memory]) -> None:
        """Carry out a decision: the order is accepted, and what the platform gives is there at once."""
        self.decisions.append(made)
        if self.ready_follows:
            self.ready = self.count
        if not (made.act and made.changes):
            return
        memory = applied(
            self.plan,
            memories[self.key],
            before=made.current,
            count=made.desired,
            now=self.now,
            reason=made.reason.value,
        )
        self.intent = made.desired
        self.count = made.desired if self.limit is None else min(made.desired, self.limit)
        memories[self.key] = memory if self.count == made.desired else uncertain(memory)
        self.ready = min(self.ready, self.count)
        self.writer, self.ours = "", True

    def run(self, *loads: str, vouchers: Mapping[str, str] | None = None) -> str:
        """All cycles of these loads (one text per signal); the counts after each, in the notation."""
        each = [list(readings(written)) for written in loads]
        doubles = {name: list(readings(written)) for name, written in (vouchers or {}).items()}
        made: list[int] = []
        for index, read in enumerate(zip(*each, strict=True)):
            decision = self.cycle(*read, vouchers={name: words[index] for name, words in doubles.items()})
            made.append(decision.desired)
        return compact(made)

    def run_until(self, written: str, *words: str) -> str:
        """Cycles with the same readings up to a moment."""
        until = moment(written)
        read = tuple(map(reading, words))
        made: list[int] = []
        while self.now < until:
            made.append(self.cycle(*read).desired)
        return compact(made)


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
        for words in zip(*(_words(written) for written in loads), strict=True):
            self.cycle(*words)

    def reasons(self) -> dict[str, int]:
        """How many workloads were decided for which reason in the last cycle."""
        found: dict[str, int] = {}
        for story in self.stories:
            found[story.reason()] = found.get(story.reason(), 0) + 1
        return found


def _words(written: str) -> Iterator[str]:
    for entry in written.split():
        word, _, times = entry.partition("x")
        yield from itertools.repeat(word, int(times or 1))


def _encoded(memories: Mapping[str, Memory]) -> bytes:
    return msgspec.json.encode(memories)


def _decoded(text: bytes) -> dict[str, Memory]:
    return msgspec.json.decode(text, type=dict[str, Memory])
