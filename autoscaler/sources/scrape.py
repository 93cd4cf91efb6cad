"""Readings from the instances themselves: each one's metrics page, once per cycle for all signals that need it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from autoscaler.clients.exposition import ExpositionClient, Line
from autoscaler.decide.explain import span
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Scrape, ScrapeMode
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import Instance
from autoscaler.ports import Clock
from autoscaler.sources.instances import expected

KEEP_S = 600.0  # a counter read longer ago than this is not continued
MAX_AGE_S = 120.0  # where no policy says it, for samples that carry a time

Labels = tuple[tuple[str, str], ...]
Key = tuple[str, str, str, str, str, Labels]  # workload, signal, instance, where, metric, matchers


class Read(msgspec.Struct, frozen=True):
    """An instance's counters as read at a time, by their labels."""

    values: Mapping[Labels, float]
    at: float


class Found(msgspec.Struct, frozen=True):
    """One instance's value and how old it is, in seconds."""

    value: float
    age_s: float


Page = list[Line] | SourceError


class ScrapeSource:
    """Reads instances directly. One that cannot be read is `unread`: loaded to its target, or empty, as is safe."""

    def __init__(self, clock: Clock, client: ExpositionClient | None = None) -> None:
        self._clock = clock
        self._client = client or ExpositionClient()
        self._counters: dict[Key, Read] = {}
        self._failed: set[str] = set()

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        wanted: dict[str, set[str]] = {}
        for ask in asks:
            for instance in _expected(ask.instances):
                wanted.setdefault(_url(instance, _scrape(ask)), set()).add(_scrape(ask).metric)
        # What failed last time is asked last, so that it holds nobody else up.
        urls = sorted(wanted, key=self._failed.__contains__)
        fetched = await asyncio.gather(*(self._page(url, frozenset(wanted[url])) for url in urls))
        pages = dict(zip(urls, fetched, strict=True))
        self._failed = {url for url, page in pages.items() if isinstance(page, SourceError)}
        at = self._clock.monotonic()
        self._counters = {key: read for key, read in self._counters.items() if at - read.at < KEEP_S}
        return [self._reading(ask, pages, at, now) for ask in asks]

    async def close(self) -> None:
        """Close the client."""
        await self._client.close()

    async def _page(self, url: str, names: frozenset[str]) -> Page:
        try:
            return await self._client.fetch(url, names)
        except SourceError as error:
            return error

    def _reading(self, ask: Ask, pages: Mapping[str, Page], at: float, now: float) -> Reading:
        points: list[Point] = []
        unread: list[str] = []
        missing: Missing | None = None
        age_s = 0.0
        for instance in _expected(ask.instances):
            found = self._found(ask, instance, pages[_url(instance, _scrape(ask))], at, now)
            if isinstance(found, Missing):
                unread.append(instance.id)
                missing = missing or found
            else:
                points.append(Point(found.value, instance=instance.id))
                age_s = max(age_s, found.age_s)
        if points:
            return Series(tuple(points), age_s, tuple(unread))
        return missing or Missing(MissingWhy.EMPTY, "no instance is ready, so there is nothing to read")

    def _found(self, ask: Ask, instance: Instance, page: Page, at: float, now: float) -> Found | Missing:
        """One instance's value, or why it has none."""
        scrape = _scrape(ask)
        if isinstance(page, SourceError):
            return Missing(MissingWhy.FAILED, page.message)
        fitting = [line for line in page if line.name == scrape.metric and scrape.match.items() <= line.labels.items()]
        url = _url(instance, scrape)
        if not fitting:
            return Missing(MissingWhy.EMPTY, f"{url}: no series {scrape.metric} that fits")
        total = math.fsum(line.value for line in fitting if math.isfinite(line.value))
        if not all(math.isfinite(line.value) for line in fitting):
            return Missing(MissingWhy.NAN, f"{url}: {scrape.metric} is not a number, or infinite")
        age_s = max(0.0 if line.at is None else max(0.0, now - line.at) for line in fitting)
        limit = MAX_AGE_S if ask.signal.max_age is None else ask.signal.max_age
        if age_s > limit:
            said = f"{url}: the samples carry a time {span(age_s)} ago, max_age is {span(limit)}"
            return Missing(MissingWhy.STALE, said)
        if scrape.mode is ScrapeMode.GAUGE:
            return Found(total, age_s)
        rate = self._rate(ask, instance, {_labels(line): line.value for line in fitting}, at)
        if rate is None:
            return Missing(MissingWhy.EMPTY, f"{instance.name}: read for the first time, a rate needs two reads")
        return Found(rate, age_s)

    def _rate(self, ask: Ask, instance: Instance, values: Mapping[Labels, float], at: float) -> float | None:
        """Per second since the read before; None at the first.

        A counter that went down, or was not there before, began again at zero; one that went away has no part.
        """
        scrape = _scrape(ask)
        matchers = tuple(sorted(scrape.match.items()))
        key = (ask.ref.key, ask.signal.name, instance.id, _url(instance, scrape), scrape.metric, matchers)
        before = self._counters.get(key)
        self._counters[key] = Read(values, at)
        if before is None or at <= before.at:
            return None
        starts = {labels: before.values.get(labels, 0.0) for labels in values}
        risen = math.fsum(now - starts[each] if now >= starts[each] else now for each, now in values.items())
        return risen / (at - before.at)


def _scrape(ask: Ask) -> Scrape:
    assert ask.signal.scrape is not None  # the loop sends asks to the source they are for
    return ask.signal.scrape


def _expected(instances: Iterable[Instance]) -> Iterable[Instance]:
    """Those that should be in the data and can be asked."""
    return (each for each in expected(instances) if each.address)


def _labels(line: Line) -> Labels:
    return tuple(sorted(line.labels.items()))


def _url(instance: Instance, scrape: Scrape) -> str:
    host, _, own = instance.address.rpartition(":")
    if not host or (instance.address.count(":") > 1 and not instance.address.startswith("[")):
        host, own = instance.address, ""  # an address without a port; IPv6 has colons of its own
    elif instance.address.endswith("]"):
        host, own = instance.address, ""
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    port = own if scrape.port is None else str(scrape.port)
    return f"http://{host}:{port}{scrape.path}"
