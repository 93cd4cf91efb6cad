"""One signal's vote: a reading and a goal become the count that signal asks for, or no opinion, or doubt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide.hpa import average_value, cut, milli, value
from autoscaler.decide.hpa.pods import Failure
from autoscaler.decide.hpa.quantity import Tolerance, within
from autoscaler.decide.memory import Good, Memory
from autoscaler.decide.per_instance import proposed
from autoscaler.decide.plan import Goal
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.policy import Empty, Fallback, LoadStep, NotANumber, Plausible, ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState

COVERAGE = 0.8  # of the ready instances, unless the policy says otherwise

# looking a member up in its enum takes as long as reckoning a vote's count
_SIGNAL, _ABOVE, _BELOW = Stage.SIGNAL, Reason.ABOVE_TARGET, Reason.BELOW_TARGET
_WITHIN, _ON_TARGET = Reason.WITHIN_TOLERANCE, Reason.ON_TARGET


class Vote(msgspec.Struct, frozen=True, gc=False):
    """What one signal says: the count it asks for (None: no opinion), whether its data is in doubt, and why.

    A vote in doubt may still ask for a count: the last good one, or what the data that is there asks for. `measured`
    is the value it was reckoned from, as it would stand in a reading of one point. `sized` says that the count is for
    the load that is expected; `notes` say why it is not.
    """

    count: int | None
    step: Step
    missing: bool = False
    measured: float | None = None
    sized: bool = False
    notes: tuple[Step, ...] = ()


class Ballot(msgspec.Struct, frozen=True, gc=False):
    """What votes are reckoned from: the state, the count, what is near enough to a target, and what is remembered.

    `strict` reckons as the HPA does where our own care differs from it; `cycle_s` is the time between two looks.
    """

    state: TargetState
    current: int
    tolerance: Tolerance
    memory: Memory
    vouchers: Mapping[str, Reading]
    now: float
    strict: bool = False
    cycle_s: float = 15.0


def vote(goal: Goal, reading: Reading, ballot: Ballot) -> Vote:
    """The vote of one signal.

    Instances that should be in the data but could not be read count as loaded to their target when that would shrink
    the workload, and as empty when it would grow.
    """
    signal = goal.asked
    if signal.from_instances and ballot.state.existing == 0:
        return _no_opinion(goal, ballot, "nothing runs, so there is nothing to read")
    waived = False
    if isinstance(reading, Missing):
        verdict = _waived(goal, reading, ballot)
        if verdict is None:
            return _fallback(goal, reading, ballot)
        if isinstance(verdict, Vote):
            return verdict
        reading, waived = verdict, True
    implausible = _implausible(signal.plausible, reading.points) if signal.plausible is not None else None
    if implausible is not None:
        return _fallback(goal, implausible, ballot)
    uncovered = _uncovered(goal, reading, ballot.memory) if reading.found is not None else None
    counted = _counted(goal, reading, ballot, waived=waived)
    if uncovered is None:
        return counted
    facts = {**counted.step.facts, "why": uncovered.why.value, "detail": uncovered.detail}
    step = Step(Stage.SIGNAL, ballot.current, counted.step.after, Reason.SIGNAL_MISSING, facts)
    return Vote(counted.count, step, missing=True)


def _counted(goal: Goal, reading: Series, ballot: Ballot, *, waived: bool) -> Vote:
    current, unread, age = ballot.current, reading.unread, reading.age_s
    if (ballot.strict or reading.samples) and goal.kind != "steps":
        failure, asked, load = _asked_of_pods(goal, reading, ballot)
        if failure is not None:
            return _fallback(goal, failure, ballot)
    else:
        asked, load = _asked_with_care(goal, reading, ballot)
    facts: dict[str, Fact] = {
        "signal": goal.signal, "goal": goal.kind, "load": load, "target": goal.target, "ready": ballot.state.ready,
    }  # fmt: skip
    if unread:
        facts["unread"] = len(unread)
    if age is not None:
        facts["age_s"] = age
    if waived:
        facts["waived"] = True
    at_most = goal.asked.at_most
    if at_most is not None and asked > at_most:
        facts["asked"] = asked
        asked, reason = at_most, Reason.AT_MOST
    else:
        reason = _reason(goal, asked, load, ballot)
    measured = _measured(goal, reading) if goal.keeps else None
    return Vote(asked, Step(_SIGNAL, current, asked, reason, facts), measured=measured)


def _with_unread(goal: Goal, reading: Series, asked: int, load: float, ballot: Ballot) -> tuple[int, float]:
    """The same with the instances that could not be read: loaded where it shrinks, empty where it grows."""
    current, unread = ballot.current, reading.unread
    if asked < current and goal.kind == "steps":  # a rung says nothing of one instance
        return current, load
    if asked < current:
        asked, load = _ask(goal, reading.points + (Point(_full(goal)),) * len(unread), ballot)
        return min(asked, current), load
    if asked > current:
        asked, load = _ask(goal, reading.points + (Point(0.0),) * len(unread), ballot)
        return max(asked, current), load
    return asked, load


def _asked_with_care(goal: Goal, reading: Series, ballot: Ballot) -> tuple[int, float]:
    """The count and its load; what could not be read is taken for loaded when shrinking, for empty when growing."""
    asked, load = _ask(goal, reading.points, ballot)
    return _with_unread(goal, reading, asked, load, ballot) if reading.unread else (asked, load)


def _asked_of_pods(goal: Goal, reading: Series, ballot: Ballot) -> tuple[Missing | None, int, float]:
    """The same as the HPA has it, or why it has nothing."""
    state, current = ballot.state, ballot.current
    if goal.asked.from_instances and reading.points[0].instance:
        made = proposed(goal, reading, state, current, ballot.tolerance, ballot.now, ballot.cycle_s)
        if isinstance(made, Failure):
            said = made.value.replace("_", " ")
            if made is Failure.NO_USABLE_SAMPLES:
                said = "all that was read is of instances that only start, or go"
            return Missing(MissingWhy.FAILED, f"the HPA has no answer: {said}"), current, 0.0
        load = float(made.utilization) if made.utilization is not None else (made.usage or 0) / 1000
        if goal.kind == "per_replica":  # like everywhere, the load of all
            load = sum(point.value for point in reading.points)
        return None, made.replicas, load
    asked, load = _asked_with_care(goal, reading, ballot)
    if goal.kind != "per_replica" and current and not state.existing and asked != current:
        return Missing(MissingWhy.FAILED, "nothing runs, and the HPA multiplies by what is ready"), current, load
    return None, asked, load


# data that is not there


def _waived(goal: Goal, reading: Missing, ballot: Ballot) -> Series | Vote | None:
    """What the owner says an empty answer or a NaN means; None where it means doubt."""
    signal = goal.asked
    if reading.why is MissingWhy.EMPTY:
        ignored = signal.empty is Empty.IGNORE
    elif reading.why is MissingWhy.NAN:
        ignored = signal.nan is NotANumber.IGNORE
    else:
        return None
    if _zero(goal, reading, ballot.vouchers):
        return Series((Point(0.0),))
    return _no_opinion(goal, ballot, f"{reading.why.value} is to be ignored") if ignored else None


def _zero(goal: Goal, reading: Missing, vouchers: Mapping[str, Reading]) -> bool:
    """Whether the owner says that this kind of nothing is no load."""
    signal = goal.asked
    if reading.why is MissingWhy.NAN:
        return signal.nan is NotANumber.ZERO
    if reading.why is not MissingWhy.EMPTY:
        return False
    vouched = isinstance(signal.empty, ZeroIf) and isinstance(vouchers.get(signal.name), Series)
    return vouched or signal.empty is Empty.ZERO


def whole_load(goal: Goal, reading: Reading, vouchers: Mapping[str, Reading], memory: Memory) -> float | None:
    """All of a load that adds up, or None where part of it is in doubt."""
    if isinstance(reading, Missing):
        return 0.0 if _zero(goal, reading, vouchers) else None
    plausible = goal.asked.plausible
    if reading.unread or (plausible is not None and _implausible(plausible, reading.points) is not None):
        return None
    if reading.found is not None and _uncovered(goal, reading, memory) is not None:
        return None
    return sum([point.value for point in reading.points])


def _no_opinion(goal: Goal, ballot: Ballot, because: str) -> Vote:
    facts: dict[str, Fact] = {"signal": goal.signal, "because": because}
    return Vote(None, Step(Stage.SIGNAL, ballot.current, ballot.current, Reason.SIGNAL_WAIVED, facts))


def _fallback(goal: Goal, reading: Missing, ballot: Ballot) -> Vote:
    """Doubt, and what the policy's `failed` asks for meanwhile."""
    facts: dict[str, Fact] = {"signal": goal.signal, "why": reading.why.value, "detail": reading.detail}
    failed = goal.asked.failed
    good = ballot.memory.good.get(goal.signal)
    if isinstance(failed, Fallback) and failed.last_good is not None and good is not None:
        age = ballot.now - good.at
        if age <= failed.last_good:
            asked, _ = _ask(goal, (Point(good.load),), ballot)
            facts |= {"load": good.load, "age_s": age}
            return Vote(asked, Step(Stage.SIGNAL, ballot.current, asked, Reason.LAST_GOOD, facts), missing=True)
    return Vote(None, Step(Stage.SIGNAL, ballot.current, ballot.current, Reason.SIGNAL_MISSING, facts), missing=True)


