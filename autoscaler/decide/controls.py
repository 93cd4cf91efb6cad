"""What comes before every signal: other hands, a person's word and the owner's zero."""

from __future__ import annotations

import msgspec

from autoscaler.decide.guards import spaced
from autoscaler.decide.memory import FOREIGN_HOLD_S, Memory, conflicted
from autoscaler.decide.turn import Turn
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.policy import Mode

LONGEST_LEAD_S = 600.0
TELLS_WRITERS = "kubernetes"  # its objects name the last writer of each field


def learn(turn: Turn) -> None:
    """Facts that this look adds: a raise that became ready, a count somebody else changed, since when it is zero."""
    memory, now = turn.memory, turn.now
    raised = memory.raised
    if raised is not None and raised.ready is None and turn.state.ready >= raised.count:
        took = max(_served(turn, raised.count) - raised.at, 0.0)
        lead = took if memory.lead_s is None else (took + memory.lead_s) / 2
        memory = msgspec.structs.replace(
            memory, lead_s=min(lead, LONGEST_LEAD_S), raised=msgspec.structs.replace(raised, ready=now)
        )
    known = _expected(memory, turn.current)
    if known is not None and known != turn.current and not turn.seen.busy:
        memory = _foreign(turn, memory, known)
    if turn.current != 0 and memory.zero is not None:
        memory = msgspec.structs.replace(memory, zero=None)
    elif turn.current == 0 and memory.zero is None:
        memory = msgspec.structs.replace(memory, zero=now)
    turn.memory = memory


def _served(turn: Turn, count: int) -> float:
    """When so many were ready, as the platform tells; it cannot have been before the last look, whose clock is ours.

    A look tells only that it came about since the last one: up to a whole cycle too late.
    """
    since = sorted([each.since for each in turn.state.instances if each.ready and not each.draining])
    if len(since) < count:
        return turn.now
    return min(max(since[count - 1], turn.now - turn.cycle_s), turn.now)


def _expected(memory: Memory, current: int) -> int | None:
    """The count that nobody else has touched; None: not known. Of what we ordered we may get less, never more."""
    if memory.known is None and memory.applied is not None and not memory.reseed and current > memory.applied.count:
        return memory.applied.count
    return memory.known


def _foreign(turn: Turn, memory: Memory, known: int) -> Memory:
    """Somebody else changed the count: a raise is held for a while, a cut while paused is the owner's word.

    A zero of ours ends with it: the next zero is not ours because an earlier one was.
    """
    told: dict[str, Fact] = {"writer": turn.state.writer, "remedy": turn.state.remedy}
    turn.steps.append(Step(Stage.STATE, known, turn.current, Reason.FOREIGN_COUNT, told))
    if known == 0:
        memory = msgspec.structs.replace(memory, applied=None, stands=None)
    if memory.paused and turn.plan.workload.override is None:
        return msgspec.structs.replace(memory, stands=None)
    memory = conflicted(memory, turn.now)
    if turn.current > known:
        hold = max(turn.plan.behavior.down.stabilization_s, FOREIGN_HOLD_S)
        memory = msgspec.structs.replace(memory, idle=None)
        memory = memory.held(turn.current, hold, turn.now, "somebody else raised it")
    return memory


def controlled(turn: Turn) -> bool:
    """Decide by a pause, another autoscaler or an override in force; True where one settles the count.

    An override is carried out at once. Where somebody else keeps undoing it, it is repeated less and less often.
    """
    said, memory = turn.plan.workload, turn.memory
    freed = memory.freed
    if said.pause is not None and said.pause.holds(turn.now):
        rest = None if said.pause.until is None else said.pause.until - turn.now
        turn.hold(Reason.PAUSED, Stage.CONTROL, by=said.pause.by, rest_s=rest)
    elif _hands_off(turn):
        pass
    elif said.override is not None and turn.now < said.override.until:
        freed = said.override.count
        rest = said.override.until - turn.now
        turn.move(said.override.count, Reason.OVERRIDE, Stage.CONTROL, by=said.override.by, rest_s=rest)
        if memory.paused:
            spaced(turn, memory.applied)
    else:
        return False
    if not memory.paused or memory.idle is not None or memory.quiet is not None or memory.freed != freed:
        turn.remember(paused=True, idle=None, quiet=None, freed=freed)
    return True


def _hands_off(turn: Turn) -> bool:
    """Hold by what is written on the workload itself, or for another autoscaler; True where that settles the count.

    Beside a policy that only observes, another autoscaler is only named: to compare the two is what it is for.
    """
    state, policy = turn.state, turn.policy
    if state.pause_fault:
        turn.hold(Reason.PAUSE_UNREADABLE, Stage.CONTROL, fault=state.pause_fault)
        return True
    if state.paused_until is not None and turn.now < state.paused_until:
        rest = state.paused_until - turn.now
        turn.hold(Reason.PAUSED_BY_ANNOTATION, Stage.CONTROL, rest_s=rest)
        return True
    if not state.steered_by or policy.replicas is None:
        return False
    if policy.mode is Mode.OBSERVE:
        turn.note(Reason.OTHER_AUTOSCALER, Stage.CONTROL, other=state.steered_by)
        return False
    adopts = policy.target.kubernetes is not None and policy.target.kubernetes.adopt
    turn.hold(Reason.ADOPTING if adopts else Reason.OTHER_AUTOSCALER, Stage.CONTROL, other=state.steered_by)
    return True


def off_by_owner(turn: Turn) -> bool:
    """Hold a zero that is not ours; True where it settles the count.

    Kubernetes itself tells whose the zero is; elsewhere our last order does, as long as other hands did nothing since.
    It ends when the count rises, or when somebody says `resume` after it was seen first.
    """
    if not turn.state.off_by_owner or turn.current != 0:
        return False
    applied, foreign = turn.memory.applied, turn.state.foreign_at
    ours = applied is not None and applied.count == 0 and (foreign is None or foreign <= applied.at)
    if ours and turn.plan.ref.platform != TELLS_WRITERS:
        return False
    resumed, zero = turn.plan.workload.resumed, turn.memory.zero
    if resumed is not None and zero is not None and resumed >= zero:
        turn.note(Reason.RESUMED, Stage.CONTROL)
        return False
    turn.hold(Reason.HELD_ZERO_BY_OWNER, Stage.STATE)
    if turn.memory.idle is not None or turn.memory.quiet is not None or turn.memory.stands is not None:
        turn.remember(idle=None, quiet=None, stands=None)
    return True
