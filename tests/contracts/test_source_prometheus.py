"""What only a real Prometheus can show: ages on its own clock, its refusals, its restarts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import pytest
from aiohttp import web

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.policy import Reduce
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import Instance
from autoscaler.sources.prometheus import PrometheusSource
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.support import asks
from tests.support.wait import auntil
from tests.support.wire import served

pytestmark = pytest.mark.prometheus

AGE_S = 20.0  # of the newest recorded sample
Started = Callable[[PrometheusServer], PrometheusSource]


@pytest.fixture
async def started() -> AsyncIterator[Started]:
    """Sources of servers, closed at the end."""
    made: list[PrometheusSource] = []

    def start(server: PrometheusServer) -> PrometheusSource:
        made.append(PrometheusSource(PrometheusClient(server.url)))
        return made[-1]

    yield start
    for each in made:
        await each.close()


async def read(source: PrometheusSource, query: str, max_age: float | None = None) -> Reading:
    (reading,) = await source.read([asks.query(query, max_age=max_age)], time.time())
    return reading


def recorded() -> str:
    now = time.time()
    lines = [f"requests_total {100 * n} {now - AGE_S - 15 * (60 - n):.3f}" for n in range(61)]
    return "\n".join(["# TYPE requests counter", *lines, "# EOF\n"])


@pytest.fixture
def server(prometheus_server: PrometheusMaker) -> PrometheusServer:
    return prometheus_server(openmetrics=recorded())


AGED = [
    "requests_total",
    "requests_total offset 5m",
    "requests_total @ end()",
    "rate(requests_total[2m])",
    "rate(requests_total[2m] offset 3m)",
    "max_over_time(rate(requests_total[1m])[5m:30s])",
    "sum(rate(requests_total[2m])) / scalar(sum(requests_total))",
    "rate(never_there_total[2m]) or rate(requests_total[2m])",
    "max_over_time(requests_total[4m:30s] offset 4m)",
]


async def test_the_age_is_that_of_the_samples_whatever_the_query_does_to_their_time(
    server: PrometheusServer, started: Started
) -> None:
    source = started(server)
    for query in AGED:
        reading = await read(source, query)
        assert isinstance(reading, Series), (query, reading)
        assert reading.age_s is not None
        assert AGE_S - 1 < reading.age_s < AGE_S + 60, query
        stale = await read(source, query, max_age=AGE_S / 2)
        assert isinstance(stale, Missing), query
        assert (stale.why, "max_age is 10s" in stale.detail) == (MissingWhy.STALE, True), query


@pytest.mark.parametrize("query", ["requests_total offset 30m", "rate(requests_total[2m] offset 30m)"])
async def test_an_offset_does_not_hide_that_nothing_new_came(
    prometheus_server: PrometheusMaker, started: Started, query: str
) -> None:
    long_ago = [f"requests_total {n} {time.time() - 1800 - 15 * (30 - n):.3f}" for n in range(31)]
    server = await asyncio.to_thread(
        prometheus_server, openmetrics="\n".join(["# TYPE requests counter", *long_ago, "# EOF\n"])
    )
    assert server.value(query) is not None
    reading = await read(started(server), query)
    assert isinstance(reading, Missing)
    assert reading.why is MissingWhy.STALE


async def test_what_our_parser_does_not_know_the_server_may_still_answer(
    server: PrometheusServer, started: Started
) -> None:
    reading = await read(started(server), "holt_winters(requests_total[5m], 0.5, 0.5)")
    assert isinstance(reading, Series)
    assert reading.age_s is None


@pytest.mark.parametrize(
    ("query", "why", "words"),
    [
        ("sum(requests_total", MissingWhy.FAILED, "HTTP 400: bad_data"),
        ("unknown(requests_total)", MissingWhy.FAILED, "unknown function"),
        ("requests_total[5m]", MissingWhy.FAILED, "the query gives a matrix, not a value now: leave the range out"),
        ('"text"', MissingWhy.FAILED, "the query gives a string"),
        ("requests_total / 0", MissingWhy.NAN, "+Inf"),
        ("0 * requests_total / 0", MissingWhy.NAN, "NaN"),
        ("nobody", MissingWhy.EMPTY, "no series"),
        ("requests_total * on() group_right label_replace(vector(1), 'a', 'b', '', '')", None, ""),
    ],
)
async def test_what_the_server_says_becomes_the_reading(
    server: PrometheusServer, started: Started, query: str, why: MissingWhy | None, words: str
) -> None:
    reading = await read(started(server), query)
    if why is None:
        assert isinstance(reading, Series), reading
        return
    assert isinstance(reading, Missing), reading
    assert reading.why is why
    assert words in reading.detail


async def test_several_series_are_one_by_reduce_and_any_of_them_vouches(
    prometheus_server: PrometheusMaker, started: Started
) -> None:
    now = time.time()
    lines = [f'load{{i="{i}"}} {i} {now - 5 * back:.3f}' for i in (1, 2, 6) for back in range(20, 0, -1)]
    lines += [f'load{{i="broken"}} NaN {now - 5 * back:.3f}' for back in range(20, 0, -1)]
    server = await asyncio.to_thread(prometheus_server, openmetrics="\n".join(["# TYPE load gauge", *lines, "# EOF\n"]))
    source = started(server)
    whole, all_of_it = 'load{i!="broken"}', "load"
    put = [asks.query(whole, reduce=reduce) for reduce in Reduce] + [asks.query(all_of_it, reduce=Reduce.MAX)]
    put += [asks.query(all_of_it, voucher=True), asks.query("nobody", voucher=True)]
    *reduced, broken, vouched, unvouched = await source.read(put, now)
    values = [each.points[0].value for each in reduced if isinstance(each, Series)]
    assert dict(zip(Reduce, values, strict=True)) == {
        Reduce.SUM: 9.0,
        Reduce.MAX: 6.0,
        Reduce.MIN: 1.0,
        Reduce.AVG: 3.0,
    }
    assert isinstance(broken, Missing)
    assert broken.why is MissingWhy.NAN
    assert isinstance(vouched, Series)
    assert isinstance(unvouched, Missing)
    assert unvouched.why is MissingWhy.EMPTY


async def test_a_scalar_and_a_query_of_thirty_kilobytes_are_answered(
    server: PrometheusServer, started: Started
) -> None:
    source = started(server)
    names = "|".join(f"service-number-{n}" for n in range(2000))
    assert len(names) > 30_000
    for query in ("scalar(requests_total)", f'sum(requests_total{{service!~"{names}"}})'):
        reading = await read(source, query)
        assert isinstance(reading, Series), reading
        assert reading.points[0].value == 6000.0


async def test_a_server_that_is_away_and_back_is_failed_and_read_again(
    server: PrometheusServer, started: Started
) -> None:
    source = started(server)
    assert isinstance(await read(source, "requests_total"), Series)
    await asyncio.to_thread(server.stop)
    away = await read(source, "requests_total")
    assert isinstance(away, Missing)
    assert (away.why, "cannot connect" in away.detail) == (MissingWhy.FAILED, True)
    await asyncio.to_thread(server.start)
    assert isinstance(await read(source, "requests_total"), Series)


async def test_a_server_restarted_between_two_reads_is_not_even_noticed(
    server: PrometheusServer, started: Started
) -> None:
    source = started(server)
    assert isinstance(await read(source, "requests_total"), Series)
    await asyncio.to_thread(server.stop)
    await asyncio.to_thread(server.start)
    assert isinstance(await read(source, "requests_total"), Series)


def scraped(prometheus_server: PrometheusMaker, url: str) -> Awaitable[PrometheusServer]:
    return asyncio.to_thread(prometheus_server, scrape={"app": [url.removeprefix("http://")]})


def scrapes(server: PrometheusServer) -> float:
    return server.value("count_over_time(requests_total[1m])") or 0.0


async def counting(request: web.Request) -> web.Response:
    return web.Response(text=f"requests_total {time.time():.3f}\n")


async def test_a_target_that_is_not_scraped_any_more_is_stale_although_values_still_come(
    prometheus_server: PrometheusMaker, started: Started
) -> None:
    query, max_age = "rate(requests_total[2m])", 4.0
    async with served(counting) as url:
        server = await scraped(prometheus_server, url)
        source = started(server)

        async def fresh() -> bool:
            return isinstance(await read(source, query, max_age), Series) and scrapes(server) >= 8

        await auntil(fresh, "a rate is read")
    gone = time.monotonic()

    async def stale() -> Missing | None:
        reading = await read(source, query, max_age)
        if isinstance(reading, Missing):
            return reading
        assert reading.age_s is not None
        assert reading.age_s <= max_age
        return None

    missing = await auntil(stale, "it is stale")
    assert missing.why is MissingWhy.STALE, missing
    assert "old, max_age is 4s" in missing.detail
    assert time.monotonic() - gone < 20.0
    assert server.value(query) is not None
    instant = await read(source, "requests_total", max_age)
    assert isinstance(instant, Missing)
    assert instant.why is MissingWhy.EMPTY


async def test_without_max_age_two_intervals_as_seen_are_the_limit(
    prometheus_server: PrometheusMaker, started: Started
) -> None:
    """Scraped every second, so the limit is the least there is, 15 s, and not the two minutes of the beginning."""
    query = "rate(requests_total[2m])"
    async with served(counting) as url:
        server = await scraped(prometheus_server, url)
        source = started(server)

        async def fresh() -> bool:
            return isinstance(await read(source, query), Series) and scrapes(server) >= 8

        await auntil(fresh, "some rates are read", every=0.7)
    gone = time.monotonic()

    async def stale() -> Missing | None:
        reading = await read(source, query)
        return reading if isinstance(reading, Missing) else None

    missing = await auntil(stale, "it is stale", within=60, every=0.5)
    assert missing.why is MissingWhy.STALE, missing
    assert missing.detail.endswith("max_age is 15s, by the interval at which samples came")
    assert 8.0 < time.monotonic() - gone < 40.0


async def test_each_instance_is_told_apart_by_the_labels_of_its_series(
    prometheus_server: PrometheusMaker, started: Started
) -> None:
    now = time.time()
    lines = [
        f'lag_seconds{{pod="web-{pod}",path="{path}"}} {pod} {now - 15 * n:.3f}'
        for pod in (1, 2, 3)
        for path in ("a", "b")
        for n in range(20, 0, -1)
    ]
    source = started(prometheus_server(openmetrics="\n".join(["# TYPE lag_seconds gauge", *lines, "# EOF\n"])))
    there = tuple(Instance(id=f"id-{n}", name=f"web-{n}", created=0.0, ready=True, since=0.0) for n in (1, 2, 4))
    told = [
        msgspec.structs.replace(asks.query(query, max_age=60.0), instances=there, apart=True)
        for query in ("sum by (pod) (lag_seconds)", "lag_seconds", "sum(lag_seconds)")
    ]
    each, several, nobody = await source.read(told, time.time())
    assert isinstance(each, Series)
    assert {point.instance: point.value for point in each.points} == {"id-1": 2.0, "id-2": 4.0}
    assert isinstance(several, Missing)
    assert several.why is MissingWhy.SEVERAL
    assert isinstance(nobody, Missing)
    assert nobody.why is MissingWhy.UNCOVERED
