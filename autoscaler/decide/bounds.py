"""The owner's bounds: the policy's own, and those of windows that are open. They are law."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.decide import hpa
from autoscaler.decide.calendar import Open, open_windows
from autoscaler.decide.guards import doubt
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import Vote
from autoscaler.model.decision import Reason, Stage
from autoscaler.model.policy import Fallback, Replicas


class Limits:
    """The lower and upper bound in force, and whose they are.

    The highest floor wins, the lowest ceiling wins, a floor beats a ceiling; all lie within the policy's own bounds.
    """

    def __init__(self, turn: Turn, replicas: Replicas, votes: Sequence[Vote]) -> None:
        opened = open_windows(turn.policy.schedule, turn.now) if turn.policy.schedule else ()
        self.floor = _highest(opened)
        self.ceiling = _lowest(opened)
        self.least = _at_least(turn, votes)
        floors = [replicas.min]
        if self.floor is not None and self.floor.window.min is not None:
            floors.append(self.floor.window.min)
        if self.least is not None:
            floors.append(self.least[1])
        turn.low = min(max(floors), replicas.max)
        high = replicas.max
        if self.ceiling is not None and self.ceiling.window.max is not None:
            high = min(high, self.ceiling.window.max)
        turn.high = max(high, turn.low)

    @property
    def floored(self) -> bool:
        """True while a window or a fallback asks for a minimum of its own."""
        return self.floor is not None or self.least is not None


def _highest(opened: Sequence[Open]) -> Open | None:
    floors = [each for each in opened if each.window.min is not None]
    return max(floors, key=lambda each: each.window.min or 0, default=None)


def _lowest(opened: Sequence[Open]) -> Open | None:
    ceilings = [each for each in opened if each.window.max is not None]
    return min(ceilings, key=lambda each: each.window.max or 0, default=None)


def _at_least(turn: Turn, votes: Sequence[Vote]) -> tuple[str, int] | None:
    """The highest floor of signals that are missing and say `failed: {at_least: …}`."""
    found = [
        (goal.signal, goal.asked.failed.at_least)
        for goal, each in zip(turn.plan.goals, votes, strict=False)
        if each.missing and isinstance(goal.asked.failed, Fallback) and goal.asked.failed.at_least is not None
    ]
    return max(found, key=lambda each: each[1], default=None)


def above(turn: Turn, limits: Limits) -> None:
    """Down to the ceiling whatever the signals say; on first sight only after one down window, never in a rollout."""
    down = turn.plan.behavior.down
    rest = turn.memory.first_seen + down.stabilization_s - turn.now
    reason, facts = Reason.ABOVE_MAXIMUM, {"limit": turn.high}
    replicas = turn.policy.replicas
    if limits.ceiling is not None and replicas is not None and turn.high < replicas.max:
        reason = Reason.WINDOW_CEILING
        facts |= {"window": limits.ceiling.window.name, "rest_s": limits.ceiling.until - turn.now}  # type: ignore[dict-item]
    if turn.state.rollout:
        turn.hold(Reason.ROLLOUT, Stage.GUARD)
    elif rest > 0 and turn.memory.applied is None:
        turn.hold(reason, Stage.BOUND, **facts, first_s=rest)
    else:
        allowed = hpa.policy_limit_down(turn.current, down, turn.memory.history, turn.now)
        turn.move(max(turn.high, min(allowed, turn.current)), reason, Stage.BOUND, **facts)


def below(turn: Turn, limits: Limits) -> None:
    """Up to the floor at once. Under doubt not less than our last order: the floor alone would forget a peak."""
    if limits.floor is not None and limits.floor.window.min == turn.low:
        rest = limits.floor.until - turn.now
        turn.move(turn.low, Reason.WINDOW_FLOOR, Stage.BOUND, window=limits.floor.window.name, rest_s=rest)
    elif limits.least is not None and limits.least[1] >= turn.low:
        turn.move(turn.low, Reason.AT_LEAST, Stage.BOUND, signal=limits.least[0])
    else:
        turn.move(turn.low, Reason.BELOW_MINIMUM, Stage.BOUND)
    doubt(turn)
