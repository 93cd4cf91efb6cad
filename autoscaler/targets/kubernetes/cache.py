"""A namespace, or all of them, kept current by watches: workloads of some kinds and the pods that are theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.clients.kubernetes_wire import Meta, Workload, Written
from autoscaler.model.target import Instance, Pool
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.kinds import Kind
from autoscaler.targets.kubernetes.others import Others
from autoscaler.targets.kubernetes.pods import Labelled, Pods
from autoscaler.targets.kubernetes.quotas import Quotas
from autoscaler.targets.kubernetes.scales import NO_PODS, Scales
from autoscaler.targets.kubernetes.workloads import Place, Workloads

Moved = Callable[[str, Place], None]  # kind, namespace and name


class Around:
    """What there is in a namespace beside workloads and pods, as far as that may be known."""

    def __init__(self, api: KubernetesApi, clock: Clock, namespace: str, said: Callable[[str], None]) -> None:
        self.others = Others(api, clock, namespace, said)
        self.quotas = Quotas(api, clock, namespace, said)

    @property
    def watches(self) -> list[Reflector[Any]]:
        """Everything that is followed."""
        return [*self.others.watches, *self.quotas.watches]


class Book:
    """The workloads of one kind with what keeps them current."""

    def __init__(
        self, api: KubernetesApi, clock: Clock, namespace: str, kind: Kind, pods: Pods, around: Around, moved: Moved
    ) -> None:
        self.kind = kind
        self._around = around
        self.workloads = Workloads(lambda place: moved(kind.name, place))
        self._pods = pods
        self._scales: Scales | None = None
        self._own: Reflector[Workload] | Reflector[Written]
        if kind.custom:
            self._scales = Scales(api, clock, kind.resource, self.workloads.changed)
            listing = Listing(resource=kind.resource, namespace=namespace, of=Written, partial=True)
            self._own = Reflector(api, clock, listing, self._scales.seen)
        else:
            whole = Listing(resource=kind.resource, namespace=namespace, of=Workload)
            self._own = Reflector(api, clock, whole, self.workloads.changed)

    def start(self) -> None:
        """Begin to watch; needs a running loop."""
        if self._scales is not None:
            self._scales.start()
        if self.kind.through is not None:
            self._pods.through(self.kind.through)
        self._own.start()

    async def tried(self) -> None:
        """Come back when everything was read once, or could not be."""
        await asyncio.gather(*(each.tried() for each in (*self._reflectors(), *self._around.watches)))
        if self._scales is not None:
            await self._scales.tried()

    def age_s(self) -> float | None:
        """Seconds since the server last confirmed what is here; None before everything was read once."""
        ages = [each.age_s() for each in self._reflectors()]
        known = [age for age in ages if age is not None]
        return max(known) if len(known) == len(ages) else None

    def fault(self) -> str:
        """What keeps it from being current; empty while nothing does."""
        found = next((each.fault for each in self._reflectors() if each.fault), "")
        return found or (self._scales.fault if self._scales is not None else "")

    def unread(self, namespace: str, name: str) -> str:
        """Why what is known of a workload may not be what is; empty where it is known."""
        own = "" if self._scales is None else self._scales.unread(namespace, name)
        return own or self._around.others.unread()

    def steered_by(self, workload: Workload) -> str:
        """Which other autoscaler sets its count, in words; empty where none is known to."""
        return self._around.others.of(self.kind, (workload.metadata.namespace, workload.metadata.name))

    def others(self, workload: Workload) -> list[tuple[str, Meta]]:
        """The other autoscalers that set its count: their kinds and metadata."""
        return self._around.others.steering(self.kind, (workload.metadata.namespace, workload.metadata.name))

    def gone_other(self, kind: str, uid: str) -> None:
        """Another autoscaler was put away by us; the watch tells the same a moment later."""
        self._around.others.seen(kind, uid, None)

    def pools(self, workload: Workload) -> tuple[Pool, ...]:
        """What its pods take from the quotas of their namespace, as far as that is known."""
        template = workload.spec.template
        return self._around.quotas.pools(workload.metadata.namespace, template.spec if template is not None else None)

    def instances(self, workload: Workload) -> Iterable[Instance]:
        """The pods of a workload, but for finished ones."""
        meta = workload.metadata
        if self._scales is None:
            return self._pods.owned(meta.uid)
        return self._pods.fitting(meta.namespace, self._scales.selectors.get(meta.uid, NO_PODS))

    def instance(self, uid: str) -> Instance | None:
        """One pod by its uid."""
        return self._pods.instance(uid)

    def ready(self, workload: Workload) -> int:
        """How many pods serve: by its controller's count, of a custom kind by the pods themselves."""
        if not self.kind.custom:
            return workload.status.ready_replicas
        return sum(pod.ready and not pod.draining for pod in self.instances(workload))

    def pods_of(self, labelled: Labelled) -> Iterable[Place]:
        """The custom workloads whose a pod with these labels is."""
        namespace, labels = labelled
        fits = {} if self._scales is None else self._scales.selectors
        for uid, fit in fits.items():
            place = self.workloads.place(uid)
            if place is not None and place[0] == namespace and fit(labels):
                yield place

    def stop(self) -> list[asyncio.Task[None]]:
        """Stop watching; the tasks to wait for."""
        ends = [self._own.stop(), self._scales.stop() if self._scales is not None else None]
        return [task for task in ends if task is not None]

    def _reflectors(self) -> list[Reflector[Workload] | Reflector[Written]]:
        through = self.kind.through
        between = [] if through is None else [self._pods.through(through)]
        return [self._own, self._pods.pods, *between]  # type: ignore[list-item]


