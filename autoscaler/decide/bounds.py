"""The owner's bounds: the policy's own, and those of windows that are open. They are law."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.decide import hpa
from autoscaler.decide.calendar import Open, open_windows
from autoscaler.decide.guards import ALWAYS, flapping
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Vote
from autoscaler.model.decision import Fact, Reason, Stage
from autoscaler.model.policy import Fallback, Replicas, Window


class Limits:
    """The lower and upper bound in force, and whose they are.

    Of windows the highest floor wins, the lowest ceiling wins, a floor beats a ceiling; the fallback `at_least` of a
    signal is a floor below all ceilings. All lie within the policy's own bounds.
    """

    def __init__(self, turn: Turn, replicas: Replicas, votes: Sequence[Vote]) -> None:
        opened = open_windows(turn.policy.schedule, turn.now) if turn.policy.schedule else ()
        self.floor = _highest(opened) if opened else None
        self.ceiling = _lowest(opened) if opened else None
        self.least = _at_least(turn, votes) if turn.missing else None
        low, high = replicas.min, replicas.max
        if self.floor is not None:
            low = min(max(low, self.floor.window.min or 0), high)
        if self.ceiling is not None:
            high = max(min(high, self.ceiling.window.max or high), low)
        if self.least is not None:
            low = min(max(low, self.least[1]), high)
        turn.low, turn.high = low, high

    def owner(self, bound: int, *, upper: bool) -> dict[str, Fact]:
        """The fact that a bound in force is a window's, where it is."""
        opened = self.ceiling if upper else self.floor
        if opened is None or (opened.window.max if upper else opened.window.min) != bound:
            return {}
        return {"window": opened.window.name}


def _highest(opened: Sequence[Open[Window]]) -> Open[Window] | None:
    floors = [each for each in opened if each.window.min is not None]
    return max(floors, key=lambda each: each.window.min or 0, default=None)


def _lowest(opened: Sequence[Open[Window]]) -> Open[Window] | None:
    ceilings = [each for each in opened if each.window.max is not None]
    return min(ceilings, key=lambda each: each.window.max or 0, default=None)


def _at_least(turn: Turn, votes: Sequence[Vote]) -> tuple[str, int] | None:
    """The highest floor of signals that are missing and say `failed: {at_least: …}`."""
    found = [
        (goal.signal, goal.asked.failed.at_least)
        for (_, goal), each in zip(turn.plan.voting, votes, strict=False)
        if each.missing and isinstance(goal.asked.failed, Fallback) and goal.asked.failed.at_least is not None
    ]
    return max(found, key=lambda each: each[1], default=None)


def lowered(turn: Turn, limits: Limits) -> None:
    """Down to the ceiling whatever the signals say, as fast as `behavior.down` allows; never in a rollout.

    On first sight only after one down window. A spent budget, a contest and a second claim hold it up as well.
    """
    reason, facts = _ceiling(turn, limits)
    down, memory = turn.plan.behavior.down, turn.memory
    rest = memory.first_seen + down.stabilization_s - turn.now
    if turn.plan.strict:
        turn.move(turn.high, reason, Stage.BOUND, **facts)
    elif turn.state.rollout:
        turn.hold(Reason.ROLLOUT, Stage.GUARD)
    elif rest > 0 and memory.applied is None and not memory.conflicts:
        turn.hold(reason, Stage.BOUND, **facts, first_s=rest)
    else:
        if down.select is hpa.Select.DISABLED:  # forbids to shrink by signals; a ceiling is law
            down = msgspec.structs.replace(down, select=hpa.Select.MAX)
        allowed = hpa.policy_limit_down(turn.current, down, memory.history, turn.now)
        turn.move(max(turn.high, min(allowed, turn.current)), reason, Stage.BOUND, **facts)
        flapping(turn)
    for guard in ALWAYS:
        guard(turn)


def _ceiling(turn: Turn, limits: Limits) -> tuple[Reason, dict[str, Fact]]:
    replicas, window = turn.policy.replicas, limits.ceiling
    if window is None or replicas is None or turn.high >= replicas.max:
        return Reason.ABOVE_MAXIMUM, {"limit": turn.high}
    rest = window.until - turn.now
    return Reason.WINDOW_CEILING, {"limit": turn.high, "window": window.window.name, "rest_s": rest}


def raised(turn: Turn, limits: Limits) -> None:
    """Up to the floor at once, where less is on its way."""
    if turn.count >= turn.low:
        return
    floor = limits.floor
    if limits.least is not None and limits.least[1] >= turn.low:
        turn.move(turn.low, Reason.AT_LEAST, Stage.BOUND, signal=limits.least[0])
    elif floor is not None and (floor.window.min or 0) >= turn.low:
        rest = floor.until - turn.now
        facts: dict[str, Fact] = {"running": turn.current, "window": floor.window.name, "rest_s": rest}
        turn.move(turn.low, Reason.WINDOW_FLOOR, Stage.BOUND, **facts)
    else:
        turn.move(turn.low, Reason.BELOW_MINIMUM, Stage.BOUND, running=turn.current)
