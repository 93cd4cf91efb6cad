"""All objects of one kind in a namespace, kept current: list, then watch, then again from where it broke off.

The list is streamed through the watch where the server can (one object in memory at a time), else read by pages.
Whatever breaks is tried again after a growing, jittered pause; a server that is away costs a few requests a minute.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi, Time
from autoscaler.clients.kubernetes_refusals import Asked, refusal
from autoscaler.clients.kubernetes_wire import Bookmark, Event, Meta, Resource, Status
from autoscaler.errors import Forbidden, Gone, Refused, TargetError, Unreachable

R = TypeVar("R")

WATCH_S = 45  # the server ends a watch after this and says how far it is: the cache is confirmed at least this often
SILENCE_S = 55.0  # nothing at all for so long: the connection is dead
PAUSE_FIRST_S = 0.25
PAUSE_MOST_S = 15.0
MOST_DOUBLINGS = 20
BRIEF_S = 1.0  # a watch that ends sooner without a word counts as a failure, so that a bad proxy meets pauses

_decode_event = msgspec.json.Decoder(Event).decode
_decode_bookmark = msgspec.json.Decoder(Bookmark).decode
_decode_status = msgspec.json.Decoder(Status).decode


class _Carried(msgspec.Struct, frozen=True):
    metadata: Meta


class Listing(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """What is kept current: the objects of a resource in a namespace, read as `of` (a struct with `metadata`)."""

    resource: Resource
    namespace: str
    of: type[R]
    fields: str = ""  # a field selector
    partial: bool = False  # metadata only

    @property
    def selectors(self) -> dict[str, str]:
        """The selectors as query parameters."""
        return {"fieldSelector": self.fields} if self.fields else {}


class Reflector(Generic[R]):
    """Tells `changed(uid, record)` of every object that is new or different, and `(uid, None)` of every one gone.

    `fault` is what went wrong last, empty while all is well; `failed` is told each time, and `works` whenever the
    server goes on telling. What may not be read, or does not exist here, is asked for again after `denied_s` at most.
    `readable` is whether what there is was listed; False where that is not allowed or there is no such kind, None as
    long as the server has not said.
    """

    def __init__(
        self,
        api: KubernetesApi,
        clock: Time,
        listing: Listing[R],
        changed: Callable[[str, R | None], None],
        *,
        spread: Callable[[], float] = random.random,
        failed: Callable[[TargetError], None] = lambda error: None,
        works: Callable[[], None] = lambda: None,
        denied_s: float = PAUSE_MOST_S,
    ) -> None:
        self.fault = ""
        self.readable: bool | None = None
        self._failed = failed
        self._works = works
        self._denied_s = denied_s
        self._api = api
        self._clock = clock
        self._listing = listing
        self._changed = changed
        self._spread = spread
        self._decode = msgspec.json.Decoder(listing.of).decode
        self._version = ""
        self._known: set[str] = set()
        self._listed: set[str] | None = None
        self._streams = True
        self._confirmed: float | None = None
        self._tried = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; needs a running loop. A second start does nothing."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"watch {self._listing.resource.plural}")
            self._task.add_done_callback(self._ended)

    def age_s(self) -> float | None:
        """Seconds since the server last said where it stands; None before everything was listed once."""
        return None if self._confirmed is None else self._clock.monotonic() - self._confirmed

    def forget(self) -> None:
        """What was told is not kept by whoever was told: list, and tell, everything again."""
        self._version = ""

    async def tried(self) -> None:
        """Come back when everything was listed once, or the first attempt failed."""
        await self._tried.wait()

    def stop(self) -> asyncio.Task[None] | None:
        """Stop; the task to wait for, if there was one."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Only a defect of ours gets here: it must be seen where the cache goes stale, not vanish with the task.
        if not task.cancelled() and task.exception() is not None:
            self.fault = f"the watch has died of {task.exception()!r}"
            self._tried.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            begun, before, longest = self._clock.monotonic(), self._version, PAUSE_MOST_S
            try:
                watched = await self._once()
                self.fault = ""
                if not watched:
                    continue  # whether the right to list helps, the watch from there will show
                quiet = self._version == before and self._clock.monotonic() - begun < BRIEF_S
                failures = failures + 1 if quiet else 0
            except Gone as error:
                # Our place in the history is no longer kept (410): list again. A resource unknown here is a 404.
                self.fault = ""
                if not self._version:
                    self.fault, self.readable, longest = str(error), False, self._denied_s
                    self._failed(error)
                self._version = ""
                failures += 1
            except TargetError as error:
                self.fault = str(error)
                if isinstance(error, Forbidden):
                    self.readable, longest = False, self._denied_s
                failures = 1 if self._version != before else failures + 1
                self._failed(error)
            self._tried.set()
            if failures:
                most = min(longest, PAUSE_FIRST_S * 2.0 ** min(failures - 1, MOST_DOUBLINGS))
                await self._clock.sleep(most * (0.5 + 0.5 * self._spread()))

    async def _once(self) -> bool:
        """Watch, or list where that comes first; False where it was a list."""
        if self._version:
            await self._follow({"resourceVersion": self._version})
            return True
        if self._streams:
            try:
                await self._follow({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"})
                return True
            except Refused as refused:
                # Servers before 1.32 do not stream lists. Where it is a matter of rights, the pages will say so.
                await self._list(refused)
        else:
            await self._list(None)
        return False

    async def _list(self, refused: Refused | None) -> None:
        self._listed = set()
        listing = self._listing
        try:
            version = ""
            async for page in self._api.pages(
                listing.resource, listing.namespace, listing.of, selectors=listing.selectors, partial=listing.partial
            ):
                for record in page.items:
                    self._put(record)
                version = page.metadata.resource_version
        except Refused as error:
            raise refused or error from None
        self._streams = refused is None and self._streams
        self._complete(version)

    async def _follow(self, where: dict[str, str]) -> None:
        listing = self._listing
        initial = "sendInitialEvents" in where
        self._listed = set() if initial else None
        rest = b""
        async for chunk in self._api.watch(
            listing.resource,
            listing.namespace,
            query={**where, **listing.selectors, "timeoutSeconds": str(WATCH_S)},
            silence_s=SILENCE_S,
            partial=listing.partial,
        ):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    self._take(line)
            if self._listed is None:
                self._confirmed = self._clock.monotonic()
                self.fault = ""
                self._works()
        if initial and self._listed is not None:
            raise Unreachable("the watch ended before everything was listed")

    def _take(self, line: bytes) -> None:
        try:
            event = _decode_event(line)
            if event.type == "BOOKMARK":
                mark = _decode_bookmark(event.object)
                self._version = mark.metadata.resource_version
                if mark.initial:
                    self._complete(self._version)
            elif event.type in ("ADDED", "MODIFIED"):
                self._put(self._decode(event.object))
            elif event.type == "DELETED":
                meta = msgspec.json.decode(event.object, type=_Carried).metadata
                self._known.discard(meta.uid)
                self._moved(meta)
                self._changed(meta.uid, None)
            else:
                asked = Asked("watch", self._listing.resource, self._listing.namespace)
                raise refusal(asked, _decode_status(event.object).code or 500, bytes(event.object))
        except msgspec.DecodeError as error:
            raise Unreachable(f"the watch said what no Kubernetes API server says: {error}") from None

    def _put(self, record: R) -> None:
        meta: Meta = record.metadata  # type: ignore[attr-defined]
        self._known.add(meta.uid)
        if self._listed is not None:
            self._listed.add(meta.uid)
        else:
            self._moved(meta)
        self._changed(meta.uid, record)

    def _moved(self, meta: Meta) -> None:
        # While a list is streamed its objects come in any order: only the bookmark at its end is a place to go on from.
        if self._listed is None:
            self._version = meta.resource_version

    def _complete(self, version: str) -> None:
        listed, self._listed = self._listed or set(), None
        for uid in self._known - listed:
            self._changed(uid, None)
        self._known = listed
        self._version = version
        self.readable = True
        self._confirmed = self._clock.monotonic()
        self._tried.set()
