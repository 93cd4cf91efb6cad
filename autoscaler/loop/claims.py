"""Which policy steers a workload that several would: explicit beats selector, the one that steers it keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide.memory import fingerprint
from autoscaler.decide.plan import Plan, prepare
from autoscaler.model.policy import Combine, Policy, Replicas, Signal
from autoscaler.model.target import WorkloadRef


class Claim(msgspec.Struct, frozen=True):
    """One workload, the policy that steers it, and the selectors that were refused.

    `rivals` are their policies where nobody knows which of all steered it before: until one of them goes the largest
    wish wins, and it does not shrink.
    """

    ref: WorkloadRef
    policy: Policy
    refused: tuple[str, ...] = ()
    rivals: tuple[Policy, ...] = ()

    @property
    def disputed(self) -> bool:
        """True where nobody knows who steered it."""
        return bool(self.rivals)

    def plan(self, before: Plan | None = None) -> Plan:
        """The claim made ready for deciding; the one that was in force before where nothing is different."""
        if not self.rivals:
            same = before is not None and before.workload.policy is self.policy and before.ref == self.ref
            if before is not None and same and not before.claimed_by:
                return before
            return prepare(self.ref, self.policy)
        return msgspec.structs.replace(prepare(self.ref, _together(self.policy, self.rivals)), claimed_by=self.refused)

    def sentence(self) -> str:
        """What an owner is told of the policies that were refused."""
        others = ", ".join(self.refused)
        return f"claimed_twice: {self.ref.key} is steered by policy {self.policy.name}; refused: {others}"


def claimed(
    found: Sequence[tuple[WorkloadRef, Policy]],
    steering: Mapping[str, str],
    remembered: Mapping[str, str] | None = None,
) -> list[Claim]:
    """One claim per workload, in the order of their keys.

    `steering` names the policy of each steered until now, `remembered` is the fingerprint of the signals that an
    earlier process steered it by.
    """
    candidates: dict[str, list[tuple[WorkloadRef, Policy]]] = {}
    for ref, policy in found:
        candidates.setdefault(ref.key, []).append((ref, policy))
    prints = remembered or {}
    return [_claim(candidates[key], steering.get(key), prints.get(key)) for key in sorted(candidates)]


def _claim(candidates: Sequence[tuple[WorkloadRef, Policy]], incumbent: str | None, remembered: str | None) -> Claim:
    ref = candidates[0][0]
    explicit = [policy for _, policy in candidates if policy.target.explicit]
    if explicit:
        return Claim(ref, explicit[0])
    policies = sorted((policy for _, policy in candidates), key=lambda policy: policy.name)
    chosen = next((policy for policy in policies if policy.name == incumbent), None)
    if chosen is None and remembered is not None and len(policies) > 1:
        alike = [policy for policy in policies if fingerprint(policy) == remembered]
        chosen = alike[0] if len(alike) == 1 else None
    steers = chosen or max(policies, key=lambda policy: policy.replicas.min if policy.replicas is not None else 0)
    others = tuple(policy for policy in policies if policy is not steers)
    return Claim(ref, steers, tuple(each.name for each in others), others if chosen is None else ())


def _together(first: Policy, rivals: Sequence[Policy]) -> Policy:
    """The first policy with the signals and windows of all, each asking for no more than its own policy allows."""
    everyone = [each for each in (first, *rivals) if each.replicas is not None]
    bounds = [each.replicas for each in everyone if each.replicas is not None]
    if not bounds:
        return first
    widest = Replicas(min=max(each.min for each in bounds), max=max(each.max for each in bounds))
    signals = tuple(_capped(signal, policy) for policy in everyone for signal in policy.signals)
    windows = tuple(
        msgspec.structs.replace(window, name=f"{policy.name}/{window.name}", max=None)
        for policy in everyone
        for window in policy.schedule
        if window.min is not None
    )
    aim = first.objective
    if aim is not None and aim.good is not None:
        aim = msgspec.structs.replace(aim, good=f"{first.name}/{aim.good}", total=f"{first.name}/{aim.total}")
    return msgspec.structs.replace(
        first, objective=aim, replicas=widest, signals=signals, schedule=windows, idle=None, combine=Combine.MAX
    )


def _capped(signal: Signal, policy: Policy) -> Signal:
    """Its name says whose it is, and so do the names it tells of others."""
    told = {key: getattr(signal, key) for key in ("name", "busy", "latency", "served")}
    said = {key: f"{policy.name}/{name}" for key, name in told.items() if name is not None}
    named = msgspec.structs.replace(signal, **said)
    if not named.votes or policy.replicas is None:
        return named
    return msgspec.structs.replace(named, at_most=min(signal.at_most or policy.replicas.max, policy.replicas.max))
