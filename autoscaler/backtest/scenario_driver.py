"""One workload under one policy on virtual time: looks go through the real `step()`, and what it orders is carried out.

Everything around a decision that a daemon has is here as plain data: memory and its snapshots, a clean stop, a kill,
people's words, other hands, instances that start, turn sick and are replaced.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

from autoscaler.decide import lineage
from autoscaler.decide.brake import Fleet
from autoscaler.decide.memory import Memory, after_kill, on_record, uncertain
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.step import applied, step
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Override, Pause, Seen
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy, Reading
from autoscaler.model.target import TargetState
from autoscaler.targets.simulated.unit import Simulated, Unit

KEPT = 16  # snapshots, one per cycle
ORDER_S = 1.0  # from a look until what it led to has reached the platform
NEVER = math.inf

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Memory]).decode


class Driver:
    """Plays one workload. Change its attributes between two cycles to let things happen.

    `beat_s` is the time between two cycles, `cycle_s` the daemon's; `ready_s` the time an instance takes to become
    ready; `limit` is how many instances the platform gives. `surplus` instances stand beside the count in a rollout.
    `away` says why the platform does not answer; `age_s` is how old its state is.
    """

    def __init__(self, plan: Plan, *, count: int, now: float, cycle_s: float, ready_s: float | None = None) -> None:
        self.plan = plan
        self.now = now
        self.cycle_s = cycle_s
        self.beat_s = plan.every_s or cycle_s
        self.ready_s = self.beat_s if ready_s is None else ready_s
        self.memories: dict[str, Memory] = {}
        self.fleet = Fleet()
        self.decisions: list[Decision] = []
        self.rollout = False
        self.surplus = 0
        self.limit: int | None = None
        self.writer = ""
        self.ours = False
        self.age_s = 0.0
        self.away = ""
        self.snapshots: list[bytes] = []
        self.kept = KEPT
        self.intent: int | None = None
        self.replaced = 0
        self._replacing: dict[str, tuple[Unit, float]] = {}  # instance → its successor, and until when that may take
        self._platform = Simulated(ref=plan.ref)
        self.count = count

    # what is there to see

    @property
    def key(self) -> str:
        """The workload's key."""
        return self.plan.key

    @property
    def memory(self) -> Memory:
        """What is remembered of the workload."""
        return self.memories[self.key]

    @property
    def last(self) -> Decision:
        """The newest decision."""
        return self.decisions[-1]

    @property
    def units(self) -> list[Unit]:
        """The instances that are the count, the longest there first."""
        return self._platform.counted()

    @property
    def count(self) -> int:
        """How many instances there are."""
        return len(self.units)

    @count.setter
    def count(self, count: int) -> None:
        """So many instances at once; new ones are ready."""
        self._reach(count)
        for unit in self.units:
            unit.ready_at = min(unit.ready_at, self.now)

    def state(self) -> TargetState:
        """The workload as the target would tell it."""
        told = self.plan.ref.platform == "kubernetes"
        units = self.units
        instances = tuple([each.instance(self.now) for each in units])
        return TargetState(
            ref=self.plan.ref,
            desired=len(units),
            existing=len(units) + self.surplus,
            ready=sum([each.ready for each in instances]) + self.surplus,
            at=self.now - self.age_s,
            instances=instances,
            rollout=self.rollout,
            writer=self.writer,
            off_by_owner=not units and not (told and self.ours),
        )

    def look(self, *read: Reading, vouchers: Mapping[str, Reading] | None = None) -> Seen:
        """One look with these readings."""
        state = Missing(MissingWhy.FAILED, self.away) if self.away else self.state()
        replacing = tuple(self._replacing)
        return Seen(state=state, readings=read, vouchers=dict(vouchers or {}), replacing=replacing)

    # people and daemons

    def asks(self, asked: Policy) -> None:
        """The owner changes the policy."""
        said = self.plan.workload
        self.plan = prepare(self.plan.ref, asked).controlled(said.pause, said.override, said.resumed)

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
        self.count = count
        self.writer, self.ours = by, False

    def sleeps(self, cycles: float) -> None:
        """Nobody decides for a while."""
        self.now += cycles * self.beat_s

    def restarts(self) -> None:
        """A clean stop: the memory goes through the store's encoding and back."""
        self.memories = _decode(_encode(self.memories))

    def is_killed(self, lost: int = 0) -> None:
        """A kill: what comes back is a snapshot from so many cycles ago, and the order that was on record last."""
        old = self.snapshots[max(len(self.snapshots) - 1 - lost, 0)] if self.snapshots else b"{}"
        kept = _decode(old)
        if self.intent is not None and self.key in kept:
            kept[self.key] = on_record(kept[self.key], self.intent, self.now)
        self.memories = {key: after_kill(memory) for key, memory in kept.items()}

    # instances

    def turn_sick(self, many: int) -> None:
        """So many ready instances run on and are not ready any more, the newest first."""
        for unit in self._ready()[-many:]:
            unit.sick_since = self.now

    def crash(self, many: int) -> None:
        """So many ready instances end by themselves, the newest first; they still exist."""
        for unit in self._ready()[-many:]:
            unit.ended, unit.exit_code = self.now, 1

    def recover(self, many: int) -> None:
        """So many sick instances are well again, the longest sick first; what has crashed runs again."""
        sick = [each for each in self.units if math.isfinite(min(each.sick_since, each.ended))]
        for unit in sorted(sick, key=lambda each: min(each.sick_since, each.ended))[:many]:
            unit.sick_since = unit.ended = math.inf
            unit.well_since = self.now

    def _ready(self) -> list[Unit]:
        return [each for each in self.units if each.ready(self.now)]

    def _reach(self, count: int) -> None:
        """The platform makes or takes away instances; new ones need their time to become ready."""
        platform, at = self._platform, self.now + ORDER_S
        platform.start_s = self.ready_s
        present = platform.counted()
        for unit in platform.leaving(len(present) - count, (), self.now) if count < len(present) else ():
            del platform.units[unit.id]
            self._replacing.pop(unit.id, None)
        for number in platform.free(max(0, count - len(present))):
            platform.start(platform.add(number, at), at)

    # cycles

    def cycle(
        self,
        *read: Reading,
        seen: Seen | None = None,
        wake: bool = False,
        vouchers: Mapping[str, Reading] | None = None,
    ) -> Decision:
        """One cycle with these readings, in the order of the signals; what it orders is carried out."""
        self._successions()
        look = seen or self.look(*read, vouchers=vouchers)
        stepped = step([self.plan], [look], self.memories, self.now, cycle_s=self.cycle_s, wake=wake, fleet=self.fleet)
        self.memories, self.fleet = stepped.memories, stepped.fleet
        self.follow(stepped.decisions[0], self.memories)
        if self.kept:
            self.snapshots = [*self.snapshots[1 - self.kept :], _encode(self.memories)]
        self.now += self.beat_s
        return self.last

    def follow(self, made: Decision, memories: dict[str, Memory]) -> None:
        """Carry out a decision: the order is accepted, and what the platform gives is there at once."""
        self.decisions.append(made)
        for each in made.replace:
            self._replace(each.instance)
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
        given = made.desired if self.limit is None else min(made.desired, max(self.limit, self.count))
        self._reach(given)
        memories[self.key] = memory if given == made.desired else uncertain(memory)
        self.writer, self.ours = "", True

    # replacements

    def _replace(self, instance: str) -> None:
        """A new instance starts beside a sick one, which it is to take the place of."""
        old = self._platform.units[instance]
        at = self.now + ORDER_S
        self._platform.start_s = self.ready_s
        new = self._platform.add(old.number, at, replaces=instance)
        self._platform.start(new, at)
        within = self.plan.workload.policy.lifecycle.ready_within
        self._replacing[instance] = new, self.now + within
        self.replaced += 1

    def _successions(self) -> None:
        """New instances that have become ready take their places; those that take too long are given up."""
        for instance, (new, until) in list(self._replacing.items()):
            ready = new.ready(self.now)
            if not ready and self.now < until:
                continue
            del self._replacing[instance]
            place = lineage.place(self.plan.ref, self._platform.units[instance].instance(self.now))
            del self._platform.units[instance if ready else new.id]
            if self.key in self.memories:
                known = lineage.ended(self.memory.recycling, place, self.now, failed=not ready)
                self.memories[self.key] = msgspec.structs.replace(self.memory, recycling=known)

    # words for tests

    def reason(self) -> str:
        """The newest decision's reason code."""
        return self.last.reason.value

    def said(self, reason: Reason) -> bool:
        """Whether the newest decision has such a step."""
        return any(step.reason is reason for step in self.last.steps)

    def fact(self, reason: Reason, name: str) -> Any:
        """A fact of the newest decision's first step with this reason."""
        return next(step for step in self.last.steps if step.reason is reason).facts[name]
