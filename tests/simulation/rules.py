"""The rules that hold for every target and every mode, checked from outside after every cycle of every daemon."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.decide.plan import Plan
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.policy import Fallback, Policy
from autoscaler.model.signal import Missing, Reading, Series

if TYPE_CHECKING:
    from tests.simulation.daemons import Life
    from tests.simulation.world import World

OWNERS_WORDS = (Reason.ABOVE_MAXIMUM, Reason.WINDOW_CEILING, Reason.OVERRIDE)
FOREIGN_HOLD_S = 300.0
DOWN_WINDOW_S = 300.0
BRAKE_S = 600.0
FREED_S = 7200.0  # for so long after an owner's word a shrink may be his doing
COVERAGE = 0.8


class Rules:
    """Collects what was broken, each with its time; the first one ends the world.

    `digest` stands for all that happened: two plays of one story give the same.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.broken: list[str] = []
        self.checked = 0
        self.digest = hashlib.sha256()
        self._shrunk: dict[str, float] = {}  # workload → when it shrank by load, by the cycles' own time

    def say(self, rule: str, what: str) -> None:
        """A rule is broken."""
        self.broken.append(f"{self._world.since():.1f} s: {rule}: {what}")
        self._world.stop.set()

    def note(self, *what: object) -> None:
        """Something happened that must happen again in every play."""
        self.digest.update(repr(what).encode())

    def decided(self, life: Life, plans: Mapping[str, Plan], decisions: Sequence[Decision]) -> None:
        """Everything that one cycle of one daemon decided, by these plans."""
        for each in decisions:
            self.checked += 1
            self.note(life.process.mark, each.ref.name, each.at, each.current, each.desired, each.reason.value)
            self._reasoned(each)
            said = self._world.others.said.get(each.ref.key)
            if said is not None and each.at >= said.until:
                self._world.others.said.pop(each.ref.key)  # over by the clock of one, it is over for all
            plan = plans.get(each.ref.key)
            if plan is None or not each.act or not each.changes:
                continue
            self._words_kept(life, each)
            self._owners_zero(each)
            self._bounded(each, plan.workload.policy)
            if each.desired < each.current and each.reason not in OWNERS_WORDS:
                self._no_doubt(life, each, plan.workload.policy)
                self._past_known(life, each)
                self._others_respected(life, each)
                self._braked(each)

    def _reasoned(self, made: Decision) -> None:
        steps = [step for step in made.steps if step.reason is made.reason]
        if not steps:
            self.say("no change without a reason", f"{made.ref.name}: {made.reason.value} is in no step")
        elif made.changes and not any(step.after == made.desired for step in steps):
            said = f"{made.ref.name}: no step {made.reason.value} leads to {made.desired}"
            self.say("no change without a reason", said)

    def _words_kept(self, life: Life, made: Decision) -> None:
        """What a person was told is in force is what happens, until it is over by the clock of whoever decides."""
        said = self._world.others.said.get(made.ref.key)
        if said is None or not said.at < made.at < said.until or said.at > life.clock.now():
            return
        if said.what == "pause" or (said.what == "override" and made.desired != said.count):
            change = f"{made.current} → {made.desired} ({made.reason.value})"
            self.say("a person's word holds", f"{made.ref.name}: {change} in spite of {said.what} {said.count or ''}")

    def _owners_zero(self, made: Decision) -> None:
        hand = self._world.others.hands[made.ref.key]
        if made.reason is Reason.OVERRIDE:
            hand.off = hand.off and not made.desired  # a person's word ends it
        elif hand.off:
            self.say("the owner's zero is law", f"{made.ref.name}: {made.current} → {made.desired}")

    def _bounded(self, made: Decision, policy: Policy) -> None:
        assert policy.replicas is not None
        low, high = policy.replicas.min, policy.replicas.max
        change = f"{made.ref.name}: {made.current} → {made.desired} ({made.reason.value})"
        if made.desired > high and made.reason is not Reason.OVERRIDE and made.desired > made.current:
            self.say("the bounds are law", f"{change}, max {high}")
        under = (Reason.IDLE, Reason.OVERRIDE)
        if made.desired < low and made.desired < made.current and made.reason not in under:
            self.say("the bounds are law", f"{change}, min {low}")

    def _no_doubt(self, life: Life, made: Decision, policy: Policy) -> None:
        """As the world knows what it told, not as the daemon says it heard."""
        for signal in policy.signals:
            told = life.source.told.get((made.ref.name, signal.name))
            if signal.votes and (told is None or _doubtful(told, policy)):
                said = f"{made.ref.name}: {made.current} → {made.desired} ({made.reason.value}) without {signal.name}"
                self.say("doubt never shrinks", said)

    def _past_known(self, life: Life, made: Decision) -> None:
        """A process that does not know the past does not shrink before its down window has passed."""
        age = max(made.at - life.restored, self._world.now() - life.since)  # its clock may have been set meanwhile
        if not life.clean and age < DOWN_WINDOW_S:
            said = f"{made.ref.name}: {made.current} → {made.desired} ({made.reason.value}), {age:.0f} s after a kill"
            self.say("after a kill never lower", said)

    def _others_respected(self, life: Life, made: Decision) -> None:
        hand, now = self._world.others.hands[made.ref.key], self._world.now()
        raised = hand.count == hand.raised_to and now - hand.raised_at < FOREIGN_HOLD_S
        if life.clock.step > 0:  # its clock is ahead of whoever saw the raise: its minutes are over earlier
            return
        if raised and made.current <= hand.raised_to:
            self.say("another writer is respected upward", f"{made.ref.name}: {made.current} → {made.desired}")

    def _braked(self, made: Decision) -> None:
        """Nobody is counted whose owner said or wrote something of late, nor what a window or a fallback held up."""
        now = made.at
        shrunk = self._shrunk = {key: at for key, at in self._shrunk.items() if abs(now - at) < BRAKE_S}
        if self._world.now() - self._world.owners.get(made.ref.key, -1e9) > FREED_S and not self._held_up(made):
            shrunk[made.ref.key] = now
        allowed = max(5, int(0.3 * self._world.told.workloads))
        if len(shrunk) > allowed:
            self.say("the fleet has a brake", f"{len(shrunk)} workloads shrank in ten minutes, {allowed} may")

    def _held_up(self, made: Decision) -> bool:
        """A count that a fallback or a window may have held up goes down by their end, however late, not by load."""
        policy = self._world.policies[self._world.number(made.ref)]
        fallbacks = [each.failed.at_least or 0 for each in policy.signals if isinstance(each.failed, Fallback)]
        return made.current <= max([*fallbacks, *(window.min or 0 for window in policy.schedule)], default=0)


def _doubtful(told: Reading, policy: Policy) -> bool:
    if isinstance(told, Missing):
        return True
    plausible = policy.signals[0].plausible
    if plausible is not None and plausible.min is not None and told.points[0].value < plausible.min:
        return True
    return _uncovered(told)


def _uncovered(told: Series) -> bool:
    return bool(told.found) and len(told.found or ()) < COVERAGE * len(told.expected)
