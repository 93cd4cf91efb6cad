"""A policy made ready for deciding: targets in thousandths, behavior with its defaults. Done once, not every cycle."""

from __future__ import annotations

import msgspec

from autoscaler.decide.hpa import DEFAULT_DOWN, DEFAULT_UP, Behavior, Legacy, Rate, Rules, Select, completed
from autoscaler.decide.hpa import milli as to_milli
from autoscaler.decide.memory import fingerprint
from autoscaler.model import policy as asked
from autoscaler.model.observation import Override, Pause, Workload
from autoscaler.model.target import WorkloadRef


class Goal(msgspec.Struct, frozen=True):
    """What a signal aims at: `kind` is the policy's key; `milli` the target in thousandths (utilization: percent)."""

    signal: str
    kind: str
    target: float
    milli: int


class Plan(msgspec.Struct, frozen=True):
    """One workload to decide, with everything about its policy that does not change from cycle to cycle."""

    workload: Workload
    goals: tuple[Goal, ...]
    behavior: Behavior | Legacy
    fingerprint: str

    @property
    def ref(self) -> WorkloadRef:
        """The workload's identity."""
        return self.workload.ref

    def controlled(self, pause: Pause | None, override: Override | None) -> Plan:
        """The same plan under what people said."""
        workload = self.workload
        if pause == workload.pause and override == workload.override:
            return self
        return msgspec.structs.replace(self, workload=Workload(workload.ref, workload.policy, pause, override))


def _goal(signal: asked.Signal) -> Goal:
    if signal.per_replica is not None:
        return Goal(signal.name, "per_replica", signal.per_replica, max(1, to_milli(signal.per_replica)))
    if signal.value is not None:
        return Goal(signal.name, "value", signal.value, max(1, to_milli(signal.value)))
    percent = round((signal.utilization or 0.0) * 100)
    return Goal(signal.name, "utilization", float(percent), max(1, percent))


def _rules(given: asked.Direction, default: Rules) -> Rules:
    rates = given.rates
    return completed(
        default,
        stabilization_s=given.stabilization,
        tolerance=given.tolerance,
        rates=None if rates is None else tuple(Rate(r.per, r.replicas, r.percent) for r in rates),
        select=Select(given.select.value),
    )


def prepare(ref: WorkloadRef, policy: asked.Policy) -> Plan:
    """The plan of one workload under one policy, with the HPA's defaults where the policy is silent."""
    behavior = Behavior(_rules(policy.behavior.up, DEFAULT_UP), _rules(policy.behavior.down, DEFAULT_DOWN))
    return Plan(Workload(ref, policy), tuple(map(_goal, policy.signals)), behavior, fingerprint(policy))
