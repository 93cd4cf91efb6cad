"""The Kubernetes target: what a cluster's workloads are doing, told from watches, and what is done to them."""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator, Sequence

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.errors import Unreachable
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.cache import NamespaceCache
from autoscaler.targets.kubernetes.evict import replace
from autoscaler.targets.kubernetes.kinds import KINDS, PLATFORM
from autoscaler.targets.kubernetes.scale import failed, look, order
from autoscaler.targets.kubernetes.state import state

FIRST_READ_S = 4.0  # how long a first look may wait for the lists
STALE_S = 60.0  # nothing confirmed for so long: what is known is no state any more
NAMED = 8  # how many of a namespace's workloads a message names


class KubernetesTarget:
    """Workloads of one cluster. Nothing is connected before the first look; `close` ends all watches."""

    def __init__(self, api: KubernetesApi, clock: Clock, *, instance: str = "default") -> None:
        self._api = api
        self._clock = clock
        self._instance = instance
        self._caches: dict[tuple[str, str], NamespaceCache] = {}
        self._ending: list[asyncio.Task[None]] = []
        self._steered: set[WorkloadRef] = set()
        self._woken: dict[WorkloadRef, None] = {}
        self._news = asyncio.Event()

    def discover(self, policies: Sequence[Policy]) -> Sequence[tuple[WorkloadRef, Policy]]:
        """The workloads these policies name; namespaces nobody names any more are let go."""
        found = [
            (WorkloadRef(PLATFORM, named.namespace, named.kind, named.name, self._instance), policy)
            for policy in policies
            if (named := policy.target.kubernetes) is not None
        ]
        self._steered = {ref for ref, _ in found}
        used = {(ref.namespace, ref.kind) for ref in self._steered}
        for key in [key for key in self._caches if key not in used]:
            self._ending.extend(self._caches.pop(key).stop())
        return found

    async def states(self, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        """States from the watches' caches; the first look at a namespace waits until it has been read."""
        caches = {(ref.namespace, ref.kind): self._cache(ref) for ref in refs}
        await self._first_read([cache for cache in caches.values() if cache.age_s() is None])
        return [self._state(ref, caches[ref.namespace, ref.kind]) for ref in refs]

    async def advance(self, operation: Operation) -> Advanced:
        """One call to the API server, or one look at the caches, and what follows from it."""
        now = self._clock.now()
        cache = self._cache(operation.ref)
        if operation.kind is OperationKind.SCALE:
            if operation.stage != BEGIN:
                return await look(self._api, operation, now)
            after, scale = await order(self._api, operation, now)
            if scale is not None:
                cache.wrote(operation.ref.name, scale)
            return after
        if operation.kind is OperationKind.REPLACE:
            await self._first_read([cache] if cache.age_s() is None else [])
            missing = self._unknown(cache)
            if missing is None:
                return await replace(self._api, cache, operation, now)
            return failed(operation, Unreachable(missing.detail), now)
        detail = "pods are created and removed by their owner, through the count"
        return Outcome(operation, OutcomeKind.REFUSED, now, detail)

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Steered workloads whose pods' readiness or number, or whose count, has just changed."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._woken:
                ref = next(iter(self._woken))
                del self._woken[ref]
                yield ref

    async def close(self) -> None:
        """End all watches and connections; nothing of this target runs afterwards."""
        for cache in self._caches.values():
            self._ending.extend(cache.stop())
        self._caches.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)
        self._ending.clear()
        await self._api.close()

    def _cache(self, ref: WorkloadRef) -> NamespaceCache:
        key = (ref.namespace, ref.kind)
        if key not in self._caches:

            def moved(name: str) -> None:
                self._wake(WorkloadRef(PLATFORM, ref.namespace, ref.kind, name, self._instance))

            self._caches[key] = NamespaceCache(self._api, self._clock, ref.namespace, KINDS[ref.kind], moved)
            self._caches[key].start()
        return self._caches[key]

    def _wake(self, ref: WorkloadRef) -> None:
        if ref in self._steered:
            self._woken[ref] = None
            self._news.set()

    async def _first_read(self, caches: Sequence[NamespaceCache]) -> None:
        if caches:
            tasks = [asyncio.ensure_future(cache.tried()) for cache in caches]
            _, late = await asyncio.wait(tasks, timeout=FIRST_READ_S)
            for task in late:
                task.cancel()

    def _unknown(self, cache: NamespaceCache) -> Missing | None:
        age = cache.age_s()
        if age is None:
            return Missing(MissingWhy.FAILED, cache.fault() or "the cluster has not been read yet")
        if age > STALE_S:
            why = cache.fault() or "the API server says nothing"
            return Missing(MissingWhy.STALE, f"not confirmed for {age:.0f} s: {why}")
        return None

    def _state(self, ref: WorkloadRef, cache: NamespaceCache) -> TargetState | Missing:
        missing = self._unknown(cache)
        if missing is not None:
            return missing
        workload = cache.workloads.get(ref.name)
        if workload is None:
            return Missing(MissingWhy.FAILED, absent(ref, sorted(cache.workloads)))
        at = self._clock.now() - (cache.age_s() or 0.0)
        return state(ref, workload, cache.instances(workload), zero_is_ours=cache.zero_is_ours(workload), at=at)


def absent(ref: WorkloadRef, names: Sequence[str]) -> str:
    """What to say of a workload that is not there, given the names of those that are.

    >>> absent(WorkloadRef("kubernetes", "shop", "Deployment", "wep"), ["api", "web"])
    'Deployment shop/wep does not exist; did you mean web? shop has: api, web'
    >>> absent(WorkloadRef("kubernetes", "shpo", "Deployment", "web"), [])
    'Deployment shpo/web does not exist; shpo has no Deployment at all: is the namespace right?'
    """
    said = f"{ref.kind} {ref.namespace}/{ref.name} does not exist"
    if not names:
        return f"{said}; {ref.namespace} has no {ref.kind} at all: is the namespace right?"
    near = difflib.get_close_matches(ref.name, names, n=1)
    meant = f" did you mean {near[0]}?" if near else ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{said};{meant} {ref.namespace} has: {', '.join(names[:NAMED])}{more}"
