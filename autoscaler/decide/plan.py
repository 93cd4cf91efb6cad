"""A policy made ready for deciding: targets in thousandths, behavior with its defaults. Done once, not every cycle."""

from __future__ import annotations

import msgspec

from autoscaler.decide.hpa import DEFAULT_DOWN, DEFAULT_UP, LEGACY, Behavior, Legacy, Rate, Rules, Select, completed
from autoscaler.decide.hpa import milli as to_milli
from autoscaler.decide.hpa.quantity import Tolerance
from autoscaler.decide.measured import wanted
from autoscaler.decide.memory import fingerprint, measures
from autoscaler.model import policy as asked
from autoscaler.model.observation import Override, Pause, Workload
from autoscaler.model.target import WorkloadRef

AT_ONCE = Rules(0.0, 0.1, (Rate(15.0, replicas=1_000_000),))  # what limits nothing


class Goal(msgspec.Struct, frozen=True):
    """What a signal aims at: `kind` is the policy's key; `milli` the target in thousandths (utilization: percent).

    A signal that only wakes has the kind `wake_above`, one that only tells something `told`; others have `votes`.
    `keeps` says that its last good load may be asked for later, `from_instances` that without any there is nothing to
    read, `of` is a word that changes when what it measures does, and `per` the unit of time it has, if any.
    """

    signal: str
    kind: str
    target: float
    milli: int
    asked: asked.Signal
    keeps: bool = False
    votes: bool = True
    from_instances: bool = False
    of: str = ""
    per: str = ""


class Plan(msgspec.Struct, frozen=True):
    """One workload to decide, with everything about its policy that does not change from cycle to cycle.

    `signals` are the names of all its signals, `voting` the goals that ask for a count, each with its place among them;
    `every_s` is the time between its decisions where the policy says so;
    `strict` leaves our guards out. `adaptive` sizes signals that have a capacity for what is expected, and `quick` then
    is how fast the count may change: as written, without the HPA's defaults. `beside` is the same with the other
    algorithm, where the policy compares the two; `learns` says that loads are learned for one of them. `measures` is
    what is read of instances only to tell who is due.
    """

    key: str  # the workload's
    workload: Workload
    goals: tuple[Goal, ...]
    behavior: Behavior | Legacy
    tolerance: Tolerance  # of the behavior
    fingerprint: str
    signals: tuple[str, ...] = ()
    voting: tuple[tuple[int, Goal], ...] = ()
    keeps: bool = False  # any of its goals does
    every_s: float | None = None
    strict: bool = False
    adaptive: bool = False
    learns: bool = False
    quick: Behavior | Legacy = Behavior()
    beside: Plan | None = None
    measures: tuple[asked.Signal, ...] = ()
    claimed_by: tuple[str, ...] = ()  # other policies that would steer it as well

    @property
    def ref(self) -> WorkloadRef:
        """The workload's identity."""
        return self.workload.ref

    def stride(self, cycle_s: float) -> int:
        """Every how many cycles it is decided."""
        return 1 if self.every_s is None else max(1, round(self.every_s / cycle_s))

    def controlled(self, pause: Pause | None, override: Override | None, resumed: float | None = None) -> Plan:
        """The same plan under what people said."""
        workload = self.workload
        if (pause, override, resumed) == (workload.pause, workload.override, workload.resumed):
            return self
        said = Workload(workload.ref, workload.policy, pause, override, resumed)
        return msgspec.structs.replace(self, workload=said)


def goal_of(signal: asked.Signal) -> Goal:
    """What a signal is measured against."""
    kind, target, thousandths = aim(signal)
    return Goal(
        signal.name,
        kind,
        target,
        thousandths,
        signal,
        keeps=signal.votes and isinstance(signal.failed, asked.Fallback) and signal.failed.last_good is not None,
        votes=signal.votes,
        from_instances=signal.from_instances,
        of=measures(signal),
        per="/s" if signal.per_second else "",
    )


def aim(signal: asked.Signal) -> tuple[str, float, int]:
    """Kind, target and thousandths of a signal's goal."""
    if signal.per_replica is not None:
        return "per_replica", signal.per_replica, max(1, to_milli(signal.per_replica))
    if signal.value is not None:
        return "value", signal.value, max(1, to_milli(signal.value))
    if signal.utilization is not None:
        percent = round(signal.utilization * 100)
        return "utilization", float(percent), max(1, percent)
    if signal.steps is not None:
        return "steps", 0.0, 0
    return "told" if signal.wake_above is None else "wake_above", signal.wake_above or 0.0, 0


def _rules(given: asked.Direction, default: Rules) -> Rules:
    rates = given.rates
    return completed(
        default,
        stabilization_s=given.stabilization,
        tolerance=given.tolerance,
        rates=None if rates is None else tuple(Rate(r.per, r.replicas, r.percent) for r in rates),
        select=Select(given.select.value),
    )


def _behavior(written: asked.Behavior | asked.Legacy, up: Rules, down: Rules) -> Behavior | Legacy:
    if isinstance(written, asked.Legacy):
        return LEGACY
    return Behavior(_rules(written.up, up), _rules(written.down, down))


def prepare(ref: WorkloadRef, policy: asked.Policy) -> Plan:
    """The plan of one workload under one policy, with the HPA's defaults where the policy is silent."""
    other = None
    if policy.compare is not None:  # what only looks neither observes nor replaces
        alone = {"algorithm": policy.compare, "compare": None, "mode": asked.Mode.ACT, "recycle": None}
        other = prepare(ref, msgspec.structs.replace(policy, **alone))
    behavior = _behavior(policy.behavior, DEFAULT_UP, DEFAULT_DOWN)
    goals = tuple(map(goal_of, policy.signals))
    adaptive = policy.algorithm is asked.Algorithm.ADAPTIVE
    return Plan(
        ref.key,
        Workload(ref, policy),
        goals,
        behavior,
        behavior.tolerance,
        fingerprint(policy),
        signals=tuple(signal.name for signal in policy.signals),
        voting=tuple((place, goal) for place, goal in enumerate(goals) if goal.votes),
        keeps=any(goal.keeps for goal in goals),
        every_s=policy.every,
        strict=policy.parity is asked.Parity.STRICT,
        adaptive=adaptive,
        learns=adaptive or (other is not None and other.adaptive),
        quick=_behavior(policy.behavior, AT_ONCE, AT_ONCE),
        beside=other,
        measures=() if policy.recycle is None else wanted(policy.recycle.when),
    )
