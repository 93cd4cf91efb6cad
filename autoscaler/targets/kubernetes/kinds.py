"""The kinds of workloads that can be scaled: whatever has a scale subresource."""

from __future__ import annotations

import difflib

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Resource
from autoscaler.errors import Gone, Refused
from autoscaler.model.policy.target import APPS

PLATFORM = "kubernetes"


class Kind(msgspec.Struct, frozen=True):
    """Where a kind's objects live.

    `through` is what stands between a workload and its pods (None: it owns them itself). A `custom` kind is known
    by nothing but its /scale, which tells the count and the labels of its pods.
    """

    name: str
    resource: Resource
    through: Resource | None = None
    custom: bool = False


REPLICA_SETS = Resource(APPS, "replicasets")

KINDS = {
    "Deployment": Kind("Deployment", Resource(APPS, "deployments"), REPLICA_SETS),
    "StatefulSet": Kind("StatefulSet", Resource(APPS, "statefulsets")),
    "ReplicaSet": Kind("ReplicaSet", REPLICA_SETS),
}


async def find(api: KubernetesApi, name: str) -> Kind:
    """The kind of this name, as the cluster serves it. Raises Refused with a way out where it cannot be scaled."""
    if name in KINDS:
        return KINDS[name]
    kind, version, group = [*name.split(".", 2), ""][:3]
    group_version = f"{group}/{version}" if group else version
    try:
        served = await api.served(group_version)
    except Gone:
        raise Refused(
            f"the cluster serves no {group_version}",
            hint="is its CustomResourceDefinition installed, and apiVersion written as it is in manifests?",
        ) from None
    there = [each for each in served if each.kind == kind and "/" not in each.name]
    if not there:
        names = sorted({each.kind for each in served if "/" not in each.name})
        near = difflib.get_close_matches(kind, names, n=1)
        raise Refused(
            f"{group_version} has no kind {kind}",
            hint=f"did you mean {near[0]}?" if near else f"it has: {', '.join(names) or 'none'}",
        )
    plural = there[0].name
    if not any(each.name == f"{plural}/scale" for each in served):
        raise Refused(
            f"{kind} of {group_version} has no scale subresource",
            hint="only kinds with one can be scaled; a CustomResourceDefinition has it by subresources.scale",
        )
    if not there[0].namespaced:
        raise Refused(f"{kind} of {group_version} belongs to no namespace", hint="only namespaced kinds can be scaled")
    return Kind(name, Resource(group_version, plural), custom=True)
