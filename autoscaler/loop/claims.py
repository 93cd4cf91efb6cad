"""Which policy steers a workload that several would: explicit beats selector, the one that steers it keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide.plan import Plan, prepare
from autoscaler.model.policy import Policy
from autoscaler.model.target import WorkloadRef


class Claim(msgspec.Struct, frozen=True):
    """One workload, the policy that steers it, and the selectors that were refused.

    `disputed` says that nobody knows which of them steered it before: it does not shrink until one of them goes.
    """

    ref: WorkloadRef
    policy: Policy
    refused: tuple[str, ...] = ()
    disputed: bool = False

    def plan(self) -> Plan:
        """The claim made ready for deciding."""
        plan = prepare(self.ref, self.policy)
        return msgspec.structs.replace(plan, claimed_by=self.refused) if self.disputed else plan

    def sentence(self) -> str:
        """What an owner is told of the policies that were refused."""
        others = ", ".join(self.refused)
        return f"claimed_twice: {self.ref.key} is steered by policy {self.policy.name}; refused: {others}"


def claimed(found: Sequence[tuple[WorkloadRef, Policy]], steering: Mapping[str, str]) -> list[Claim]:
    """One claim per workload, in the order of their keys. `steering` names the policy of each steered until now."""
    candidates: dict[str, list[tuple[WorkloadRef, Policy]]] = {}
    for ref, policy in found:
        candidates.setdefault(ref.key, []).append((ref, policy))
    return [_claim(candidates[key], steering.get(key)) for key in sorted(candidates)]


def _claim(candidates: Sequence[tuple[WorkloadRef, Policy]], incumbent: str | None) -> Claim:
    ref = candidates[0][0]
    explicit = [policy for _, policy in candidates if policy.target.explicit]
    if explicit:
        return Claim(ref, explicit[0])
    policies = sorted((policy for _, policy in candidates), key=lambda policy: policy.name)
    chosen = next((policy for policy in policies if policy.name == incumbent), None)
    steers = chosen or max(policies, key=lambda policy: policy.replicas.min if policy.replicas is not None else 0)
    refused = tuple(policy.name for policy in policies if policy is not steers)
    return Claim(ref, steers, refused, disputed=bool(refused) and chosen is None)
