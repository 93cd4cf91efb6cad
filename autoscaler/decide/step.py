"""DECIDE: everything seen becomes decisions. Pure and synchronous; every face of the product calls this function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import msgspec

from autoscaler.decide import bounds, carrying, controls, hpa, idle, room, signals, sizing
from autoscaler.decide.beside import beside
from autoscaler.decide.brake import Brake, Fleet
from autoscaler.decide.guards import guarded
from autoscaler.decide.lineage import looked
from autoscaler.decide.memory import Applied, Memory, first_sight, ordered
from autoscaler.decide.plan import Plan
from autoscaler.decide.recycle import replacements
from autoscaler.decide.taught import still_taught
from autoscaler.decide.turn import Turn, counted
from autoscaler.model.decision import Decision, Reason, Replacement, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Mode, Replicas, Reversals
from autoscaler.model.signal import Missing, Reading

CYCLE_S = 15.0
ALONE = Fleet()
_ACT = Mode.ACT  # looking it up takes longer than most of what is done for a decision
_HANDS_OFF = (Reason.PAUSED, Reason.PAUSED_BY_ANNOTATION, Reason.PAUSE_UNREADABLE, Reason.STALE_STATE)  # replaces none
LONGEST_STALE_S = 60.0  # a state this old, or three cycles old, is not acted on


class Stepped(msgspec.Struct, frozen=True):
    """What one step gives: a decision per plan in the same order, the memories they leave behind, the fleet's."""

    decisions: list[Decision]
    memories: dict[str, Memory]
    fleet: Fleet


def step(
    plans: Sequence[Plan],
    seen: Sequence[Seen],
    memories: Mapping[str, Memory],
    now: float,
    *,
    cycle_s: float = CYCLE_S,
    wake: bool = False,
    fleet: Fleet = ALONE,
    fleet_resumed: float | None = None,
) -> Stepped:
    """Decide for these workloads. A cycle may come in slices that hand on the fleet's memory.

    `cycle_s` is the daemon's cycle in seconds. A wake decides from states alone: it may grow to the last wish or
    recycle, and adds nothing to the history. `fleet_resumed` is when a person released the fleet's brake last.
    """
    # counted once a cycle, not once a slice of it
    idle_ones = fleet.idle if fleet.deciding(now) else len([1 for each in memories.values() if each.idle is not None])
    brake = Brake(fleet, now, fleet_resumed, idle_ones)
    learned = {} if wake else sizing.learned(plans, seen, memories, now)
    decisions: list[Decision] = []
    after: dict[str, Memory] = {}
    for plan, look in zip(plans, seen, strict=True):
        key = plan.key
        memory = memories.get(key) or _first_sight(plan, look, now, cycle_s)
        if learned and key in learned:
            carries = carrying.known(plan, look, memory, now)
            memory = msgspec.structs.replace(memory, learned=learned[key], carries=carries)
        if memory.taught and (taught := still_taught(memory)) != memory.taught:
            memory = msgspec.structs.replace(memory, taught=taught)
        decision, after[key] = _decide(plan, look, memory, now, cycle_s, brake, wake=wake)
        if not wake and (plan.beside is not None or memory.shadow is not None):
            decision, after[key] = beside(plan, look, decision, after[key], partial(_alone, now, cycle_s), now)
        decisions.append(decision)
    return Stepped(decisions, after, brake.fleet())


def _first_sight(plan: Plan, look: Seen, now: float, cycle_s: float) -> Memory:
    """The memory of a workload never seen before: the count that is found holds, whoever wants to shrink it."""
    memory = first_sight(plan.workload.policy, now)
    if isinstance(look.state, Missing):
        return memory
    hold = max(plan.behavior.down.stabilization_s, memory.lead + 2 * (plan.every_s or cycle_s))
    return memory.held(counted(look.state), hold, now, "first sight")


def _decide(
    plan: Plan, look: Seen, memory: Memory, now: float, cycle_s: float, brake: Brake, *, wake: bool
) -> tuple[Decision, Memory]:
    """One workload's decision and the memory after it, in the order of precedence."""
    state = look.state
    if isinstance(state, Missing):
        return _blind(plan, look, state, memory, now), memory
    turn = Turn(plan, look, state, memory, now, plan.every_s or cycle_s)
    age = now - state.at
    if age > LONGEST_STALE_S and age > 3 * cycle_s:
        turn.hold(Reason.STALE_STATE, Stage.STATE, age_s=age)
        return _decided(turn, brake, look=False)
    controls.learn(turn)
    if not (controls.controlled(turn) or controls.off_by_owner(turn)):
        _by_policy(turn, brake, wake=wake)
    return _decided(turn, brake)


def _alone(now: float, cycle_s: float, plan: Plan, look: Seen, memory: Memory) -> tuple[Decision, Memory]:
    """The same for what only looks: no brake of a fleet holds it, and it takes nothing from one."""
    return _decide(plan, look, memory, now, cycle_s, Brake(ALONE, now, None, 0), wake=False)


