"""One namespace as last told by three watches: workloads, what they own their pods through, and pods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from autoscaler.clients.kubernetes_api import PODS, KubernetesApi
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.clients.kubernetes_wire import Partial, Pod, Scale, Workload
from autoscaler.model.target import Instance
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.kinds import Kind
from autoscaler.targets.kubernetes.state import instance

FINISHED_NOT = "status.phase!=Succeeded,status.phase!=Failed"


class NamespaceCache:
    """The workloads of one kind in a namespace with their pods.

    `moved(name)` is called when the readiness or number of a workload's pods, or its count, has changed.
    """

    def __init__(
        self, api: KubernetesApi, clock: Clock, namespace: str, kind: Kind, moved: Callable[[str], None]
    ) -> None:
        self.workloads: dict[str, Workload] = {}  # by name
        self._clock = clock
        self._kind = kind
        self._moved = moved
        self._names: dict[str, str] = {}  # workload uid → name
        self._between: dict[str, str] = {}  # uid of what stands between → workload uid
        self._betweens: dict[str, set[str]] = {}  # and back
        self._pods: dict[str, Instance] = {}
        self._owners: dict[str, str] = {}  # pod uid → uid of its controller
        self._owned: dict[str, set[str]] = {}  # uid of a controller → its pods
        self._zeroed: dict[str, str] = {}  # uids of workloads whose count we set to 0 → the version that made
        self._reflectors: list[Reflector[Workload] | Reflector[Partial] | Reflector[Pod]] = [
            Reflector(
                api, clock, Listing(resource=kind.resource, namespace=namespace, of=Workload), self._workload_changed
            ),
            Reflector(
                api,
                clock,
                Listing(resource=PODS, namespace=namespace, of=Pod, fields=FINISHED_NOT),
                self._pod_changed,
            ),
        ]
        if kind.through is not None:
            listing = Listing(resource=kind.through, namespace=namespace, of=Partial, partial=True)
            self._reflectors.append(Reflector(api, clock, listing, self._between_changed))

    def start(self) -> None:
        """Begin to watch; needs a running loop."""
        for each in self._reflectors:
            each.start()

    async def tried(self) -> None:
        """Come back when everything was read once, or could not be."""
        await asyncio.gather(*(each.tried() for each in self._reflectors))

    def age_s(self) -> float | None:
        """Seconds since the server last confirmed what is here; None before everything was read once."""
        ages = [each.age_s() for each in self._reflectors]
        known = [age for age in ages if age is not None]
        return max(known) if len(known) == len(ages) else None

    def fault(self) -> str:
        """What keeps the cache from being current; empty while nothing does."""
        return next((each.fault for each in self._reflectors if each.fault), "")

    def stop(self) -> list[asyncio.Task[None]]:
        """Stop watching; the tasks to wait for."""
        return [task for task in (each.stop() for each in self._reflectors) if task is not None]

    def instances(self, workload: Workload) -> Iterable[Instance]:
        """The pods a workload controls, but for finished ones."""
        uid = workload.metadata.uid
        for owner in (uid, *self._betweens.get(uid, ())):
            for pod in self._owned.get(owner, ()):
                yield self._pods[pod]

    def instance(self, uid: str) -> Instance | None:
        """One pod by its uid."""
        return self._pods.get(uid)

    def zero_is_ours(self, workload: Workload) -> bool:
        """True where a count of 0 was written by us."""
        return workload.metadata.uid in self._zeroed

    def wrote(self, name: str, scale: Scale) -> None:
        """Take in at once what a write of ours has done; the watch tells the same a moment later, or told it before."""
        known, version, uid = self.workloads.get(name), scale.metadata.resource_version, scale.metadata.uid
        late = known is not None and _older(version, known.metadata.resource_version)
        if scale.spec.replicas:
            self._zeroed.pop(uid, None)
        elif not (late and known is not None and known.spec.replicas):
            self._zeroed[uid] = version
        if known is None or late:
            return
        meta = msgspec.structs.replace(known.metadata, resource_version=version)
        spec = msgspec.structs.replace(known.spec, replicas=scale.spec.replicas)
        self.workloads[name] = msgspec.structs.replace(known, metadata=meta, spec=spec)

    def _workload_changed(self, uid: str, record: Workload | None) -> None:
        if record is None:
            name = self._names.pop(uid, None)
            self._zeroed.pop(uid, None)
            known = self.workloads.get(name) if name is not None else None
            if name is not None and known is not None and known.metadata.uid == uid:
                del self.workloads[name]
                self._moved(name)
            return
        name = record.metadata.name
        old = self.workloads.get(name)
        version, same = record.metadata.resource_version, old is not None and old.metadata.uid == uid
        if old is not None and same and _older(version, old.metadata.resource_version):
            return  # told before our own last write, which is known already
        if record.spec.replicas and not _older(version, self._zeroed.get(uid, "")):
            self._zeroed.pop(uid, None)
        self._names[uid] = name
        self.workloads[name] = record
        if old is None or _counts(old) != _counts(record):
            self._moved(name)

    def _between_changed(self, uid: str, record: Partial | None) -> None:
        controller = record.metadata.controller if record is not None else None
        _file(uid, controller.uid if controller is not None else "", self._between, self._betweens)

    def _pod_changed(self, uid: str, record: Pod | None) -> None:
        old = self._pods.get(uid)
        new = None
        if record is not None:
            new = instance(record, seen_ready=old is not None and old.was_ready, now=self._clock.now())
        owner = self._owners.get(uid, "")
        if record is not None:
            controller = record.metadata.controller
            owner = controller.uid if controller is not None else ""
        _file(uid, owner if new is not None else "", self._owners, self._owned)
        if new is None or not owner:
            self._pods.pop(uid, None)
        else:
            self._pods[uid] = new
        looks = [(each.ready, each.draining) if each is not None else None for each in (old, new)]
        name = self._names.get(self._between.get(owner, owner))
        if looks[0] != looks[1] and name is not None:
            self._moved(name)


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


def _counts(workload: Workload) -> tuple[int | None, int, int]:
    return workload.spec.replicas, workload.status.replicas, workload.status.ready_replicas


def _older(version: str, than: str) -> bool:
    """True where one resource version is surely older than another of the same object."""
    return version.isdigit() and than.isdigit() and int(version) < int(than)
