"""Idle: fewer than the minimum while nobody needs it, and back at once when somebody does."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscaler.decide.brake import Brake
from autoscaler.decide.plan import Goal
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Vote
from autoscaler.model.decision import Reason, Stage
from autoscaler.model.policy import Empty, NotANumber, OnDoubt, ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series

UNREAD_S = 300.0  # unread for so long, all wake signals together may wake on doubt
DOUBT_SHARE = 0.05  # of the fleet, woken on doubt in one minute


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
                facts = {"signal": goal.signal, "detail": reading.detail if isinstance(reading, Missing) else ""}
                turn.note(Reason.WAKE_UNREAD, Stage.IDLE, **facts)
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

    `floor` is True while a window or a fallback asks for a minimum of its own: that beats idle.
    """
    idle = turn.policy.idle
    assert idle is not None
    wakes = Wakes(turn)
    turn.remember(unread=_unread(turn, wakes))
    asleep = turn.memory.idle is not None and turn.current <= idle.replicas
    if asleep and floor:
        turn.remember(idle=None, quiet=None)
        return False
    if asleep:
        _asleep(turn, votes, wakes, brake)
        return True
    quiet = not floor and not turn.missing and not wakes.above and not wakes.unread and _nothing_asked(turn, votes)
    since = (turn.memory.quiet if turn.memory.quiet is not None else turn.now) if quiet else None
    if since != turn.memory.quiet:
        turn.remember(quiet=since)
    if since is None or turn.current <= idle.replicas:
        return False
    rest = since + idle.after - turn.now
    if rest > 0:
        turn.note(Reason.IDLE_SOON, Stage.IDLE, rest_s=rest, idle=idle.replicas)
        return False
    turn.move(idle.replicas, Reason.IDLE, Stage.IDLE, after_s=idle.after)
    turn.by_load = True
    return True


def _nothing_asked(turn: Turn, votes: Sequence[Vote]) -> bool:
    return all(each.count is None or each.count <= turn.low for each in votes)


def _unread(turn: Turn, wakes: Wakes) -> float | None:
    """Since when no wake signal at all could be read."""
    if not wakes.unread or wakes.above or wakes.quiet:
        return None
    return turn.memory.unread if turn.memory.unread is not None else turn.now


def _asleep(turn: Turn, votes: Sequence[Vote], wakes: Wakes, brake: Brake) -> None:
    idle, memory = turn.policy.idle, turn.memory
    assert idle is not None
    wishes = [each.count for each in votes if each.count is not None and not each.missing]
    asking = [each.step.facts.get("signal") for each in votes if each.count is not None and each.count > turn.low]
    awake = min(max([turn.low, *wishes]), turn.high)
    if wakes.above or asking:
        turn.move(awake, Reason.WOKEN, Stage.IDLE, signal=wakes.above[0] if wakes.above else asking[0])
    elif (
        idle.on_doubt is OnDoubt.WAKE
        and memory.unread is not None
        and turn.now - memory.unread >= UNREAD_S
        and brake.may_wake_on_doubt(DOUBT_SHARE)
    ):
        turn.move(awake, Reason.WOKEN_ON_DOUBT, Stage.IDLE, for_s=turn.now - memory.unread)
    else:
        turn.move(idle.replicas, Reason.IDLE, Stage.IDLE, since_s=turn.now - (memory.idle or turn.now))
        return
    turn.remember(quiet=None, unread=None)
