"""How much one instance of a workload carries, as a policy says or as it was found out, and what that takes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from autoscaler.decide.adaptive import capacity
from autoscaler.decide.adaptive.capacity import Known, Look
from autoscaler.decide.adaptive.carried import Carrier, carrier
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Goal, Plan
from autoscaler.decide.turn import Turn
from autoscaler.decide.votes import whole_load
from autoscaler.model.decision import Fact, Reason, Stage, Step
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Capacity, Objective, Signal
from autoscaler.model.signal import Missing, Series

HIGHEST = 1e15  # no load is this large, and its squares still fit
FINE = 0.02  # a learned capacity is rounded down by at most so much, so that few tables are made
SEEN_LOWER = 0.99  # of what was said: nearer than this is the same
AT_THE_END = 0.01  # of the furthest the objective's loop may go


class Carry(msgspec.Struct, frozen=True):
    """What instances carry: `each` is the most that one can serve, `scale` what the table is stretched by for it."""

    carrier: Carrier
    each: float
    scale: float

    def count(self, need: float) -> int:
        """The least count that carries this load with a little to spare."""
        return self.carrier.count(need / self.scale)

    def bare(self, need: float) -> int:
        """The least count by capacity alone, without any objective."""
        return carrier(1.0).count(need / self.each)


def sizable(goal: Goal) -> bool:
    """Whether a signal's load can be sized for."""
    return goal.asked.capacity is not None and goal.kind == "per_replica"


def unit(plan: Plan, goal: Goal) -> float:
    """About the load that one instance carries; it stays the same whatever is found out."""
    said = _said(goal)
    return _carrier(plan, goal.target if said is None else said).unit


def carry(turn: Turn, goal: Goal) -> Carry | None:
    """What instances carry, as far as that is known."""
    found, said = turn.memory.carries.get(goal.signal), _said(goal)
    each = said if found is None else found.carries(said)
    if each is None:
        return None
    factor = 1.0 if found is None else found.factor
    table = math.exp(math.floor(math.log(each) / FINE) * FINE) if said is None else said
    return Carry(_carrier(turn.plan, table), each, each / table * factor)


def known(plan: Plan, seen: Seen, memory: Memory, now: float) -> dict[str, Known]:
    """What is known of the capacity of each signal after this look; one that cannot be read whole adds nothing."""
    policy, aim = plan.workload.policy, plan.workload.policy.objective
    share = aim is not None and aim.good is not None
    told = [goal for goal in plan.goals if sizable(goal) and (share or _asked_about(goal.asked))]
    if isinstance(seen.state, Missing) or not (told or memory.carries):
        return memory.carries
    loads = _Loads(plan, seen, memory)
    what: dict[str | None, str] = {goal.signal: goal.of for goal in plan.goals}
    slow = None if aim is None else _slow(loads, aim.good, aim.total)
    carries: dict[str, Known] = {}
    for goal in told:
        asked = goal.asked
        look = Look(
            of=_of(asked, what, aim),
            ready=seen.state.ready,
            load=loads.get(goal.signal),
            served=None if asked.served is None else loads.get(asked.served),
            busy=None if asked.busy is None else _mean(plan, seen, asked.busy),
            took=None if asked.latency is None else _mean(plan, seen, asked.latency),
            service_s=None if aim is None else aim.service_time,
            slow=slow,
            counted=1.0 if aim is None or aim.total is None else loads.get(aim.total) or 0.0,
            aim=None if aim is None or aim.target is None else 1.0 - aim.target,
            said=_said(goal),
            decides=memory.sized,
            most=policy.replicas is not None and seen.state.existing >= policy.replicas.max,
        )
        carries[goal.signal] = capacity.looked(memory.carries.get(goal.signal), look, now)
    return carries


class _Loads:
    """The whole loads of a look, by the signal's name."""

    def __init__(self, plan: Plan, seen: Seen, memory: Memory) -> None:
        self._pairs = {goal.signal: (goal, each) for goal, each in zip(plan.goals, seen.readings, strict=False)}
        self._seen, self._memory = seen, memory

    def get(self, name: str) -> float | None:
        """None: not there, in doubt, or no load."""
        if name not in self._pairs:
            return None
        goal, reading = self._pairs[name]
        load = whole_load(goal, reading, self._seen.vouchers, self._memory)
        return load if load is not None and 0 <= load < HIGHEST else None


