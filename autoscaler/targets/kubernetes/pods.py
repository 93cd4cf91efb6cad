"""The pods of a namespace or of all, as last told by watches: whose they are, and how they are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from autoscaler.clients.kubernetes_api import PODS, KubernetesApi
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.clients.kubernetes_wire import Partial, Pod, Resource
from autoscaler.model.target import Instance
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.labels import Fits
from autoscaler.targets.kubernetes.state import instance

FINISHED_NOT = "status.phase!=Succeeded,status.phase!=Failed"

Labelled = tuple[str, Mapping[str, str]]  # namespace and labels of a pod


class Pods:
    """Pods by who controls them, and by labels for those whose workload owns them through nobody we know.

    `moved(uid, labelled)` is called when a pod came, went or changed its readiness: with the uid of the workload that
    controls it, through a ReplicaSet or not, and with its namespace and labels.
    """

    def __init__(
        self, api: KubernetesApi, clock: Clock, namespace: str, moved: Callable[[str, Labelled], None]
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._moved = moved
        self._between: dict[str, str] = {}  # uid of what stands between → workload uid
        self._betweens: dict[str, set[str]] = {}  # and back
        self._pods: dict[str, Instance] = {}
        self._labels: dict[str, Labelled] = {}
        self._owners: dict[str, str] = {}  # pod uid → uid of its controller
        self._owned: dict[str, set[str]] = {}  # uid of a controller → its pods
        listing = Listing(resource=PODS, namespace=namespace, of=Pod, fields=FINISHED_NOT)
        self.pods = Reflector(api, clock, listing, self._pod_changed)
        self.between: dict[Resource, Reflector[Partial]] = {}

    def through(self, resource: Resource) -> Reflector[Partial]:
        """The watch of what stands between workloads and their pods; begun when it is first asked for."""
        if resource not in self.between:
            listing = Listing(resource=resource, namespace=self._namespace, of=Partial, partial=True)
            self.between[resource] = Reflector(self._api, self._clock, listing, self._between_changed)
            self.between[resource].start()
        return self.between[resource]

    def let_go(self, resource: Resource) -> list[asyncio.Task[None]]:
        """End the watch of what stands between, and forget what it told; the tasks to wait for."""
        task = self.between.pop(resource).stop()
        if not self.between:
            self._between.clear()
            self._betweens.clear()
        return [task] if task is not None else []

    def owned(self, uid: str) -> Iterator[Instance]:
        """The pods a workload controls, but for finished ones."""
        for owner in (uid, *self._betweens.get(uid, ())):
            for pod in self._owned.get(owner, ()):
                yield self._pods[pod]

    def fitting(self, namespace: str, fits: Fits) -> Iterator[Instance]:
        """The pods of a namespace with these labels."""
        for uid, (place, labels) in self._labels.items():
            if place == namespace and fits(labels):
                yield self._pods[uid]

    def instance(self, uid: str) -> Instance | None:
        """One pod by its uid."""
        return self._pods.get(uid)

    def _between_changed(self, uid: str, record: Partial | None) -> None:
        controller = record.metadata.controller if record is not None else None
        _file(uid, controller.uid if controller is not None else "", self._between, self._betweens)

    def _pod_changed(self, uid: str, record: Pod | None) -> None:
        old, owner, labelled = self._pods.get(uid), self._owners.get(uid, ""), self._labels.get(uid, ("", {}))
        new = None
        if record is not None:
            new = instance(record, seen_ready=old is not None and old.was_ready, now=self._clock.now())
            controller = record.metadata.controller
            owner = controller.uid if controller is not None else ""
            labelled = record.metadata.namespace, record.metadata.labels
        _file(uid, owner if new is not None else "", self._owners, self._owned)
        if new is None:
            self._pods.pop(uid, None)
            self._labels.pop(uid, None)
        else:
            self._pods[uid], self._labels[uid] = new, labelled
        looks = [(each.ready, each.draining) if each is not None else None for each in (old, new)]
        if looks[0] != looks[1]:
            self._moved(self._between.get(owner, owner), labelled)


def _file(uid: str, owner: str, owners: dict[str, str], owned: dict[str, set[str]]) -> None:
    """Note in both directions whose `uid` is now; nobody's where `owner` is empty."""
    former = owners.pop(uid, "")
    if former:
        owned[former].discard(uid)
        if not owned[former]:
            del owned[former]
    if owner:
        owners[uid] = owner
        owned.setdefault(owner, set()).add(uid)
