"""The rules that hold for every target and every mode, checked from outside after every decision and every call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoscaler.model.decision import Decision, Reason
from autoscaler.model.operation import Operation, OperationKind
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, Series

if TYPE_CHECKING:
    from tests.simulation.world import Life, World

OWNERS_WORDS = (Reason.ABOVE_MAXIMUM, Reason.WINDOW_CEILING, Reason.OVERRIDE)
FOREIGN_HOLD_S = 300.0
CONFLICT_S = 600.0


class Rules:
    """Collects what was broken, each with its time; the first one ends the world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.broken: list[str] = []
        self.checked = 0
        self._shrunk: dict[str, dict[str, float]] = {}  # life → workload → when it shrank by load

    def say(self, rule: str, what: str) -> None:
        self.broken.append(f"{self._world.since():.1f} s: {rule}: {what}")
        self._world.stop.set()

    # after every decision

    def decided(self, life: Life, decisions: Sequence[Decision]) -> None:
        """Everything one cycle of one daemon decided."""
        for each in decisions:
            self.checked += 1
            self._reasoned(each)
            plan = life.cycle.plans.get(each.ref.key)
            if plan is None or not each.act or not each.changes:
                continue
            policy = plan.workload.policy
            self._bounded(each, policy)
            if each.desired < each.current and each.reason not in OWNERS_WORDS:
                self._no_doubt(each, policy)
                self._past_known(life, each, policy)
                self._others_respected(each)
                self._braked(life, each)
            self._owners_zero(each)

    def _reasoned(self, made: Decision) -> None:
        if not any(step.reason is made.reason for step in made.steps):
            self.say("no change without a reason", f"{made.ref.name}: {made.reason.value} is in no step")

    def _bounded(self, made: Decision, policy: Policy) -> None:
        assert policy.replicas is not None
        low, high = policy.replicas.min, policy.replicas.max
        if made.desired > high and made.reason is not Reason.OVERRIDE and made.desired > made.current:
            self.say("the bounds are law", f"{made.ref.name}: {made.current} → {made.desired}, max {high}")
        under = (Reason.IDLE, Reason.OVERRIDE)
        if made.desired < low and made.desired < made.current and made.reason not in under:
            self.say("the bounds are law", f"{made.ref.name}: {made.current} → {made.desired}, min {low}")

    def _no_doubt(self, made: Decision, policy: Policy) -> None:
        for signal, (name, reading) in zip(policy.signals, made.readings, strict=True):
            if not signal.votes:
                continue
            uncovered = (
                isinstance(reading, Series) and bool(reading.found) and len(reading.found or ()) < len(reading.expected)
            )
            if isinstance(reading, Missing) or uncovered:
                said = f"{made.ref.name}: {made.current} → {made.desired} ({made.reason.value}) without {name}"
                self.say("doubt never shrinks", said)

    def _past_known(self, life: Life, made: Decision, policy: Policy) -> None:
        """A process that does not know the past does not shrink before its down window has passed."""
        age = self._world.now() - life.began
        window = self._world.down_window_s
        if not life.knows_past and age < window - self._world.cycle_s:
            said = f"{made.ref.name}: {made.current} → {made.desired} ({made.reason.value}) {age:.0f} s after a kill"
            self.say("after a kill never lower", said)

    def _others_respected(self, made: Decision) -> None:
        hand = self._world.hands.get(made.ref.key)
        now = self._world.now()
        if hand is None:
            return
        raised, at = hand.raised_to, hand.raised_at
        if now - at < FOREIGN_HOLD_S and made.current <= raised and hand.count_at == raised:
            self.say("another writer is respected upward", f"{made.ref.name}: {made.current} → {made.desired}")

    def _owners_zero(self, made: Decision) -> None:
        hand = self._world.hands.get(made.ref.key)
        if hand is not None and hand.off and made.reason is not Reason.OVERRIDE:
            self.say("the owner's zero is law", f"{made.ref.name}: {made.current} → {made.desired}")

    def _braked(self, life: Life, made: Decision) -> None:
        now = made.at
        shrunk = {k: at for k, at in self._shrunk.get(life.mark, {}).items() if now - at < 600.0}
        freed = self._world.edited.get(made.ref.key, -1e9)
        if now - freed > 2 * 3600.0:
            shrunk[made.ref.key] = now
        self._shrunk[life.mark] = shrunk
        allowed = max(5, int(0.3 * self._world.told.workloads))
        if len(shrunk) > allowed:
            self.say("the fleet has a brake", f"{len(shrunk)} workloads shrank in ten minutes, {allowed} may")

    # around every call

    def calling(self, name: str, operation: Operation) -> None:
        """One daemon is about to call the platform."""
        self.checked += 1
        lease, now = self._world.lease, self._world.now()
        if lease.holder != name or now >= lease.until:
            said = f"{name} calls {operation.kind.value}:{operation.stage} while {lease.holder or 'nobody'} holds it"
            self.say("two daemons never act at once", said)
        workload = self._world.fleet.workload(operation.ref)
        if operation.kind is OperationKind.REPLACE and operation.stage == "drain":
            new = workload.units.get(operation.facts.get("new", ""))
            old = workload.units.get(operation.instance)
            if new is not None and old is not None and not old.draining and not new.ready(self._world.now()):
                self.say("surge first", f"{operation.ref.name}: {old.name} leaves before its successor is ready")

    def called(self, operation: Operation) -> None:
        """One call has been made."""
        workload = self._world.fleet.workload(operation.ref)
        units = workload.counted()
        numbers = [each.number for each in units]
        if len(numbers) != len(set(numbers)):
            self.say("no duplicates", f"{operation.ref.name}: numbers {sorted(numbers)}")
        most = self._world.most(operation.ref.key)
        if len(units) > most:
            self.say("never too many", f"{operation.ref.name}: {len(units)} exist, {most} at most")
        beside = [each for each in workload.units.values() if each.replaces in workload.units and not each.draining]
        if len(beside) > 1 and operation.kind is OperationKind.REPLACE and operation.stage == "begin":
            self.say("one replacement at a time", f"{operation.ref.name}: {[each.name for each in beside]}")

    # at the end

    def settled(self) -> None:
        """After a quiet while: everything is where it belongs, and nothing half done is left."""
        world = self._world
        for who in range(world.told.workloads):
            ref, policy = world.refs[who], world.policies[who]
            workload = world.fleet.workload(ref)
            hand = world.hands.get(ref.key)
            odd = [each.name for each in workload.units.values() if each.draining or each.replaces in workload.units]
            if odd:
                self.say("nothing half done is left", f"{ref.name}: {odd}")
            if hand is not None and hand.off:
                continue
            wanted = world.wanted(who)
            count = len(workload.counted())
            if not wanted[0] <= count <= wanted[1]:
                said = (
                    f"{ref.name}: {count} run, {wanted[0]} to {wanted[1]} are wanted ({policy.name}); {world.why(ref)}"
                )
                self.say("it converges", said)
            sick = [each.name for each in workload.counted() if not each.ready(world.now())]
            if sick:
                self.say("the sick are replaced", f"{ref.name}: {sick}; {world.why(ref)}")
