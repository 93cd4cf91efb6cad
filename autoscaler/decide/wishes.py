"""One signal's wish: a reading and a goal become the count that signal asks for."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.decide.hpa import Behavior, Legacy, average_value, cut, milli, value, winner
from autoscaler.decide.hpa.quantity import within
from autoscaler.decide.plan import Goal
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.signal import Missing, Point, Reading
from autoscaler.model.target import TargetState


def wish(
    goal: Goal, reading: Reading, state: TargetState, behavior: Behavior | Legacy, current: int
) -> tuple[int | None, Step]:
    """The count this signal asks for and the step that says why; None where it has no reading.

    Instances that should be in the data but could not be read count as loaded to their target when that would shrink
    the workload, and as empty when it would grow.
    """
    if isinstance(reading, Missing):
        facts: dict[str, Fact] = {"signal": goal.signal, "why": reading.why.value, "detail": reading.detail}
        return None, Step(Stage.SIGNAL, current, current, Reason.SIGNAL_MISSING, facts)
    asked, load = _ask(goal, reading.points, state, behavior, current)
    if reading.unread and asked < current:
        loaded = tuple(Point(_full(goal)) for _ in reading.unread)
        asked, load = _ask(goal, reading.points + loaded, state, behavior, current)
        asked = min(asked, current)
    elif reading.unread and asked > current:
        empty = tuple(Point(0.0) for _ in reading.unread)
        asked, load = _ask(goal, reading.points + empty, state, behavior, current)
        asked = max(asked, current)
    carried = goal.target * state.existing if goal.kind == "per_replica" else goal.target
    ratio = load / carried if carried else 0.0
    facts = {"signal": goal.signal, "goal": goal.kind, "load": load, "target": goal.target, "ready": state.ready}
    if reading.unread:
        facts["unread"] = len(reading.unread)
    if reading.age_s is not None:
        facts["age_s"] = reading.age_s
    return asked, Step(Stage.SIGNAL, current, asked, _reason(asked, current, ratio, behavior), facts)


def _full(goal: Goal) -> float:
    return goal.target / 100 if goal.kind == "utilization" else goal.target


def _reason(asked: int, current: int, ratio: float, behavior: Behavior | Legacy) -> Reason:
    if asked > current:
        return Reason.ABOVE_TARGET
    if asked < current:
        return Reason.BELOW_TARGET
    return Reason.WITHIN_TOLERANCE if within(ratio, behavior.tolerance) else Reason.ON_TARGET


def _ask(
    goal: Goal, points: Sequence[Point], state: TargetState, behavior: Behavior | Legacy, current: int
) -> tuple[int, float]:
    """The count and the load it was reckoned from: the sum for per_replica, the mean for the ratio goals.

    A mean is multiplied by the ready count, or by all instances it was made from: a sick one may be among them.
    """
    thousandths = sum(milli(point.value) for point in points)
    tolerance = behavior.tolerance
    if goal.kind == "per_replica":
        return average_value(thousandths, goal.milli, state.existing, tolerance), thousandths / 1000
    carriers = max(state.ready, len(points)) if points[0].instance else state.ready
    if goal.kind == "utilization":
        percent = cut(thousandths * 100, 1000 * len(points))
        return value(percent, goal.milli, current, carriers, tolerance), float(percent)
    average = cut(thousandths, len(points))
    return value(average, goal.milli, current, carriers, tolerance), average / 1000


def largest(asked: Sequence[tuple[int | None, Step]], current: int) -> Step:
    """`combine: max`: the step to the largest wish; the first wins a tie. Without any wish the current count stays."""
    place = winner(count for count, _ in asked)
    if place is None:
        return Step(Stage.COMBINE, current, current, Reason.NO_OPINION)
    count, said = max(0, asked[place][0] or 0), asked[place][1]
    if len(asked) == 1:
        return Step(Stage.COMBINE, current, count, said.reason)
    votes = sum(count is not None for count, _ in asked)
    return Step(Stage.COMBINE, current, count, Reason.LARGEST_WISH, {"winner": said.facts["signal"], "votes": votes})
