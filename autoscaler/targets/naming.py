"""The identity of the workload a policy names."""

from __future__ import annotations

from autoscaler.model.policy import Policy
from autoscaler.model.target import WorkloadRef


def named(policy: Policy, instance: str = "default") -> WorkloadRef:
    """The workload of an explicit target; `instance` is the engine or cluster it is on.

    A selector has none; where no platform is asked, one named like the policy stands for all it may find.
    """
    target = policy.target
    if target.compose is not None:
        return service(target.compose.project, target.compose.service or policy.name, instance)
    if target.kubernetes is not None:
        at = target.kubernetes
        return WorkloadRef("kubernetes", at.namespaces[0], at.full_kind, at.name or policy.name, instance)
    return WorkloadRef("process", "local", "process", policy.name, instance)


def service(project: str, name: str, instance: str = "default") -> WorkloadRef:
    """The workload of one compose service."""
    return WorkloadRef("compose", project, "service", name, instance)
