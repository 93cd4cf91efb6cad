"""The Kubernetes target: what a cluster's workloads are doing, told from watches, and what is done to them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from autoscaler import log
from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Partial, Resource
from autoscaler.errors import TargetError, Unreachable
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import Method, Policy
from autoscaler.model.policy.target import EVERY
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock, Record
from autoscaler.targets.kubernetes.absent import absent, misplaced, steered_by
from autoscaler.targets.kubernetes.adopt import Adopted, adopt
from autoscaler.targets.kubernetes.cache import Book, Cache
from autoscaler.targets.kubernetes.events import Events, Regarding
from autoscaler.targets.kubernetes.evict import replace
from autoscaler.targets.kubernetes.kinds import KINDS, PLATFORM, Kind, find
from autoscaler.targets.kubernetes.restart import restart
from autoscaler.targets.kubernetes.rights import lacking
from autoscaler.targets.kubernetes.scale import failed, look, order
from autoscaler.targets.kubernetes.state import state
from autoscaler.targets.kubernetes.survey import Survey
from autoscaler.targets.kubernetes.tidings import Tiding, of_decision, of_outcome
from autoscaler.targets.kubernetes.workloads import Place
from autoscaler.targets.naming import named

FIRST_READ_S = 4.0  # how long a first look may wait for the lists
STALE_S = 60.0  # nothing confirmed for so long: what is known is no state any more
NAMESPACES_S = 60.0  # how often it is asked which there are, where one seems to be misspelt
LIST_S = 1.0  # how long a cycle may wait for that
NAMESPACES = Resource("v1", "namespaces")
ALL = ""  # every namespace


class KubernetesTarget:
    """Workloads of one cluster. Nothing is connected before the first look; `close` ends all watches."""

    def __init__(self, api: KubernetesApi, clock: Clock, *, instance: str = "default", events: bool = True) -> None:
        self._api = api
        self._clock = clock
        self._instance = instance
        self._kinds: dict[str, Kind] = dict(KINDS)
        self._caches: dict[str, Cache] = {}  # by namespace
        self._every: set[str] = set()  # the kinds that are watched in all namespaces at once
        self._survey = Survey()
        self._namespaces: frozenset[str] | None = None  # all there are, where that may be known
        self._namespaces_at = -math.inf
        self._ending: list[asyncio.Task[None]] = []
        self._steered: set[WorkloadRef] = set()
        self._woken: dict[WorkloadRef, None] = {}
        self._news = asyncio.Event()
        self._notices: asyncio.Queue[str] = asyncio.Queue()
        self._events = Events(api, clock, self._notice) if events else None
        self._adopted: Adopted = set()
        self._because: dict[WorkloadRef, str] = {}  # why a count is to change, as long as it is not told

    def discover(self, policies: Sequence[Policy]) -> Sequence[tuple[WorkloadRef, Policy]]:
        """The workloads these policies name, and those found in the last survey; what nobody names is let go."""
        found = self._found(policies)
        self._steered = {ref for ref, _ in found}
        self._because = {ref: why for ref, why in self._because.items() if ref in self._steered}
        aims = [policy.target.kubernetes for policy in policies if policy.target.kubernetes is not None]
        used = {(ALL if each == EVERY else each, aim.full_kind) for aim in aims for each in aim.namespaces}
        self._every = {kind for namespace, kind in used if namespace == ALL}
        for namespace, cache in list(self._caches.items()):
            kinds = {kind for place, kind in used if place == namespace and (place == ALL or kind not in self._every)}
            self._ending.extend(cache.keep(kinds))
            if not kinds:
                self._ending.extend(self._caches.pop(namespace).stop())
        return found

    async def survey(self, policies: Sequence[Policy]) -> bool:
        """Look for what selectors find; True where that is not what was discovered last. Keeps what is known where
        the cluster cannot be read.
        """
        aims = [each.target.kubernetes for each in policies if each.target.kubernetes and not each.target.explicit]
        self._every |= {aim.full_kind for aim in aims if EVERY in aim.namespaces}
        wanted = {(aim.full_kind, ALL if each == EVERY else each) for aim in aims for each in aim.namespaces}
        books = [(name, namespace, await self._book(name, namespace)) for name, namespace in sorted(wanted)]
        await self._first_read([book for *_, book in books if isinstance(book, Book) and book.age_s() is None])
        now = self._clock.now()
        for name in dict.fromkeys(name for name, _, _ in books):
            read = {place: book for each, place, book in books if each == name and _read(book)}
            if ALL in read or name not in self._every:
                unread = {place for each, place, _ in books if each == name} - set(read)
                there = [each for book in read.values() if isinstance(book, Book) for each in book.workloads]
                self._survey.look(name, there, unread, now)
        return {ref for ref, _ in self._found(policies)} != self._steered

    async def states(self, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        """States from the watches' caches; the first look at a namespace waits until it has been read."""
        places = dict.fromkeys((ref.kind, ref.namespace) for ref in refs)
        books = {place: await self._book(*place) for place in places}
        await self._first_read([each for each in books.values() if isinstance(each, Book) and each.age_s() is None])
        held = self._namespaces_held()
        found = [self._state(ref, books[ref.kind, ref.namespace], held) for ref in refs]
        lost = {ref.namespace for ref, each in zip(refs, found, strict=True) if isinstance(each, Missing)}
        if any(self._misspelt(namespace) for namespace in lost) and await self._list_namespaces():
            return [self._state(ref, books[ref.kind, ref.namespace], held) for ref in refs]
        return found

    async def advance(self, operation: Operation) -> Advanced:
        """One call to the API server, or one look at the caches, and what follows from it."""
        after = await self._advance(operation)
        if isinstance(after, Outcome):
            self._tell(of_outcome(after, self._because.pop(operation.ref, "")))
        return after

    def accept(self, records: Sequence[Record]) -> None:
        """What is on record of decisions: why counts change, and refusals to act. Never waits."""
        for record in records:
            decision = record.decision
            if decision is None or decision.ref.platform != PLATFORM:
                continue
            if decision.changes:
                self._because[decision.ref] = record.text
            self._tell(of_decision(decision, record.text))

    @property
    def events(self) -> Mapping[str, int]:
        """How many Events were written, dropped and refused."""
        return self._events.counts if self._events is not None else {}

    def _tell(self, tiding: Tiding | None) -> None:
        """Have an Event written on a workload that is known."""
        if tiding is None or self._events is None:
            return
        ref = tiding.ref
        cache = self._caches.get(ALL if ref.kind in self._every else ref.namespace)
        book = cache.known(ref.kind) if cache is not None else None
        workload = book.workloads.get(ref.namespace, ref.name) if book is not None else None
        if book is not None and workload is not None:
            kind = book.kind
            about = Regarding(
                api_version=kind.resource.group_version, kind=kind.name.partition(".")[0], namespace=ref.namespace,
                name=ref.name, uid=workload.metadata.uid,
            )  # fmt: skip
            self._events.tell(about, tiding)

    async def _advance(self, operation: Operation) -> Advanced:
        now, ref = self._clock.now(), operation.ref
        book = await self._book(ref.kind, ref.namespace)
        if not isinstance(book, Book):
            return failed(operation, book, now)
        if operation.kind is OperationKind.SCALE:
            if operation.stage != BEGIN:
                return await look(self._api, book.kind, operation, now)
            after, scale = await order(self._api, book.kind, operation, now)
            if scale is not None:
                book.workloads.wrote((ref.namespace, ref.name), scale)
            return after
        if operation.kind is OperationKind.ADOPT:
            return await adopt(self._api, book, operation, self._adopted, now)
        if operation.kind is OperationKind.REPLACE:
            await self._first_read([book] if book.age_s() is None else [])
            missing = _unknown(book)
            if missing is None:
                how = restart if operation.method == Method.RESTART.value else replace
                return await how(self._api, book, operation, now)
            return failed(operation, Unreachable(missing.detail), now)
        detail = "pods are created and removed by their owner, through the count"
        return Outcome(operation, OutcomeKind.REFUSED, now, detail)

    async def lacking(self, steered: Sequence[tuple[WorkloadRef, Policy]]) -> list[tuple[str, str]]:
        """Each right that acting on these takes and that we have not, with the rule to add. Raises TargetError."""
        ours = [(ref, policy) for ref, policy in steered if ref.platform == PLATFORM]
        return await lacking(self._api, self._kinds, ours)

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Steered workloads whose pods' readiness or number, or whose count, has just changed."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._woken:
                ref = next(iter(self._woken))
                del self._woken[ref]
                yield ref

    async def notices(self) -> AsyncIterator[str]:
        """What cannot be known for want of a right, each once."""
        while True:
            yield await self._notices.get()

    async def close(self) -> None:
        """End all watches and connections; nothing of this target runs afterwards."""
        for cache in self._caches.values():
            self._ending.extend(cache.stop())
        self._caches.clear()
        writing = self._events.stop() if self._events is not None else None
        self._ending.extend([writing] if writing is not None else [])
        await asyncio.gather(*self._ending, return_exceptions=True)
        self._ending.clear()
        await self._api.close()

    def _found(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        found: list[tuple[WorkloadRef, Policy]] = []
        for policy in policies:
            aim = policy.target.kubernetes
            if aim is not None and policy.target.explicit:
                found.append((named(policy, self._instance), policy))
            elif aim is not None:
                found += [(self._ref(aim.full_kind, place), policy) for place in self._survey.found(aim)]
        return found

    def _ref(self, kind: str, place: Place) -> WorkloadRef:
        return WorkloadRef(PLATFORM, place[0], kind, place[1], self._instance)

    async def _book(self, name: str, namespace: str) -> Book | TargetError:
        """The workloads of a kind in a namespace, from the watch of all namespaces where there is one."""
        try:
            kind = self._kinds.get(name) or await find(self._api, name)
        except TargetError as error:
            return error
        self._kinds[name] = kind
        place = ALL if name in self._every else namespace
        if place not in self._caches:
            self._caches[place] = Cache(self._api, self._clock, place, self._wake, self._notice)
        return self._caches[place].book(kind)

    def _wake(self, kind: str, place: Place) -> None:
        ref = self._ref(kind, place)
        if ref in self._steered:
            self._woken[ref] = None
            self._news.set()

    def _notice(self, sentence: str) -> None:
        log.event("not known", level=log.WARNING, platform=PLATFORM, text=sentence)
        self._notices.put_nowait(sentence)

    async def _first_read(self, books: Sequence[Book]) -> None:
        if books:
            tasks = [asyncio.ensure_future(book.tried()) for book in books]
            _, late = await asyncio.wait(tasks, timeout=FIRST_READ_S)
            for task in late:
                task.cancel()

    def _misspelt(self, namespace: str) -> bool:
        """Whether a namespace may be misspelt: nothing was ever found in it."""
        read = [cache for place, cache in self._caches.items() if place in (namespace, ALL)]
        return not any(cache.holds(namespace) for cache in read)

    async def _list_namespaces(self) -> bool:
        """Ask which namespaces there are, now and then; True where that was answered just now."""
        now = self._clock.monotonic()
        if now - self._namespaces_at < NAMESPACES_S:
            return False
        self._namespaces_at = now
        try:
            async with asyncio.timeout(LIST_S):
                pages = [page async for page in self._api.pages(NAMESPACES, "", Partial, selectors={}, partial=True)]
        except (TargetError, TimeoutError):
            self._namespaces = None  # few may list them: what the policies name is known all the same
            return False
        self._namespaces = frozenset(each.metadata.name for page in pages for each in page.items)
        return True

    def _namespaces_held(self) -> Collection[str]:
        """The namespaces that policies name and in which something of theirs was found."""
        return [place for place, cache in self._caches.items() if place != ALL and cache.holds(place)]

    def _state(self, ref: WorkloadRef, book: Book | TargetError, held: Collection[str]) -> TargetState | Missing:
        if not isinstance(book, Book):
            return Missing(MissingWhy.FAILED, str(book))
        missing = _unknown(book)
        known, listed = (held, False) if self._namespaces is None else (self._namespaces, True)
        if missing is not None:
            wrong = misplaced(ref.namespace, known, listed=listed) if book.age_s() is None and book.fault() else ""
            return Missing(missing.why, f"{wrong} {missing.detail}") if wrong else missing
        unread = book.unread(ref.namespace, ref.name)
        workload = book.workloads.get(ref.namespace, ref.name)
        if workload is None or unread:
            return Missing(
                MissingWhy.FAILED, unread or absent(ref, book.workloads.names(ref.namespace), known, listed=listed)
            )
        if ref.kind == "ReplicaSet" and workload.metadata.controller is not None:
            return Missing(MissingWhy.FAILED, steered_by(ref, workload.metadata.controller))
        zero, at = book.workloads.zero_is_ours(workload), self._clock.now() - (book.age_s() or 0.0)
        return state(
            ref, workload, book.instances(workload), ready=book.ready(workload), zero_is_ours=zero, at=at,
            steered_by=book.steered_by(workload), pools=book.pools(workload),
        )  # fmt: skip


def _read(book: Book | TargetError) -> bool:
    return isinstance(book, Book) and _unknown(book) is None


def _unknown(book: Book) -> Missing | None:
    """Why the cluster's state is not known; None where it is."""
    age = book.age_s()
    if age is None:
        return Missing(MissingWhy.FAILED, book.fault() or "the cluster has not been read yet")
    if age > STALE_S:
        why = book.fault() or "the API server says nothing"
        return Missing(MissingWhy.STALE, f"not confirmed for {age:.0f} s: {why}")
    return None
