"""CPU and memory as the platform itself measures them of every instance: engine by engine, or a cluster at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from autoscaler.clients.docker_stats import Usage
from autoscaler.errors import SourceError
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Resource
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.ports import Clock, Source
from autoscaler.sources.instances import expected

ENGINES = ""  # all platforms that are measured by meters
KEEP_S = 600.0  # a CPU time read longer ago than this is not continued

Place = tuple[str, str]  # platform, and the engine or cluster on it


class Meter(Protocol):
    """What one engine measures."""

    async def measure(self, ids: Sequence[str]) -> Mapping[str, Usage | SourceError]: ...

    async def close(self) -> None: ...


class _Before(msgspec.Struct, frozen=True, gc=False):
    """An instance's CPU seconds, when they were measured, and when we read that on our own clock."""

    cpu_s: float
    at: float
    kept: float


class PlatformSource:
    """Reads every instance once per cycle, whatever many signals ask of it.

    An instance that cannot be measured is `unread`: loaded to its target, or empty, as is safe. CPU is a rate, so an
    instance has one from its second look on. `clusters` measure by themselves, each under its platform's name.
    """

    def __init__(
        self, meters: Mapping[Place, Meter], clock: Clock, clusters: Mapping[str, Source] | None = None
    ) -> None:
        self._meters = meters
        self._clusters = clusters or {}
        self._clock = clock
        self._before: dict[str, _Before] = {}

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order."""
        found: dict[int, Reading] = {}

        async def ask_of(source: Callable[[Sequence[Ask], float], Awaitable[Sequence[Reading]]], platform: str) -> None:
            own = [index for index, ask in enumerate(asks) if _source_of(ask, self._clusters) == platform]
            if own:
                found.update(zip(own, await source([asks[index] for index in own], now), strict=True))

        each = [ask_of(source.read, platform) for platform, source in self._clusters.items()]
        await asyncio.gather(ask_of(self._metered, ENGINES), *each)
        return [found[index] for index in range(len(asks))]

    async def _metered(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        wanted: dict[Place, dict[str, None]] = {}
        for ask in asks:
            ids = wanted.setdefault((ask.ref.platform, ask.ref.instance), {})
            ids.update((each.id, None) for each in expected(ask.instances))
        used: dict[str, Usage | SourceError] = {}
        for told in await asyncio.gather(*(self._measured(place, list(ids)) for place, ids in wanted.items())):
            used.update(told)
        cores = self._rates(used)
        return [self._reading(ask, used, cores) for ask in asks]

    async def close(self) -> None:
        """Close the meters and what asks clusters."""
        for source in self._clusters.values():
            await source.close()
        for meter in self._meters.values():
            await meter.close()

    async def _measured(self, place: Place, ids: Sequence[str]) -> Mapping[str, Usage | SourceError]:
        meter = self._meters.get(place)
        if meter is None:
            return dict.fromkeys(ids, SourceError(f"nothing measures instances of {place[0]}"))
        return await meter.measure(ids)

    def _rates(self, used: Mapping[str, Usage | SourceError]) -> dict[str, float]:
        """CPU in cores since the look before; one that was started anew began again at zero.

        By the engine's own times: a busy engine takes its time to answer, and each container was measured at another.
        """
        now = self._clock.monotonic()
        self._before = {id: read for id, read in self._before.items() if now - read.kept < KEEP_S}
        found: dict[str, float] = {}
        for id, usage in used.items():
            if isinstance(usage, SourceError):
                continue
            before = self._before.get(id)
            at = now if usage.at is None else usage.at
            self._before[id] = _Before(usage.cpu_s, at, now)
            if before is not None and at > before.at:
                spent = usage.cpu_s - before.cpu_s if usage.cpu_s >= before.cpu_s else usage.cpu_s
                found[id] = spent / (at - before.at)
        return found

    def _reading(self, ask: Ask, used: Mapping[str, Usage | SourceError], cores: Mapping[str, float]) -> Reading:
        points: list[Point] = []
        unread: list[str] = []
        missing: Missing | None = None
        for instance in expected(ask.instances):
            value = _value(ask, instance.id, instance.name, used, cores)
            if isinstance(value, Missing):
                unread.append(instance.id)
                missing = missing or value
            else:
                points.append(Point(value, instance=instance.id))
        if points:
            return Series(tuple(points), 0.0, tuple(unread))
        return missing or Missing(MissingWhy.EMPTY, "no instance is ready, so there is nothing to measure")


def _source_of(ask: Ask, clusters: Mapping[str, Source]) -> str:
    return ask.ref.platform if ask.ref.platform in clusters else ENGINES


def _value(
    ask: Ask, id: str, name: str, used: Mapping[str, Usage | SourceError], cores: Mapping[str, float]
) -> float | Missing:
    """What one instance uses: cores or bytes, as a fraction of its limit where no goal is in cores or bytes."""
    usage = used.get(id)
    if not isinstance(usage, Usage):
        return Missing(MissingWhy.FAILED, usage.message if usage is not None else f"{name} was not measured")
    if ask.signal.resource is Resource.MEMORY:
        value, limit, what, unit = usage.memory, usage.memory_limit, "memory", "bytes: 256Mi"
    else:
        if id not in cores:
            return Missing(MissingWhy.EMPTY, f"{name}: read for the first time, a rate needs two reads")
        value, limit, what, unit = cores[id], usage.cpu_limit, "CPU", "cores: 500m"
    if ask.signal.votes and ask.signal.utilization is None:
        return value
    if not limit:
        return Missing(MissingWhy.FAILED, f"{name} has no {what} limit: set one, or write per_replica in {unit}")
    return value / limit
