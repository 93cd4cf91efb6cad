"""Idle: fewer than the minimum while nobody needs it, and back at once when somebody does."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscaler.decide.brake import Brake
from autoscaler.decide.plan import Goal
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Vote
from autoscaler.model.decision import Reason, Stage
from autoscaler.model.policy import Empty, Mode, NotANumber, OnDoubt, ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series

UNREAD_S = 300.0  # wake signals unread for so long may wake on doubt


class Wakes:
    """What the wake signals of one workload say: those above their limit, those that are quiet, those without data."""

    def __init__(self, turn: Turn) -> None:
        self.above: list[str] = []
        self.quiet: list[str] = []
        self.unread: list[str] = []
        for goal, reading in zip(turn.plan.goals, turn.seen.readings, strict=False):
            limit = goal.asked.wake_above
            if limit is None:
                continue
            load = _load(goal, reading, turn)
            if load is None:
                self.unread.append(goal.signal)
                detail = reading.detail or reading.why.value if isinstance(reading, Missing) else "implausible"
                turn.note(Reason.WAKE_UNREAD, Stage.IDLE, signal=goal.signal, detail=detail)
            else:
                (self.above if load > limit else self.quiet).append(goal.signal)
                reason = Reason.WAKE_ABOVE if load > limit else Reason.WAKE_QUIET
                turn.note(reason, Stage.IDLE, signal=goal.signal, load=load, limit=limit)


def _load(goal: Goal, reading: Reading, turn: Turn) -> float | None:
    """A wake signal's value; a waived emptiness is zero, an ignored one as well: it does not wake."""
    if isinstance(reading, Series):
        total = math.fsum(point.value for point in reading.points)
        plausible = goal.asked.plausible
        if plausible is not None and (
            (plausible.min is not None and total < plausible.min)
            or (plausible.max is not None and total > plausible.max)
        ):
            return None
        return total
    signal = goal.asked
    if reading.why is MissingWhy.EMPTY:
        if isinstance(signal.empty, ZeroIf):
            return 0.0 if isinstance(turn.seen.vouchers.get(signal.name), Series) else None
        return None if signal.empty is Empty.MISSING else 0.0
    if reading.why is MissingWhy.NAN:
        return None if signal.nan is NotANumber.MISSING else 0.0
    return None


def idled(turn: Turn, votes: Sequence[Vote], brake: Brake, *, floor: bool) -> bool:
    """Decide by `idle` where it has something to say; False leaves the count to the signals.

    `floor` is True while a schedule window asks for a minimum of its own: that beats idle. The fallback `at_least` is
    a matter of one signal, so it does not.
    """
    idle, memory = turn.policy.idle, turn.memory
    assert idle is not None
    wakes = Wakes(turn)
    unread = {name: memory.unread.get(name, turn.now) for name in wakes.unread}
    if unread != memory.unread:
        turn.remember(unread=unread)
    asleep = memory.idle is not None and turn.current <= idle.replicas
    if asleep and not floor:
        _asleep(turn, votes, wakes, brake)
        return True
    if asleep or floor or turn.missing or wakes.above or wakes.unread or _asking(turn, votes):
        if memory.quiet is not None or asleep:
            turn.remember(idle=None, quiet=None)
        return False
    seen = memory.quiet is not None and turn.now - memory.quiet_at <= turn.gap_s
    since = memory.quiet if seen and memory.quiet is not None else turn.now
    turn.remember(quiet=since, quiet_at=turn.now)
    if turn.current <= idle.replicas:
        return False
    rest = since + idle.after - turn.now
    if rest > 0:
        turn.note(Reason.IDLE_SOON, Stage.IDLE, rest_s=rest, idle=idle.replicas)
        return False
    turn.move(idle.replicas, Reason.IDLE, Stage.IDLE, after_s=idle.after)
    turn.by_load = True
    return True


def roused(turn: Turn) -> bool:
    """Between two cycles: back to the minimum where a pushed signal is above its limit."""
    for goal, reading in zip(turn.plan.goals, turn.seen.readings, strict=False):
        limit = goal.asked.wake_above
        if limit is None or goal.asked.push is None:
            continue
        load = _load(goal, reading, turn)
        if load is not None and load > limit:
            turn.note(Reason.WAKE_ABOVE, Stage.IDLE, signal=goal.signal, load=load, limit=limit)
            turn.move(turn.low, Reason.WOKEN, Stage.IDLE, signal=goal.signal)
            turn.remember(quiet=None, unread={})
            return True
    return False


def _asking(turn: Turn, votes: Sequence[Vote]) -> list[Vote]:
    """The votes for more than the minimum."""
    least = turn.policy.replicas.min if turn.policy.replicas is not None else 1
    return [each for each in votes if each.count is not None and each.count > least]


def _asleep(turn: Turn, votes: Sequence[Vote], wakes: Wakes, brake: Brake) -> None:
    idle, memory = turn.policy.idle, turn.memory
    assert idle is not None
    wishes = [each.count for each in votes if each.count is not None]
    awake = min(max([turn.low, *wishes]), turn.high)
    by = wakes.above or [str(each.step.facts["signal"]) for each in _asking(turn, votes)]
    if by:
        turn.move(awake, Reason.WOKEN, Stage.IDLE, signal=by[0])
    elif idle.on_doubt is OnDoubt.WAKE and _long_unread(turn) and _may_wake(turn, brake):
        rest = turn.now - max(turn.memory.unread.values())
        turn.move(awake, Reason.WOKEN_ON_DOUBT, Stage.IDLE, signals=", ".join(turn.memory.unread), for_s=rest)
    else:
        turn.move(idle.replicas, Reason.IDLE, Stage.IDLE, since_s=turn.now - (memory.idle or turn.now))
        return
    turn.remember(quiet=None, unread={})


def _long_unread(turn: Turn) -> bool:
    """True where wake signals are unread, and each of them has been for long enough."""
    unread = turn.memory.unread
    return bool(unread) and all(turn.now - since >= UNREAD_S for since in unread.values())


def _may_wake(turn: Turn, brake: Brake) -> bool:
    """Only so many a minute in the whole fleet; one that is only observed takes nobody's place."""
    return turn.policy.mode is Mode.OBSERVE or brake.may_wake_on_doubt()
