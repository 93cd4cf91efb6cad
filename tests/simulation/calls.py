"""The rules around every call to the platform and every write of facts: one daemon acts, and it breaks nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.model.operation import BEGIN, Operation, OperationKind
from autoscaler.ports import Fact
from tests.simulation.rules import OWNERS_WORDS

if TYPE_CHECKING:
    from tests.simulation.world import World

LINES = 20
RATE_S = 300.0  # of the policies that may lose one instance per five minutes
CONTEST_S = 600.0
MOST_PUSHES = 8  # raises of a workload that somebody else keeps cutting, in ten minutes: three, and ever fewer
LEFTOVER = "leftover"


@dataclass(frozen=True)
class Look:
    """A workload right before a call lands: `late` says that the caller holds the lease no more."""

    counted: int
    ready: int
    late: bool


class Calls:
    """Told of every call when it leaves, when it lands and when it has landed; and of every write."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._orders: dict[str, list[tuple[float, int, int]]] = {}  # workload → when, from, to
        self._pushes: dict[str, dict[float, float]] = {}  # workload → when ordered → when it came about

    def calling(self, name: str, operation: Operation) -> None:
        """A daemon is about to make this call."""
        world = self._world
        world.rules.checked += 1
        world.rules.note(world.since(), name, operation.id, operation.stage, operation.ref.name)
        self._alone(name, f"calls {operation.kind.value}:{operation.stage}")
        if operation.kind is OperationKind.SCALE and not world.lately("store fails", within=120.0):
            recorded = world.store.recorded.get(operation.ref.key, [])
            if not any(count == operation.count for _, count in recorded[-LINES:]):  # what failed before has its line
                said = f"{operation.ref.name}: {operation.before} → {operation.count} ({operation.reason})"
                world.rules.say("every change of count is on record", said)

    def writing(self, name: str, facts: Sequence[Fact]) -> None:
        """A daemon is about to write facts."""
        self._world.rules.checked += 1
        self._world.rules.note(self._world.since(), name, [(each.kind.value, each.key) for each in facts])
        self._alone(name, f"writes {facts[0].kind.value} {facts[0].key}")

    def _alone(self, name: str, does: str) -> None:
        lease = self._world.lease
        if lease.holder != name or self._world.now() >= lease.until:
            holder = lease.holder if self._world.now() < lease.until else "nobody"
            self._world.rules.say("two daemons never act at once", f"{name} {does} while {holder} holds the lease")

    def landing(self, name: str, operation: Operation) -> Look:
        """The call has arrived at the platform."""
        world, lease = self._world, self._world.lease
        workload, now = world.fleet.workload(operation.ref), world.now()
        late = lease.holder != name or now >= lease.until
        if operation.kind is OperationKind.REPLACE and operation.stage == "drain" and not late and not world.fleet.away:
            new = workload.units.get(operation.facts.get("new", ""))
            old = workload.units.get(operation.instance)
            well = old is not None and old.ready(now)  # then the call takes the new one away
            if new is not None and old is not None and not (old.draining or new.ready(now) or well):
                world.rules.say("surge first", f"{operation.ref.name}: {old.name} leaves, its successor is not ready")
        counted = workload.counted()
        return Look(len(counted), sum(each.ready(now) for each in counted), late)

    def landed(self, operation: Operation, before: Look) -> None:
        """The platform has done it."""
        world, now = self._world, self._world.now()
        rules, key, name = world.rules, operation.ref.key, operation.ref.name
        rules.checked += 1
        workload = world.fleet.workload(operation.ref)
        units = workload.counted()
        numbers = [each.number for each in units]
        if len(numbers) != len(set(numbers)):
            rules.say("no duplicates", f"{name}: numbers {sorted(numbers)}")
        others = world.others.hands[key].at >= operation.started - 60.0
        more = len(units) > before.counted
        if more and operation.kind is OperationKind.CREATE and world.others.hands[key].fights:
            self._pushed(operation)
        if (
            operation.kind is OperationKind.CREATE
            and more
            and len(units) > operation.count
            and not (others or before.late)
        ):
            rules.say("never too many", f"{name}: {len(units)} exist, {operation.count} were ordered")
        beside = [
            each.name for each in workload.units.values() if each.replaces in workload.units and not each.draining
        ]
        if len(beside) > 1 and operation.kind is OperationKind.REPLACE and operation.stage == BEGIN:
            rules.say("one replacement at a time", f"{name}: {beside}")
        ready = sum(each.ready(now) for each in units)
        to_zero = operation.kind is OperationKind.REMOVE and not operation.count and operation.reason != LEFTOVER
        if before.ready and not ready and not (to_zero or before.late):
            rules.say("never none because of us", f"{name}: {operation.kind.value}:{operation.stage} took the last")
        if operation.kind is OperationKind.SCALE and before.counted != operation.count and not world.fleet.away:
            self._ordered(operation, before.counted)

    def _ordered(self, operation: Operation, before: int) -> None:
        """A new count has been taken on: neither faster than the policy allows, nor against somebody who insists."""
        world, key = self._world, operation.ref.key
        if operation.reason in [each.value for each in OWNERS_WORDS] or world.lately(
            "answer lost", "call lost", within=600
        ):
            return
        orders = self._orders.setdefault(key, [])
        orders.append((operation.started, before, operation.count))
        del orders[:-20]
        policy = world.policies[world.number(operation.ref)]
        rates = getattr(getattr(policy.behavior, "down", None), "rates", None)
        stepped = world.now() - world.others.stepped < 2 * CONTEST_S
        if rates and not stepped:
            recent = [(b, a) for at, b, a in orders if 0 <= operation.started - at < RATE_S]  # by the clock of this one
            lost = sum(b - a for b, a in recent)  # both ways, as the HPA counts
            if lost > 1 and operation.count < before:
                world.rules.say("not faster than allowed", f"{operation.ref.name}: {lost} in {RATE_S:.0f} s")

    def _pushed(self, operation: Operation) -> None:
        """The count of a workload rises that somebody else keeps setting."""
        pushes = self._pushes.setdefault(operation.ref.key, {})
        pushes[operation.started] = self._world.now()
        recent = [at for at in pushes.values() if self._world.now() - at < CONTEST_S]
        if len(recent) > MOST_PUSHES and not self._world.lately("store fails", "kill", "stopped", within=2 * CONTEST_S):
            said = f"{operation.ref.name}: raised {len(recent)} times in ten minutes"
            self._world.rules.say("nobody is fought", said)
