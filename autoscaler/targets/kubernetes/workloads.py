"""The workloads of one kind in a namespace or in all, as last told by a watch and by our own writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from autoscaler.clients.kubernetes_wire import Scale, Workload

Place = tuple[str, str]  # namespace and name


class Workloads:
    """Records by namespace and name; `moved(place)` is called when a count has changed."""

    def __init__(self, moved: Callable[[Place], None]) -> None:
        self._moved = moved
        self._records: dict[Place, Workload] = {}
        self._places: dict[str, Place] = {}  # by workload uid
        self._zeroed: dict[str, str] = {}  # uids of workloads whose count we set to 0 → the version that made

    def __iter__(self) -> Iterator[Workload]:
        return iter(self._records.values())

    def get(self, namespace: str, name: str) -> Workload | None:
        """What is known of one."""
        return self._records.get((namespace, name))

    def place(self, uid: str) -> Place | None:
        """Where the workload with this uid is."""
        return self._places.get(uid)

    def names(self, namespace: str) -> list[str]:
        """Those of a namespace, in order."""
        return sorted(name for place, name in self._records if place == namespace)

    def any_in(self, namespace: str) -> bool:
        """Whether there is any in a namespace."""
        return any(place == namespace for place, _ in self._records)

    def zero_is_ours(self, workload: Workload) -> bool:
        """True where a count of 0 was written by us."""
        return workload.metadata.uid in self._zeroed

    def wrote(self, place: Place, scale: Scale) -> None:
        """Take in at once what a write of ours has done; the watch tells the same a moment later, or told it before."""
        meta = scale.metadata
        known, version = self._records.get(place), meta.resource_version
        late = known is not None and older(version, known.metadata.resource_version)
        if scale.spec.replicas:
            self._zeroed.pop(meta.uid, None)
        elif not (late and known is not None and known.spec.replicas):
            self._zeroed[meta.uid] = version
        if known is None or late:
            return
        written = msgspec.structs.replace(known.metadata, resource_version=version)
        spec = msgspec.structs.replace(known.spec, replicas=scale.spec.replicas)
        self._records[place] = msgspec.structs.replace(known, metadata=written, spec=spec)

    def changed(self, uid: str, record: Workload | None) -> None:
        """What a watch has told."""
        if record is None:
            gone = self._places.pop(uid, None)
            self._zeroed.pop(uid, None)
            known = self._records.get(gone) if gone is not None else None
            if gone is not None and known is not None and known.metadata.uid == uid:
                del self._records[gone]
                self._moved(gone)
            return
        place = record.metadata.namespace, record.metadata.name
        old = self._records.get(place)
        version, same = record.metadata.resource_version, old is not None and old.metadata.uid == uid
        if old is not None and same and older(version, old.metadata.resource_version):
            return  # told before our own last write, which is known already
        if record.spec.replicas and not older(version, self._zeroed.get(uid, "")):
            self._zeroed.pop(uid, None)
        self._places[uid] = place
        self._records[place] = record
        if old is None or _counts(old) != _counts(record):
            self._moved(place)


def _counts(workload: Workload) -> tuple[int | None, int, int]:
    return workload.spec.replicas, workload.status.replicas, workload.status.ready_replicas


def older(version: str, than: str) -> bool:
    """True where one resource version is surely older than another of the same object."""
    return version.isdigit() and than.isdigit() and int(version) < int(than)
