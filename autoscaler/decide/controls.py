"""What comes before every signal: other hands, a person's word and the owner's zero."""

from __future__ import annotations

import msgspec

from autoscaler.decide.memory import FOREIGN_HOLD_S, Memory, Seed, conflicted
from autoscaler.decide.turn import Turn
from autoscaler.model.decision import Reason, Stage, Step

LONGEST_LEAD_S = 600.0


def learn(turn: Turn) -> None:
    """Facts that this look adds: a raise that became ready, a count somebody else changed, since when it is zero."""
    memory, now = turn.memory, turn.now
    raised = memory.raised
    if raised is not None and raised.ready is None and turn.state.ready >= raised.count:
        took = max(now - raised.at, 0.0)
        lead = took if memory.lead_s is None else (took + memory.lead_s) / 2
        memory = msgspec.structs.replace(
            memory, lead_s=min(lead, LONGEST_LEAD_S), raised=msgspec.structs.replace(raised, ready=now)
        )
    if memory.known is not None and memory.known != turn.current and not turn.seen.busy:
        memory = _foreign(turn, memory, memory.known)
    if turn.current != 0 and memory.zero is not None:
        memory = msgspec.structs.replace(memory, zero=None)
    elif turn.current == 0 and memory.zero is None:
        memory = msgspec.structs.replace(memory, zero=now)
    turn.memory = memory


def _foreign(turn: Turn, memory: Memory, known: int) -> Memory:
    """Somebody else changed the count: a raise is held for a while, a cut while paused is the owner's word."""
    turn.steps.append(Step(Stage.STATE, known, turn.current, Reason.FOREIGN_COUNT, {"writer": turn.state.writer}))
    if memory.paused:
        return msgspec.structs.replace(memory, applied=None)
    memory = conflicted(memory, turn.now)
    if turn.current > known:
        hold = max(turn.plan.behavior.down.stabilization_s, FOREIGN_HOLD_S)
        memory = msgspec.structs.replace(memory, seed=Seed(turn.current, turn.now + hold), idle=None)
    return memory


def controlled(turn: Turn) -> bool:
    """Decide by a pause or an override in force; True where one settles the count."""
    said = turn.plan.workload
    if said.pause is not None and (said.pause.until is None or turn.now < said.pause.until):
        rest = None if said.pause.until is None else said.pause.until - turn.now
        turn.hold(Reason.PAUSED, Stage.CONTROL, by=said.pause.by, rest_s=rest)
    elif said.override is not None and turn.now < said.override.until:
        rest = said.override.until - turn.now
        turn.move(said.override.count, Reason.OVERRIDE, Stage.CONTROL, by=said.override.by, rest_s=rest)
    else:
        return False
    turn.remember(paused=True, idle=None, quiet=None)
    return True


def off_by_owner(turn: Turn) -> bool:
    """Hold a zero that is not ours; True where it settles the count.

    It ends when the count rises, or when somebody says `resume` after it was seen first.
    """
    if not turn.state.off_by_owner or turn.current != 0:
        return False
    applied, foreign = turn.memory.applied, turn.state.foreign_at
    ours = applied is not None and applied.count == 0 and (foreign is None or foreign <= applied.at)
    if ours:
        return False
    resumed, zero = turn.plan.workload.resumed, turn.memory.zero
    if resumed is not None and zero is not None and resumed >= zero:
        turn.note(Reason.RESUMED, Stage.CONTROL)
        return False
    turn.hold(Reason.HELD_ZERO_BY_OWNER, Stage.STATE)
    turn.remember(idle=None, quiet=None)
    return True