def _implausible(bounds: Plausible, points: Sequence[Point]) -> Missing | None:
    for point in points:
        if (bounds.min is not None and point.value < bounds.min) or (
            bounds.max is not None and point.value > bounds.max
        ):
            return Missing(MissingWhy.IMPLAUSIBLE, f"{point.value:g} cannot be, says `plausible`")
    return None


def _uncovered(goal: Goal, reading: Series, memory: Memory) -> Missing | None:
    """Doubt where too few of the ready instances are in the data, once it was seen to name them."""
    assert reading.found is not None
    if not reading.expected or (not reading.found and goal.signal not in memory.covered):
        return None
    share = len(set(reading.found) & set(reading.expected)) / len(reading.expected)
    wanted = COVERAGE if goal.asked.coverage is None else goal.asked.coverage
    if share >= wanted:
        return None
    there = len(set(reading.found) & set(reading.expected))
    return Missing(
        MissingWhy.UNCOVERED, f"{there} of {len(reading.expected)} ready instances are in it, {wanted:.0%} are needed"
    )


# arithmetic


def _measured(goal: Goal, reading: Series) -> float:
    total = sum(point.value for point in reading.points)
    return total if goal.kind in ("per_replica", "steps") else total / len(reading.points)


def _full(goal: Goal) -> float:
    return goal.target / 100 if goal.kind == "utilization" else goal.target


