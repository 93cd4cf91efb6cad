"""Workloads that policies find: by labels, or by one name in several namespaces."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from autoscaler.clients.kubernetes_wire import Workload
from autoscaler.model.policy import KubernetesTarget
from autoscaler.model.policy.target import EVERY
from autoscaler.targets.kubernetes.workloads import Place

GRACE_S = 600.0  # one that is gone is known so long: a deployment may take it away and bring it back


class Survey:
    """Remembers what was there when; times are seconds since the epoch."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Place, tuple[Mapping[str, str], float]]] = {}  # by kind

    def look(self, kind: str, workloads: Iterable[Workload], unread: Container[str], now: float) -> None:
        """Take in the workloads of one kind that are there now; in namespaces that are `unread` all is as it was.

        A ReplicaSet that something else steers is not found.
        """
        seen = self._seen.get(kind, {})
        kept = {place: each for place, each in seen.items() if place[0] in unread or now - each[1] < GRACE_S}
        for each in workloads:
            meta = each.metadata
            if meta.deletion_timestamp is None and not (kind == "ReplicaSet" and meta.controller is not None):
                kept[meta.namespace, meta.name] = meta.labels, now
        self._seen[kind] = kept

    def found(self, target: KubernetesTarget) -> list[Place]:
        """The workloads a target stands for, in order."""
        seen = self._seen.get(target.full_kind, {})
        return sorted(place for place, (labels, _) in seen.items() if _fits(target, place, labels))


def _fits(target: KubernetesTarget, place: Place, labels: Mapping[str, str]) -> bool:
    namespace, name = place
    if EVERY not in target.namespaces and namespace not in target.namespaces:
        return False
    return target.name == name if target.name is not None else target.selector.items() <= dict(labels).items()
