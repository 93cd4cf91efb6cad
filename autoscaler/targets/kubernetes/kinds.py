"""The kinds of workloads that can be scaled, and how their pods are found."""

from __future__ import annotations

import msgspec

from autoscaler.clients.kubernetes_wire import Resource

PLATFORM = "kubernetes"


class Kind(msgspec.Struct, frozen=True):
    """Where a kind's objects live, and through whose hands it owns its pods (None: they are its own)."""

    name: str
    resource: Resource
    through: Resource | None = None


REPLICA_SETS = Resource("apps/v1", "replicasets")

KINDS = {
    "Deployment": Kind("Deployment", Resource("apps/v1", "deployments"), REPLICA_SETS),
}
