"""Kubernetes objects as an API server writes them, for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autoscaler.model.policy import KubernetesTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.model.target import WorkloadRef

REF = WorkloadRef("kubernetes", "shop", "Deployment", "web")
POLICY = Policy(name="web", target=TargetSpec(kubernetes=Named(namespace="shop", name="web")))
CREATED = 1_000_000.0


def stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def owned_by(kind: str, uid: str) -> list[dict[str, Any]]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": uid, "uid": uid, "controller": True}]


def written(manager: str, *, operation: str = "Update", at: float | None = None) -> dict[str, Any]:
    """A managed-fields entry that owns the count; writes through /scale have no time."""
    entry = {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    return entry if at is None else {**entry, "time": stamp(at)}


def deployment(
    name: str = "web", *, desired: int = 2, version: int = 10, managed: list[Any] | None = None, **status: int
) -> dict[str, Any]:
    counts = {"replicas": desired, "updatedReplicas": desired, "readyReplicas": desired, "observedGeneration": 1}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "generation": 1,
            "managedFields": managed or [],
        },
        "spec": {"replicas": desired, "template": {"spec": {"containers": None}}},
        "status": {**counts, **status},
    }


def replica_set(name: str = "web-1", *, of: str = "uid-web") -> dict[str, Any]:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": "5",
            "ownerReferences": owned_by("Deployment", of),
        }
    }


def pod(name: str, *, ready: bool | None = True, turned: float = CREATED + 3, **status: Any) -> dict[str, Any]:
    """A pod of replica set `web-1`, started when created; `ready` None: no node has reported on it."""
    conditions = [] if ready is None else [{"type": "PodScheduled", "status": "True"}]
    if ready is not None:
        conditions.append({"type": "Ready", "status": str(ready), "lastTransitionTime": stamp(turned)})
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            "creationTimestamp": stamp(CREATED),
            "labels": {"app": "web", "pod-template-hash": "abc"},
            "ownerReferences": owned_by("ReplicaSet", "uid-web-1"),
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "shop/web:1"}]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.9",
            "startTime": stamp(CREATED),
            "conditions": conditions,
            **status,
        },
    }
