"""Readings from the instances themselves: each one's metrics page, once per cycle for all signals that need it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence

import msgspec

from autoscaler.clients.exposition import ExpositionClient, Line
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Scrape, ScrapeMode
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import Instance
from autoscaler.ports import Clock

KEEP_S = 600.0  # a counter read longer ago than this is not continued


class Read(msgspec.Struct, frozen=True):
    """A counter as read at a time."""

    value: float
    at: float


Page = list[Line] | SourceError


class ScrapeSource:
    """Reads instances directly. One that cannot be read is `unread`: loaded to its target, or empty, as is safe."""

    def __init__(self, clock: Clock, client: ExpositionClient | None = None) -> None:
        self._clock = clock
        self._client = client or ExpositionClient()
        self._counters: dict[tuple[str, str, str, str], Read] = {}

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        wanted: dict[str, set[str]] = {}
        for ask in asks:
            for instance in _expected(ask.instances):
                wanted.setdefault(_url(instance, _scrape(ask)), set()).add(_scrape(ask).metric)
        fetched = await asyncio.gather(*(self._page(url, frozenset(names)) for url, names in wanted.items()))
        at = self._clock.monotonic()
        pages = dict(zip(wanted, fetched, strict=True))
        readings = [self._reading(ask, pages, at) for ask in asks]
        self._counters = {key: read for key, read in self._counters.items() if at - read.at < KEEP_S}
        return readings

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _page(self, url: str, names: frozenset[str]) -> Page:
        try:
            return await self._client.fetch(url, names)
        except SourceError as error:
            return error

    def _reading(self, ask: Ask, pages: dict[str, Page], at: float) -> Reading:
        scrape, points, unread, why = _scrape(ask), [], [], ""
        expected = list(_expected(ask.instances))
        if not expected:
            return Missing(MissingWhy.EMPTY, "no instance is ready, so there is nothing to read")
        for instance in expected:
            try:
                value = self._value(ask, instance, pages[_url(instance, scrape)], at)
            except SourceError as error:
                unread.append(instance.id)
                why = why or error.message
            else:
                points.append(Point(value, instance=instance.id))
        if not points:
            return Missing(MissingWhy.FAILED, why)
        return Series(tuple(points), 0.0, tuple(unread))

    def _value(self, ask: Ask, instance: Instance, page: Page, at: float) -> float:
        """One instance's value. Raises SourceError where there is none."""
        scrape = _scrape(ask)
        if isinstance(page, SourceError):
            raise page
        fitting = [
            line.value
            for line in page
            if line.name == scrape.metric and all(line.labels.get(k) == v for k, v in scrape.match.items())
        ]
        url = _url(instance, scrape)
        if not fitting:
            raise SourceError(f"{url}: no series {scrape.metric} that fits")
        total = math.fsum(fitting)
        if not math.isfinite(total):
            raise SourceError(f"{url}: {scrape.metric} is {total}")
        return total if scrape.mode is ScrapeMode.GAUGE else self._rate(ask, instance, total, at)

    def _rate(self, ask: Ask, instance: Instance, total: float, at: float) -> float:
        """Per second since the read before. A counter that went down began again at zero."""
        key = (ask.ref.key, ask.signal.name, instance.id, _scrape(ask).metric)
        before = self._counters.get(key)
        self._counters[key] = Read(total, at)
        if before is None or at <= before.at:
            raise SourceError(f"{instance.name}: read for the first time, a rate needs two reads")
        risen = total - before.value if total >= before.value else total
        return risen / (at - before.at)


def _scrape(ask: Ask) -> Scrape:
    assert ask.signal.scrape is not None  # the loop sends asks to the source they are for
    return ask.signal.scrape


def _expected(instances: Iterable[Instance]) -> Iterable[Instance]:
    """Who should be in the data: the ready, and who was: a sick one may still carry load."""
    return (each for each in instances if each.address and each.running and not each.draining and each.ready)


def _url(instance: Instance, scrape: Scrape) -> str:
    host, _, own = instance.address.rpartition(":")
    if not host or (instance.address.count(":") > 1 and not instance.address.startswith("[")):
        host, own = instance.address, ""  # an address without a port; IPv6 has colons of its own
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    port = own if scrape.port is None else str(scrape.port)
    return f"http://{host}:{port}{scrape.path}"
