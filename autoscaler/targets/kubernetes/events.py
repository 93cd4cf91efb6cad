"""Kubernetes Events (events.k8s.io/v1) on workloads, written beside the cycle: whoever tells one waits for nothing.

The same again within ten minutes is counted in one Event's series, at most once a minute. A few are written a second;
of more than can wait the rest is dropped and counted.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import socket
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from autoscaler import log
from autoscaler.clients.kubernetes_api import MANAGER, KubernetesApi
from autoscaler.clients.kubernetes_wire import Partial, Resource
from autoscaler.errors import Forbidden, Gone, TargetError, Unreachable
from autoscaler.ports import Clock
from autoscaler.targets.kubernetes.tidings import Tiding

EVENTS = Resource("events.k8s.io/v1", "events")
PAUSE_S = 0.2  # between two writes
WAITING = 500  # that may wait to be written
REMEMBERED = 1000  # that are counted on when they come again
SERIES_S = 600.0  # the same again after so long is a new Event
AGAIN_S = 60.0  # between two writes to the same Event
DENIED_S = 300.0  # after a refusal for want of a right
AWAY_S = 5.0  # after an API server that did not answer
NOTE_MOST = 1000  # of 1,024 bytes the API takes


Key = tuple[str, str, str]


class Regarding(msgspec.Struct, frozen=True):
    """The object an Event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


class _Written(msgspec.Struct):
    """One Event: what it is called once there is one, how often it was told, and when it was told and written last."""

    about: Regarding
    tiding: Tiding
    name: str = ""
    count: int = 1
    told_at: float = 0.0
    written_at: float = -math.inf


class Events:
    """Takes tidings and writes them by a task of its own. `counts` says how many were written, dropped or refused."""

    def __init__(self, api: KubernetesApi, clock: Clock, said: Callable[[str], None]) -> None:
        self.counts: Counter[str] = Counter()
        self._api = api
        self._clock = clock
        self._said = said
        self._known: dict[Key, _Written] = {}  # the one told last is the last
        self._waiting: dict[Key, None] = {}  # to be written, in this order
        self._numbers = itertools.count()
        self._denied_until = 0.0
        self._told_denied = False
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def tell(self, about: Regarding, tiding: Tiding) -> None:
        """Have it written; needs a running loop."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="events of workloads")
            self._task.add_done_callback(self._ended)
        if tiding.at < self._denied_until:
            self.counts["refused"] += 1
            return
        key = about.uid, tiding.reason, tiding.note
        known = self._known.get(key)
        if known is not None and tiding.at - known.told_at < SERIES_S:
            known.count += 1
        elif key in self._waiting or len(self._waiting) < WAITING:
            known = _Written(about, tiding)
        else:
            self.counts["dropped"] += 1
            return
        known.told_at = tiding.at
        self._known.pop(key, None)
        self._known[key] = known
        self._waiting.setdefault(key)
        if len(self._known) > REMEMBERED:  # more than may wait, so the oldest does not
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._waiting.pop(oldest, None)
        self._news.set()

    def stop(self) -> asyncio.Task[None] | None:
        """Stop writing; the task to wait for, if there was one."""
        if self._task is not None:
            self._task.cancel()
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Only a defect of ours gets here: it must be said, not vanish with the task.
        if not task.cancelled() and task.exception() is not None:
            self._said(f"no Events are written on workloads any more: their task has died of {task.exception()!r}")

    async def _run(self) -> None:
        while True:
            due = self._due()
            if due is not None:
                await self._clock.sleep(await self._write(due))
            elif self._waiting:
                await self._clock.sleep(1.0)
            else:
                self._news.clear()
                await self._news.wait()

    def _due(self) -> Key | None:
        latest = self._clock.now() - AGAIN_S
        return next((key for key in self._waiting if self._known[key].written_at <= latest), None)

    async def _write(self, key: Key) -> float:
        """Write one; how long to wait before the next, in seconds."""
        del self._waiting[key]
        due, now = self._known[key], self._clock.now()
        try:
            await self._send(due, now)
        except Unreachable as error:
            if key in self._known:
                self._waiting.setdefault(key)
            return AWAY_S if error.retry_after_s is None else error.retry_after_s
        except TargetError as error:
            self.counts["refused"] += 1
            if isinstance(error, Forbidden) and error.hint:  # the right is missing, not for this one Event only
                self._deny(error, now)
            return PAUSE_S
        self.counts["written"] += 1
        due.written_at = now
        return PAUSE_S

    async def _send(self, due: _Written, now: float) -> None:
        if due.name:
            series = {"series": {"count": due.count, "lastObservedTime": _micro(due.told_at)}}
            try:
                await self._api.merge(EVENTS, due.about.namespace, due.name, series, Partial)
                return
            except Gone:
                pass  # its time was over: a new one takes its place
        name = f"{due.about.name[:200]}.{int(now * 1e6):x}{next(self._numbers) % 4096:03x}"
        await self._api.create(EVENTS, due.about.namespace, body(name, due.about, due.tiding), Partial)
        due.name = name

    def _deny(self, error: Forbidden, now: float) -> None:
        self._denied_until = now + DENIED_S
        self._waiting.clear()
        if not self._told_denied:
            self._told_denied = True
            self._said(f"no Events are written on workloads: {error}")


def body(name: str, about: Regarding, tiding: Tiding) -> dict[str, Any]:
    """An Event as the API takes it."""
    return {
        "apiVersion": EVENTS.group_version,
        "kind": "Event",
        "metadata": {"name": name, "namespace": about.namespace},
        "eventTime": _micro(tiding.at),
        "reportingController": MANAGER,
        "reportingInstance": socket.gethostname()[:128],
        "type": tiding.type,
        "action": tiding.action,
        "reason": tiding.reason,
        "note": log.redact(tiding.note).encode()[:NOTE_MOST].decode(errors="ignore"),
        "regarding": {
            "apiVersion": about.api_version,
            "kind": about.kind,
            "namespace": about.namespace,
            "name": about.name,
            "uid": about.uid,
        },
    }


def _micro(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