def _reason(goal: Goal, asked: int, load: float, ballot: Ballot) -> Reason:
    if goal.kind == "steps":
        return Reason.ON_STEP
    if asked > ballot.current:
        return _ABOVE
    if asked < ballot.current:
        return _BELOW
    carried = goal.target * ballot.state.existing if goal.kind == "per_replica" else goal.target
    ratio = load / carried if carried else 0.0
    return _WITHIN if within(ratio, ballot.tolerance) else _ON_TARGET


def _ask(goal: Goal, points: Sequence[Point], ballot: Ballot) -> tuple[int, float]:
    """The count and the load it was reckoned from: the sum for per_replica and steps, the mean for the ratio goals.

    A mean is multiplied by the ready count, or by all instances it was made from: a sick one may be among them.
    """
    thousandths = milli(points[0].value) if len(points) == 1 else sum([milli(point.value) for point in points])
    state, tolerance = ballot.state, ballot.tolerance
    if goal.kind == "per_replica":
        return average_value(thousandths, goal.milli, state.existing, tolerance), thousandths / 1000
    if goal.kind == "steps":
        return _rung(goal.asked.steps or (), thousandths / 1000), thousandths / 1000
    carriers = max(state.ready, len(points)) if points[0].instance else state.ready
    if goal.kind == "utilization":
        percent = cut(thousandths * 100, 1000 * len(points))
        return value(percent, goal.milli, ballot.current, carriers, tolerance), float(percent)
    average = cut(thousandths, len(points))
    return value(average, goal.milli, ballot.current, carriers, tolerance), average / 1000


def _rung(rungs: Sequence[LoadStep], load: float) -> int:
    """The replicas of the highest rung below the load; none where the load is below all."""
    return max((rung.replicas for rung in rungs if load > rung.above), default=0)


def kept(
    memory: Memory, goals: Sequence[Goal], votes: Sequence[Vote], readings: Sequence[Reading], now: float
) -> Memory:
    """The memory with what later votes fall back on: last good loads, and which signals name instances.

    `votes` are those of the goals that vote, in the same order.
    """
    voting = [(goal, each) for goal, each in zip(goals, readings, strict=True) if goal.votes]
    good = {
        goal.signal: Good(each.measured, now)
        for (goal, _), each in zip(voting, votes, strict=True)
        if each.measured is not None and not each.missing
    }
    named = tuple(
        goal.signal
        for goal, each in voting
        if isinstance(each, Series) and each.found and goal.signal not in memory.covered
    )
    if not good and not named:
        return memory
    return msgspec.structs.replace(memory, good={**memory.good, **good}, covered=memory.covered + named)
