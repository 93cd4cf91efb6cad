"""Workloads of which nothing but their /scale is known: it is read whenever one of them has changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Resource, Scale, Workload, WorkloadSpec, WorkloadStatus, Written
from autoscaler.errors import Gone, TargetError
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.labels import Fits, selector

AGAIN_S = 5.0  # after a /scale that could not be read
NO_PODS: Fits = selector("")


class Scales:
    """Follows one kind of objects: `changed(uid, workload)` is told what their /scale says, None for one gone.

    `fault` is what keeps it from being current; `selectors` tell which pods are whose, by uid.
    """

    def __init__(
        self, api: KubernetesApi, clock: Clock, resource: Resource, changed: Callable[[str, Workload | None], None]
    ) -> None:
        self.fault = ""
        self.selectors: dict[str, Fits] = {}
        self._api = api
        self._clock = clock
        self._resource = resource
        self._changed = changed
        self._waiting: dict[str, Written] = {}
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to read; needs a running loop."""
        self._task = asyncio.create_task(self._run(), name=f"scale of {self._resource.plural}")

    def stop(self) -> asyncio.Task[None] | None:
        """Stop; the task to wait for, if there was one."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    async def tried(self) -> None:
        """Come back when nothing is waiting to be read, or what is could not be."""
        await self._idle.wait()

    def unread(self, namespace: str, name: str) -> str:
        """Why the last change of one could not be read; empty where it was, or will be in a moment."""
        waits = any(
            (each.metadata.namespace, each.metadata.name) == (namespace, name) for each in self._waiting.values()
        )
        return self.fault if waits else ""

    def seen(self, uid: str, record: Written | None) -> None:
        """What the watch of the objects told."""
        if record is None:
            self._waiting.pop(uid, None)
            self.selectors.pop(uid, None)
            self._changed(uid, None)
            return
        self._waiting[uid] = record
        self._idle.clear()
        self._news.set()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            failed = ""
            for uid, record in list(self._waiting.items()):
                failed = await self._read(uid, record) or failed
            self.fault = failed
            if failed:
                self._idle.set()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(AGAIN_S):
                        await self._news.wait()
                self._news.set()
            elif not self._waiting:
                self._idle.set()

    async def _read(self, uid: str, record: Written) -> str:
        """Read one /scale and tell of it; what went wrong, empty where nothing did."""
        meta = record.metadata
        try:
            scale = await self._api.get_scale(self._resource, meta.namespace, meta.name)
            fits = selector(scale.status.selector)
        except Gone:
            self._waiting.pop(uid, None)  # the watch tells the same
            return ""
        except (TargetError, ValueError) as error:
            return str(error)
        if self._waiting.get(uid) is record:
            del self._waiting[uid]
        self.selectors[uid] = fits
        self._changed(uid, workload(record, scale))
        return ""


def workload(record: Written, scale: Scale) -> Workload:
    """What is known of it, in the words of all workloads. How many are ready, its pods must tell."""
    return Workload(
        metadata=record.metadata,
        spec=WorkloadSpec(replicas=scale.spec.replicas),
        status=WorkloadStatus(observed_generation=record.metadata.generation, replicas=scale.status.replicas),
    )
