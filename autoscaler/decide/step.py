"""DECIDE: everything seen becomes decisions. Pure and synchronous; every face of the product calls this function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide import guards, hpa, wishes
from autoscaler.decide.memory import FOREIGN_HOLD_S, Applied, Memory, Seed, first_sight
from autoscaler.decide.plan import Plan
from autoscaler.decide.recycle import replacements
from autoscaler.model.decision import Decision, Fact, Reason, Replacement, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Mode
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState

CYCLE_S = 15.0
LONGEST_LEAD_S = 600.0


def step(
    plans: Sequence[Plan],
    seen: Sequence[Seen],
    memories: Mapping[str, Memory],
    now: float,
    *,
    cycle_s: float = CYCLE_S,
    wake: bool = False,
) -> tuple[list[Decision], dict[str, Memory]]:
    """One decision per plan, in the same order, and the memories they leave behind.

    `cycle_s` is the daemon's cycle in seconds. A wake decides from states alone: it may grow to the last wish or
    recycle, and adds nothing to the history.
    """
    decisions: list[Decision] = []
    after: dict[str, Memory] = {}
    for plan, look in zip(plans, seen, strict=True):
        key = plan.ref.key
        memory = memories.get(key) or first_sight(plan.workload.policy, now)
        decision, after[key] = _Deciding(plan, look, memory, now, cycle_s).decide(wake=wake)
        decisions.append(decision)
    return decisions, after


class _Deciding:
    """One workload's way through the stages: `count` is the count on its way, `steps` what happened to it."""

    def __init__(self, plan: Plan, seen: Seen, memory: Memory, now: float, cycle_s: float) -> None:
        self.plan = plan
        self.seen = seen
        self.memory = memory
        self.now = now
        self.cycle_s = cycle_s
        self.policy = plan.workload.policy
        self.current = 0
        self.count = 0
        self.reason = Reason.WITHIN_TOLERANCE
        self.steps: list[Step] = []

    def decide(self, *, wake: bool) -> tuple[Decision, Memory]:
        """The decision and the memory after it."""
        state = self.seen.state
        if isinstance(state, Missing):
            return self._blind(state)
        self.current = self.count = state.existing if state.desired is None else state.desired
        self._learn(state)
        if self._controlled():
            pass
        elif state.off_by_owner:
            self._hold(Reason.HELD_ZERO_BY_OWNER, Stage.STATE)
        elif self.policy.replicas is None:
            self._hold(Reason.NO_SIGNALS, Stage.SIGNAL)
        else:
            self._bounded(state, wake=wake)
        return self._decided(state)

    # what was seen, and what it says about the past

    def _blind(self, state: Missing) -> tuple[Decision, Memory]:
        self.current = self.count = self.memory.known or 0
        self._hold(Reason.STATE_MISSING, Stage.STATE, why=state.why.value, detail=state.detail)
        return self._decision(act=False, replace=()), self.memory

    def _learn(self, state: TargetState) -> None:
        """Facts that this look adds: a raise that became ready, a count that somebody else changed, a lost past."""
        memory, now = self.memory, self.now
        raised = memory.raised
        if raised is not None and raised.ready is None and state.ready >= raised.count:
            took = max(now - raised.at, 0.0)
            lead = took if memory.lead_s is None else (took + memory.lead_s) / 2
            memory = msgspec.structs.replace(
                memory, lead_s=min(lead, LONGEST_LEAD_S), raised=msgspec.structs.replace(raised, ready=now)
            )
        if memory.known is not None and memory.known != self.current and not self.seen.busy:
            self.steps.append(
                Step(Stage.STATE, memory.known, self.current, Reason.FOREIGN_COUNT, {"writer": state.writer})
            )
            if self.current > memory.known:
                hold = max(self.plan.behavior.down.stabilization_s, FOREIGN_HOLD_S)
                memory = msgspec.structs.replace(memory, seed=Seed(self.current, now + hold))
        self.memory = memory

    # precedence: pause > override > off by owner > bounds > signals

    def _controlled(self) -> bool:
        pause, override = self.plan.workload.pause, self.plan.workload.override
        if pause is not None and (pause.until is None or self.now < pause.until):
            rest = None if pause.until is None else pause.until - self.now
            self._hold(Reason.PAUSED, Stage.CONTROL, by=pause.by, rest_s=rest)
            self.memory = msgspec.structs.replace(self.memory, paused=True)
            return True
        if override is not None and self.now < override.until:
            left = override.until - self.now
            self._move(override.count, Reason.OVERRIDE, Stage.CONTROL, by=override.by, rest_s=left)
            self.memory = msgspec.structs.replace(self.memory, paused=True)
            return True
        return False

    def _bounded(self, state: TargetState, *, wake: bool) -> None:
        replicas = self.policy.replicas
        assert replicas is not None
        if self.current > replicas.max:
            self._above_maximum(state, replicas.max)
        elif self.current < replicas.min:
            self._move(replicas.min, Reason.BELOW_MINIMUM, Stage.BOUND)
        elif wake:
            self._woken(state)
        elif self.plan.goals:
            self._by_signals(state)
        else:
            self._hold(Reason.NO_SIGNALS, Stage.SIGNAL)

    def _above_maximum(self, state: TargetState, limit: int) -> None:
        """Down to the ceiling whatever the signals say; on first sight only after one down window."""
        down = self.plan.behavior.down
        rest = self.memory.first_seen + down.stabilization_s - self.now
        if state.rollout:
            self._hold(Reason.ROLLOUT, Stage.GUARD)
        elif rest > 0 and self.memory.applied is None:
            self._hold(Reason.ABOVE_MAXIMUM, Stage.BOUND, limit=limit, rest_s=rest)
        else:
            allowed = hpa.policy_limit_down(self.current, down, self.memory.history, self.now)
            self._move(max(limit, min(allowed, self.current)), Reason.ABOVE_MAXIMUM, Stage.BOUND, limit=limit)

    # signals

    def _woken(self, state: TargetState) -> None:
        """Between two cycles: back up to the last wish if the count fell below it, nothing else."""
        wish = self.memory.wish
        replicas = self.policy.replicas
        if wish is None or replicas is None or wish <= self.current:
            self._hold(Reason.AWAITING_CYCLE, Stage.SIGNAL)
            return
        self._move(min(wish, replicas.max), Reason.LAST_WISH, Stage.SIGNAL)

    def _by_signals(self, state: TargetState) -> None:
        behavior, current = self.plan.behavior, self.current
        asked = [
            wishes.wish(goal, reading, state, behavior, current)
            for goal, reading in zip(self.plan.goals, self.seen.readings, strict=True)
        ]
        self.steps.extend(said for _, said in asked)
        missing = tuple(g.signal for g, (count, _) in zip(self.plan.goals, asked, strict=True) if count is None)
        combined = wishes.largest(asked, current)
        if combined.reason in (Reason.LARGEST_WISH, Reason.NO_OPINION):
            self.steps.append(combined)
        self.count = combined.after
        winner = next((said for count, said in asked if count == combined.after), combined)
        self.reason = winner.reason
        if combined.after > current or not missing:
            self._accept(combined.after)
        self._guarded(state, missing)

    def _accept(self, wish: int) -> None:
        """Take the wish into the history: smoothing, rates and bounds, exactly as the HPA."""
        self._reseed()
        replicas = self.policy.replicas
        assert replicas is not None
        result = hpa.hpa(
            wish, self.current, replicas.min, replicas.max, self.plan.behavior, self.memory.history, self.now
        )
        self.memory = msgspec.structs.replace(
            # A wake goes back up to this between two cycles, so it is never more than the rates allowed.
            self.memory,
            history=result.history,
            accepted=self.now,
            wish=max(replicas.min, min(wish, result.replicas)),
        )
        if result.stabilized != wish:
            down = result.stabilized > wish
            rules = self.plan.behavior.down if down else self.plan.behavior.up
            reason = Reason.STABILIZED_DOWN if down else Reason.STABILIZED_UP
            self._move(result.stabilized, reason, Stage.BEHAVIOR, window_s=rules.stabilization_s)
        if result.replicas != result.stabilized:
            self._move(result.replicas, _LIMITS[result.limit], _LIMIT_STAGES[result.limit])

    def _reseed(self) -> None:
        """Hold the current count where what came before is not known well enough; the down side only."""
        memory, behavior = self.memory, self.plan.behavior
        changed = memory.fingerprint != self.plan.fingerprint
        gap = memory.accepted is None or self.now - memory.accepted > max(3 * self.cycle_s, 60.0)
        floor = self.policy.replicas.min if self.policy.replicas is not None else 0
        ended = floor < memory.floor and self.current <= memory.floor
        if changed or gap or memory.paused or memory.distrust or ended:
            hold = max(behavior.down.stabilization_s, memory.lead + 2 * self.cycle_s)
            memory = msgspec.structs.replace(
                memory,
                seed=Seed(self.current, self.now + hold),
                fingerprint=self.plan.fingerprint,
                history=hpa.without_recommendations(memory.history) if changed else memory.history,
                paused=False,
                distrust=False,
            )
        if floor != memory.floor:
            memory = msgspec.structs.replace(memory, floor=floor)
        self.memory = memory

    def _guarded(self, state: TargetState, missing: tuple[str, ...]) -> None:
        situation = guards.Situation(self.current, state, self.seen, self.memory, missing, self.now, self.cycle_s)
        for guard in guards.GUARDS:
            held = guard(self.count, situation)
            if held is not None:
                self.steps.append(held)
                self.count, self.reason = held.after, held.reason
        replicas = self.policy.replicas
        if replicas is not None and self.count > replicas.max:
            self._move(replicas.max, Reason.CAPPED_AT_MAXIMUM, Stage.BOUND)

    # the end

    def _decided(self, state: TargetState) -> tuple[Decision, Memory]:
        act = self.policy.mode is Mode.ACT
        replace: tuple[Replacement, ...] = ()
        if self.reason is not Reason.PAUSED:
            replace, said = replacements(self.plan.workload, self.seen, self.memory, desired=self.count, now=self.now)
            self.steps.extend(said)
        if self.seen.busy and self.count != self.current:
            self._move(self.current, Reason.BUSY, Stage.STATE)
        if not act and (self.count != self.current or replace):
            self.steps.append(Step(Stage.CONTROL, self.current, self.count, Reason.OBSERVED))
        memory = self.memory
        if memory.known != self.current:
            memory = msgspec.structs.replace(memory, known=self.current)
        return self._decision(act=act, replace=replace if act else ()), memory

    def _decision(self, *, act: bool, replace: tuple[Replacement, ...]) -> Decision:
        return Decision(
            ref=self.plan.ref,
            policy=self.policy.name,
            at=self.now,
            current=self.current,
            desired=self.count,
            reason=self.reason,
            steps=tuple(self.steps),
            act=act,
            replace=replace,
            readings=tuple(zip((g.signal for g in self.plan.goals), self.seen.readings, strict=False)),
        )

    def _hold(self, reason: Reason, stage: Stage, **facts: Fact) -> None:
        self._move(self.current, reason, stage, **facts)

    def _move(self, count: int, reason: Reason, stage: Stage, **facts: Fact) -> None:
        self.steps.append(Step(stage, self.count, count, reason, facts))
        self.count, self.reason = count, reason


