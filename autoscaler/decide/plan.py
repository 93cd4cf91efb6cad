"""A policy made ready for deciding: targets in thousandths, behavior with its defaults. Done once, not every cycle."""

from __future__ import annotations

import msgspec

from autoscaler.decide.hpa import Behavior, Rate, Rules, Select
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
    behavior: Behavior
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


def _rules(given: asked.Direction, default: asked.Direction) -> Rules:
    stabilization = default.stabilization if given.stabilization is None else given.stabilization
    tolerance = default.tolerance if given.tolerance is None else given.tolerance
    rates = default.rates if given.rates is None else given.rates
    return Rules(
        stabilization_s=stabilization or 0.0,
        tolerance=tolerance or 0.0,
        rates=tuple(Rate(replicas=r.replicas, percent=r.percent, period_s=r.per) for r in rates or ()),
        select=Select(given.select.value),
    )


def prepare(ref: WorkloadRef, policy: asked.Policy) -> Plan:
    """The plan of one workload under one policy, with the HPA's defaults where the policy is silent."""
    behavior = Behavior(
        up=_rules(policy.behavior.up, asked.HPA_BEHAVIOR.up), down=_rules(policy.behavior.down, asked.HPA_BEHAVIOR.down)
    )
    return Plan(Workload(ref, policy), tuple(map(_goal, policy.signals)), behavior, fingerprint(policy))