def _by_policy(turn: Turn, brake: Brake, *, wake: bool) -> None:
    """Bounds, then idle, then signals."""
    replicas = turn.policy.replicas
    if replicas is None:
        turn.hold(Reason.NO_SIGNALS, Stage.SIGNAL)
        return
    signals.renewed(turn)
    votes = [] if wake else signals.cast(turn, turn.state)
    steps = turn.steps
    for each in votes:
        if each.notes:
            steps.extend(each.notes)
        steps.append(each.step)
        if each.missing:
            turn.missing = (*turn.missing, str(each.step.facts["signal"]))
    limits = bounds.Limits(turn, replicas, votes)
    if wake:
        _between(turn, limits, replicas)
        return
    signals.floored(turn)
    if turn.current > turn.high:
        bounds.lowered(turn, limits)
    elif turn.policy.idle is not None and idle.idled(turn, votes, brake, floor=limits.floor is not None):
        guarded(turn)
    elif votes:
        signals.decide(turn, votes, limits)
    else:
        turn.hold(Reason.NO_SIGNALS, Stage.SIGNAL)
        bounds.raised(turn, limits)
        guarded(turn)
    signals.remember(turn, votes)


def _between(turn: Turn, limits: bounds.Limits, replicas: Replicas) -> None:
    """A wake, by pushed signals only: others leave idle by our order as it is; above a ceiling waits for the cycle."""
    asleep = turn.memory.idle is not None and turn.policy.idle is not None and turn.current < replicas.min
    if asleep and idle.roused(turn):
        guarded(turn)
    elif asleep or turn.current > turn.high:
        turn.hold(Reason.AWAITING_CYCLE, Stage.SIGNAL)
    else:
        signals.woken(turn, limits)


def _blind(plan: Plan, look: Seen, state: Missing, memory: Memory, now: float) -> Decision:
    count = memory.known or 0
    steps = (Step(Stage.STATE, count, count, Reason.STATE_MISSING, {"why": state.why.value, "detail": state.detail}),)
    return Decision(
        ref=plan.ref, policy=plan.workload.policy.name, at=now, current=count, desired=count,
        reason=Reason.STATE_MISSING, steps=steps, act=False, readings=_named(plan, look),
    )  # fmt: skip


def _decided(turn: Turn, brake: Brake, *, look: bool = True) -> tuple[Decision, Memory]:
    """The decision as it is carried out; `look` is False where the state was too old to be remembered."""
    plan, policy, seen, current = turn.plan, turn.policy, turn.seen, turn.current
    act = policy.mode is _ACT
    if turn.state.pools:
        room.capped(turn)
    if seen.busy and turn.count != current:
        turn.hold(Reason.BUSY, Stage.STATE)
    shrinks = turn.count < current and act and turn.by_load and current > turn.memory.freed
    if shrinks and brake.holds(plan.key):
        turn.hold(Reason.FLEET_BRAKE, Stage.GUARD, latched=brake.latched is not None)
    replace: tuple[Replacement, ...] = ()
    if policy.recycle is not None and turn.reason not in _HANDS_OFF:
        replace = _replaced(turn, brake, act=act)
    if not act and (turn.count != current or replace):
        turn.steps.append(Step(Stage.CONTROL, current, turn.count, Reason.OBSERVED))
    if look and not seen.busy and turn.memory.known != current:
        turn.remember(known=current)
    decision = Decision(
        ref=plan.workload.ref, policy=policy.name, at=turn.now, current=current, desired=turn.count,
        reason=turn.reason, steps=tuple(turn.steps), act=act, replace=replace if act else (),
        readings=_named(plan, seen),
    )  # fmt: skip
    return decision, turn.memory


def _replaced(turn: Turn, brake: Brake, *, act: bool) -> tuple[Replacement, ...]:
    """Who is replaced in this turn; it is remembered where it is carried out, restarts and the like in any case."""
    known = turn.memory.recycling
    found = replacements(
        turn.plan.workload,
        turn.seen,
        known,
        desired=turn.count,
        now=turn.now,
        act=act,
        fleet=brake.may_recycle,
        gap_s=turn.gap_s,
    )
    turn.steps.extend(found.steps)
    after = found.known if act else looked(known, found.known)
    if after is not known and after != known:
        turn.remember(recycling=after)
    return found.chosen


def _named(plan: Plan, look: Seen) -> tuple[tuple[str, Reading], ...]:
    return tuple(zip(plan.signals, look.readings))  # noqa: B905 (a look may have none; to say so doubles the time)


def applied(plan: Plan, memory: Memory, *, before: int, count: int, now: float, reason: str = "") -> Memory:
    """The memory after the platform accepted an order of ours: the change is on record for rates and settling."""
    history = hpa.record(memory.history, plan.behavior, before, count, now)
    budget: Reversals | None = getattr(plan.workload.policy.behavior, "reversals", None)
    kept = budget.count if budget is not None else 0
    idled = reason == Reason.IDLE.value
    return ordered(memory, Applied(before, count, now), history, idle=idled, reversals=kept)