_LIMITS = {
    hpa.Limit.SCALE_UP_LIMIT: Reason.RATE_LIMITED_UP,
    hpa.Limit.SCALE_DOWN_LIMIT: Reason.RATE_LIMITED_DOWN,
    hpa.Limit.TOO_MANY_REPLICAS: Reason.CAPPED_AT_MAXIMUM,
    hpa.Limit.TOO_FEW_REPLICAS: Reason.RAISED_TO_MINIMUM,
}
_LIMIT_STAGES = {
    hpa.Limit.SCALE_UP_LIMIT: Stage.BEHAVIOR,
    hpa.Limit.SCALE_DOWN_LIMIT: Stage.BEHAVIOR,
    hpa.Limit.TOO_MANY_REPLICAS: Stage.BOUND,
    hpa.Limit.TOO_FEW_REPLICAS: Stage.BOUND,
}


def applied(plan: Plan, memory: Memory, *, before: int, count: int, now: float) -> Memory:
    """The memory after the platform accepted an order of ours: the change is on record for rates and settling."""
    history = hpa.record(memory.history, plan.behavior, before, count, now)
    order = Applied(before, count, now)
    raised = order if count > before else memory.raised
    return msgspec.structs.replace(memory, history=history, applied=order, raised=raised, known=count)