def _slow(loads: _Loads, good: str | None, total: str | None) -> float | None:
    """The share of bad requests; None where none came or not all is known."""
    if good is None or total is None:
        return None
    well, all_of = loads.get(good), loads.get(total)
    if well is None or not all_of:
        return None
    return min(max(1.0 - well / all_of, 0.0), 1.0)


def _asked_about(asked: Signal) -> bool:
    """Whether other signals tell what happens to this one's load."""
    return not (asked.busy is None and asked.latency is None and asked.served is None)


def _of(asked: Signal, what: Mapping[str | None, str], aim: Objective | None) -> str:
    """What a capacity is found out of: with another of these it is another one."""
    beside = [what.get(name) for name in (asked.busy, asked.served)]
    if asked.latency is not None:
        beside.append(what.get(asked.latency))
    return "|".join(map(str, (what[asked.name], asked.capacity, *beside, aim)))


def _mean(plan: Plan, seen: Seen, name: str) -> float | None:
    """The mean of what is measured of the instances, where all of them could be read."""
    for goal, reading in zip(plan.goals, seen.readings, strict=False):
        if goal.signal == name and isinstance(reading, Series) and not reading.unread and reading.points:
            return sum([point.value for point in reading.points]) / len(reading.points)
    return None


def _said(goal: Goal) -> float | None:
    said = goal.asked.capacity
    return None if isinstance(said, Capacity) else said


def _carrier(plan: Plan, each: float) -> Carrier:
    aim = plan.workload.policy.objective
    return carrier(each) if aim is None or aim.latency is None else carrier(each, aim.latency, aim.service_time)


# in words


def unknown(turn: Turn, goal: Goal) -> Step:
    """Why the plain rule decides: there is no capacity, or it is not known well enough."""
    if goal.asked.capacity is None:
        return _note(turn, Reason.CAPACITY_UNKNOWN, {"signal": goal.signal})
    found = turn.memory.carries.get(goal.signal)
    told = [] if found is None else [(found.off, capacity.BY_CPU), (found.waits.off, capacity.BY_WAITS)]
    sure = min([(off, by) for off, by in told if off is not None], default=None)
    because = "not enough was seen yet" if sure is None else f"{sure[1]} tells it to {100 * sure[0]:.0f} % only"
    return _note(turn, Reason.CAPACITY_LEARNING, {"signal": goal.signal, "because": because})


def notes(turn: Turn, goal: Goal, carried: Carry, need: float) -> tuple[Step, ...]:
    """What was found out of the capacity, and what the objective costs."""
    found, said = turn.memory.carries.get(goal.signal), _said(goal)
    if found is None:
        return ()
    made: list[Step] = []
    facts: dict[str, Fact] = {"signal": goal.signal, "capacity": carried.each}
    if said is not None and carried.each < SEEN_LOWER * said:
        made.append(_note(turn, Reason.CAPACITY_LOWERED, {**facts, "said": said}))
    elif said is None and (learned := found.learned) is not None:
        told: dict[str, Fact] = {"within": 100 * learned.off, "source": learned.by}
        made.append(_note(turn, Reason.CAPACITY_LEARNED, {**facts, **told}))
    elif said is None:
        made.append(_note(turn, Reason.CAPACITY_SEEN, {**facts, "looks": found.proofs}))
    if found.slow_looks:
        made.append(_objective(turn, goal, found, carried, need))
    return tuple(made)


def _objective(turn: Turn, goal: Goal, found: Known, carried: Carry, need: float) -> Step:
    aim = turn.policy.objective
    assert aim is not None  # what is slow is only counted for an aim
    assert aim.target is not None
    facts: dict[str, Fact] = {
        "signal": goal.signal, "good": 100 * (1 - found.slow), "aim": 100 * aim.target,
        "needs": carried.count(need), "bare": carried.bare(need),
    }  # fmt: skip
    at_end = found.room < AT_THE_END - capacity.FURTHEST
    full = turn.policy.replicas is not None and turn.current >= turn.policy.replicas.max
    if 1 - found.slow >= aim.target or not (at_end or full):
        return _note(turn, Reason.OBJECTIVE_COSTS, facts)
    facts["because"] = "twice the room did not help" if at_end else "replicas.max allows no more"
    return _note(turn, Reason.OBJECTIVE_UNMET, facts)


def _note(turn: Turn, reason: Reason, facts: Mapping[str, Fact]) -> Step:
    return Step(Stage.SIGNAL, turn.current, turn.current, reason, dict(facts))
