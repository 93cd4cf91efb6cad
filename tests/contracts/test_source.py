"""What every source promises: a real Prometheus, instances read directly, and what an engine measures of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
from aiohttp import web

from autoscaler.clients.docker_stats import DockerStats
from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.clock import SystemClock
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Resource
from autoscaler.model.signal import Missing, MissingWhy, Series
from autoscaler.ports import Source
from autoscaler.sources.platform import PlatformSource
from autoscaler.sources.prometheus import PrometheusSource
from autoscaler.sources.scrape import ScrapeSource
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker
from tests.support import asks
from tests.support.wire import served

VALUE = 12.0
AGE_S = 4.0  # of the good samples, when the source's surroundings began
OLD_S = 200.0


@dataclass
class Place:
    """A source and the asks that must come out as what they are called."""

    source: Source
    good: Ask
    missing: Mapping[MissingWhy, Ask]
    age_s: float = AGE_S

    async def read(self, *put: Ask) -> list[Series | Missing]:
        return list(await self.source.read(put, time.time()))


def recorded(now: float) -> str:
    """Samples every 15 s: of two series until a moment ago, of one that is not a number, of one that stopped."""

    def samples(series: str, value: str, age: float) -> list[str]:
        return [f"{series} {value} {now - age - 15 * back:.3f}" for back in range(40, -1, -1)]

    lines = ["# TYPE load gauge", *samples('load{i="a"}', "8", AGE_S), *samples('load{i="b"}', "4", AGE_S)]
    lines += ["# TYPE broken gauge", *samples("broken", "NaN", AGE_S), "# TYPE old gauge", *samples("old", "5", OLD_S)]
    return "\n".join([*lines, "# EOF\n"])


async def a_prometheus(request: pytest.FixtureRequest) -> Place:
    maker: PrometheusMaker = request.getfixturevalue("prometheus_server")
    server = await asyncio.to_thread(maker, openmetrics=recorded(time.time()))
    return Place(
        PrometheusSource(PrometheusClient(server.url)),
        asks.query("sum(load)"),
        {
            MissingWhy.EMPTY: asks.query("nothing_of_this_name"),
            MissingWhy.NAN: asks.query("broken"),
            MissingWhy.STALE: asks.query("old"),
            MissingWhy.FAILED: asks.query("sum(load"),
            MissingWhy.SEVERAL: asks.query("load"),
        },
    )


async def some_instances(stack: AsyncExitStack) -> Place:
    began = time.time()

    async def metrics(request: web.Request) -> web.Response:
        at = f"{(began - AGE_S) * 1000:.0f}"
        long_ago = f"{(began - OLD_S) * 1000:.0f}"
        text = f'load{{i="a"}} 8 {at}\nload{{i="b"}} 4 {at}\nbroken NaN\nold 5 {long_ago}\n'
        return web.Response(text=text)

    there = asks.instance(await stack.enter_async_context(served(metrics)))
    away = asks.instance(f"127.0.0.1:{free_port()}")
    return Place(
        ScrapeSource(SystemClock()),
        asks.page("load", there),
        {
            MissingWhy.EMPTY: asks.page("nothing_of_this_name", there),
            MissingWhy.NAN: asks.page("broken", there),
            MissingWhy.STALE: asks.page("old", there),
            MissingWhy.FAILED: asks.page("load", away),
        },
    )


async def an_engine(stack: AsyncExitStack) -> Place:
    held = {"a": 8, "b": 4}

    async def answer(request: web.Request) -> web.Response:
        id = request.path.split("/")[2]
        if id not in held:
            return web.json_response({"message": f"No such container: {id}"}, status=404)
        return web.json_response({"memory_stats": {"usage": held[id]}, "HostConfig": {}})

    url = await stack.enter_async_context(served(answer))
    a, b, gone = (asks.instance("", id=id) for id in ("a", "b", "gone"))
    return Place(
        PlatformSource({("compose", "default"): DockerStats(url.replace("http://", "tcp://"))}, SystemClock()),
        asks.used(Resource.MEMORY, a, b),
        {MissingWhy.EMPTY: asks.used(Resource.MEMORY), MissingWhy.FAILED: asks.used(Resource.MEMORY, gone)},
        age_s=0.0,
    )


@pytest.fixture(params=[pytest.param("prometheus", marks=pytest.mark.prometheus), "scrape", "platform"])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with AsyncExitStack() as stack:
        if request.param == "prometheus":
            made = await a_prometheus(request)
        else:
            made = await (some_instances if request.param == "scrape" else an_engine)(stack)
        yield made
        await made.source.close()


async def test_no_ask_gives_no_reading(place: Place) -> None:
    assert await place.read() == []


async def test_a_value_comes_with_its_age(place: Place) -> None:
    began = time.time()
    (reading,) = await place.read(place.good)
    assert isinstance(reading, Series), reading
    assert sum(point.value for point in reading.points) == VALUE
    assert reading.age_s is not None
    assert place.age_s - 1 <= reading.age_s <= place.age_s + 30 + (time.time() - began)


async def test_each_kind_of_missing_is_its_own_and_says_so_in_a_sentence(place: Place) -> None:
    readings = await place.read(*place.missing.values())
    assert [reading.why for reading in readings if isinstance(reading, Missing)] == list(place.missing)
    details = [reading.detail for reading in readings if isinstance(reading, Missing)]
    assert all(len(detail.split()) >= 3 and "\n" not in detail for detail in details), details
    assert len(set(details)) == len(details)


async def test_one_reading_per_ask_in_the_same_order_and_a_bad_one_spoils_only_itself(place: Place) -> None:
    put = [place.good]
    for ask in place.missing.values():
        put += [ask, place.good]
    readings = await place.read(*put)
    assert len(readings) == len(put)
    assert all(isinstance(reading, Series) for reading in readings[0::2]), readings
    assert [reading.why for reading in readings[1::2] if isinstance(reading, Missing)] == list(place.missing)


async def test_the_same_ask_twice_gives_the_same_twice(place: Place) -> None:
    first, second = await place.read(place.good, place.good)
    assert first == second


async def test_two_reads_at_once_do_not_disturb_each_other(place: Place) -> None:
    one, other = await asyncio.gather(place.read(place.good), place.read(*place.missing.values(), place.good))
    assert isinstance(one[0], Series)
    assert isinstance(other[-1], Series)


async def test_it_may_be_closed_twice_and_unused(place: Place) -> None:
    await place.source.close()
    await place.source.close()


async def test_a_strange_ask_is_missing_and_never_an_exception(place: Place) -> None:
    strange = asks.query("\ud800") if place.good.query else asks.page("load", asks.instance("no such host"))
    readings = await place.read(strange, place.good)
    assert isinstance(readings[0], Missing)
    assert isinstance(readings[1], Series)