class Cache:
    """The kinds of a namespace that policies name ("" for all namespaces), and the pods, watched once for all kinds."""

    def __init__(
        self, api: KubernetesApi, clock: Clock, namespace: str, moved: Moved, said: Callable[[str], None]
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._moved = moved
        self._books: dict[str, Book] = {}
        self._pods = Pods(api, clock, namespace, self._pod_moved)
        self._pods.pods.start()
        self._around = Around(api, clock, namespace, said)
        for each in self._around.watches:
            each.start()

    def book(self, kind: Kind) -> Book:
        """The workloads of a kind; watched from when they are first asked for."""
        if kind.name not in self._books:
            book = Book(self._api, self._clock, self._namespace, kind, self._pods, self._around, self._moved)
            self._books[kind.name] = book
            book.start()
        return self._books[kind.name]

    def known(self, kind: str) -> Book | None:
        """The workloads of a kind where they are watched already."""
        return self._books.get(kind)

    def holds(self, namespace: str) -> bool:
        """Whether anything that is named by a policy was found in a namespace."""
        return any(book.workloads.any_in(namespace) for book in self._books.values())

    def keep(self, kinds: set[str]) -> list[asyncio.Task[None]]:
        """Let go of the kinds nobody names any more, and of what stood between them and their pods; the tasks to
        wait for.
        """
        ends = [task for name in set(self._books) - kinds for task in self._books.pop(name).stop()]
        through = {book.kind.through for book in self._books.values()}
        return [*ends, *(task for each in set(self._pods.between) - through for task in self._pods.let_go(each))]

    def stop(self) -> list[asyncio.Task[None]]:
        """Stop watching; the tasks to wait for."""
        ends = [self._pods.pods.stop(), *(each.stop() for each in self._around.watches)]
        return [*(task for task in ends if task is not None), *self.keep(set())]

    def _pod_moved(self, uid: str, labelled: Labelled) -> None:
        for book in self._books.values():
            place = book.workloads.place(uid)
            if place is not None:
                self._moved(book.kind.name, place)
            for place in book.pods_of(labelled):
                self._moved(book.kind.name, place)
