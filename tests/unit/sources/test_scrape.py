"""Reading instances directly: rates between two reads, who is expected, and pages that are none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web

from autoscaler.clients.exposition import TIMEOUT_S, ExpositionClient
from autoscaler.clock import ManualClock
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.votes import Ballot, vote
from autoscaler.model.observation import Ask
from autoscaler.model.policy import Policy, ScrapeMode, Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import Instance, TargetState
from autoscaler.sources.scrape import KEEP_S, ScrapeSource
from tests.parts.process import free_port
from tests.support import asks, nouns
from tests.support.wire import Handler, cut, served


class Exporter:
    """One instance's metrics page, as the test sets it."""

    def __init__(self, text: str = "") -> None:
        self.text = text

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text=self.text)


def values(reading: Reading) -> list[float]:
    assert isinstance(reading, Series), reading
    return [point.value for point in reading.points]


def is_missing(reading: Reading, why: MissingWhy, *words: str) -> None:
    assert isinstance(reading, Missing), reading
    assert reading.why is why, reading
    for word in words:
        assert word in reading.detail, reading.detail


class World:
    """A source on a clock the test moves."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000.0)
        self.source = ScrapeSource(self.clock)

    async def read(self, ask: Ask) -> Reading:
        (reading,) = await self.source.read([ask], self.clock.now())
        return reading


@asynccontextmanager
async def world(*handlers: Handler) -> AsyncIterator[tuple[World, list[str]]]:
    """A world and the addresses of these pages."""
    made = World()
    async with AsyncExitStack() as stack:
        addresses = [await stack.enter_async_context(served(handler)) for handler in handlers]
        yield made, addresses
        await made.source.close()


async def test_a_gauge_is_added_up_over_an_instances_series_and_told_per_instance() -> None:
    async with world(Exporter('load{a="1"} 2\nload{a="2"} 3\n'), Exporter("load 7\n")) as (made, (one, other)):
        reading = await made.read(asks.page("load", asks.instance(one, id="i1"), asks.instance(other, id="i2")))
    assert isinstance(reading, Series)
    assert {point.instance: point.value for point in reading.points} == {"i1": 5.0, "i2": 7.0}
    assert (reading.age_s, reading.unread) == (0.0, ())


async def test_only_series_that_match_count() -> None:
    async with world(Exporter('load{a="1",b="x"} 2\nload{a="2"} 3\nload_total 9\n')) as (made, (url,)):
        assert values(await made.read(asks.page("load", asks.instance(url), match={"a": "1"}))) == [2.0]
        is_missing(await made.read(asks.page("load", asks.instance(url), match={"a": "3"})), MissingWhy.EMPTY, "load")


async def test_a_rate_is_per_second_between_two_reads() -> None:
    page = Exporter("requests 100\n")
    async with world(page) as (made, (url,)):
        ask = asks.page("requests", asks.instance(url), mode=ScrapeMode.RATE)
        is_missing(await made.read(ask), MissingWhy.EMPTY, "a rate needs two reads")
        made.clock.advance(10)
        page.text = "requests 150\n"
        assert values(await made.read(ask)) == [5.0]
        made.clock.advance(10)
        assert values(await made.read(ask)) == [0.0]


async def test_a_counter_that_began_again_counts_from_zero() -> None:
    page = Exporter("requests 1000\n")
    async with world(page) as (made, (url,)):
        ask = asks.page("requests", asks.instance(url), mode=ScrapeMode.RATE)
        await made.read(ask)
        made.clock.advance(10)
        page.text = "requests 40\n"
        assert values(await made.read(ask)) == [4.0]


async def test_each_series_has_a_rate_of_its_own() -> None:
    """One that begins again, one that is new and one that goes away do not spoil the others."""
    page = Exporter('requests{a="1"} 1000\nrequests{a="2"} 500\nrequests{a="gone"} 9000\n')
    async with world(page) as (made, (url,)):
        ask = asks.page("requests", asks.instance(url), mode=ScrapeMode.RATE)
        await made.read(ask)
        made.clock.advance(10)
        page.text = 'requests{a="1"} 20\nrequests{a="2"} 530\nrequests{a="new"} 10\n'
        assert values(await made.read(ask)) == [(20 + 30 + 10) / 10]


async def test_a_counter_read_long_ago_is_not_continued() -> None:
    page = Exporter("requests 100\n")
    async with world(page) as (made, (url,)):
        ask = asks.page("requests", asks.instance(url), mode=ScrapeMode.RATE)
        await made.read(ask)
        made.clock.advance(KEEP_S)
        is_missing(await made.read(ask), MissingWhy.EMPTY, "two reads")


async def test_a_new_instance_at_an_old_address_begins_anew() -> None:
    page = Exporter("requests 100\n")
    async with world(page) as (made, (url,)):
        await made.read(asks.page("requests", asks.instance(url, id="old"), mode=ScrapeMode.RATE))
        made.clock.advance(10)
        page.text = "requests 5000\n"
        reading = await made.read(asks.page("requests", asks.instance(url, id="new"), mode=ScrapeMode.RATE))
        is_missing(reading, MissingWhy.EMPTY, "new: read for the first time")


async def test_other_matchers_of_the_same_signal_begin_anew() -> None:
    page = Exporter('requests{a="1"} 100\nrequests{a="2"} 9000\n')
    async with world(page) as (made, (url,)):
        await made.read(asks.page("requests", asks.instance(url), mode=ScrapeMode.RATE, match={"a": "1"}))
        made.clock.advance(10)
        reading = await made.read(asks.page("requests", asks.instance(url), mode=ScrapeMode.RATE))
        is_missing(reading, MissingWhy.EMPTY, "two reads")


async def test_an_instance_that_cannot_be_reached_is_unread_and_the_others_count() -> None:
    away = asks.instance(f"127.0.0.1:{free_port()}", id="away")
    async with world(Exporter("load 7\n")) as (made, (url,)):
        reading = await made.read(asks.page("load", away, asks.instance(url, id="there")))
    assert values(reading) == [7.0]
    assert isinstance(reading, Series)
    assert reading.unread == ("away",)


async def test_where_nobody_can_be_reached_the_reading_is_failed() -> None:
    away = asks.instance(f"127.0.0.1:{free_port()}", id="away")
    async with world() as (made, _):
        is_missing(await made.read(asks.page("load", away)), MissingWhy.FAILED, "cannot connect: Connection refused")


async def test_who_is_starting_draining_ended_or_without_address_is_not_expected() -> None:
    async with world(Exporter("load 7\n")) as (made, (url,)):
        others = [
            asks.instance(url, id="starting", ready=False, was_ready=False),
            asks.instance(url, id="draining", draining=True),
            asks.instance(url, id="ended", running=False),
            asks.instance("", id="without address"),
        ]
        is_missing(await made.read(asks.page("load", *others)), MissingWhy.EMPTY, "no instance is ready")
        reading = await made.read(asks.page("load", *others, asks.instance(url)))
    assert values(reading) == [7.0]
    assert isinstance(reading, Series)
    assert reading.unread == ()


async def test_no_instance_at_all_is_empty() -> None:
    async with world() as (made, _):
        is_missing(await made.read(asks.page("load")), MissingWhy.EMPTY, "no instance is ready")


async def test_a_sick_instance_that_answers_is_read_and_one_that_does_not_is_unread() -> None:
    """Overload makes instances sick: left out, their load would seem gone, and the rest would shrink."""
    async with world(Exporter("load 50\n")) as (made, (url,)):
        answering = asks.instance(url, id="answering", ready=False)
        silent = asks.instance(f"127.0.0.1:{free_port()}", id="silent", ready=False)
        reading = await made.read(asks.page("load", answering, silent))
    assert values(reading) == [50.0]
    assert isinstance(reading, Series)
    assert reading.unread == ("silent",)


async def test_an_ipv6_instance_is_read() -> None:
    async with served(Exporter("load 7\n"), host="::1") as url:
        made = World()
        port = int(url.rpartition(":")[2])
        for address in ("::1", "[::1]"):
            assert values(await made.read(asks.page("load", asks.instance(address), port=port))) == [7.0]
        assert values(await made.read(asks.page("load", asks.instance(f"[::1]:{port}")))) == [7.0]
        await made.source.close()


async def test_a_slow_instance_is_given_up_in_time_and_holds_nobody_up() -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with world(slow, Exporter("load 7\n")) as (made, (silent, there)):
        began = time.monotonic()
        reading = await made.read(asks.page("load", asks.instance(silent, id="slow"), asks.instance(there, id="there")))
        took = time.monotonic() - began
    assert values(reading) == [7.0]
    assert isinstance(reading, Series)
    assert reading.unread == ("slow",)
    assert took < TIMEOUT_S + 2.0


async def test_one_instance_is_asked_once_for_all_signals() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(text="a 1\nb 2\n")

    async with world(handler) as (made, (url,)):
        put = [asks.page("a", asks.instance(url)), asks.page("b", asks.instance(url))]
        assert [values(each) for each in await made.source.read(put, 0.0)] == [[1.0], [2.0]]
    assert asked == ["/metrics"]


async def test_samples_that_carry_a_time_have_its_age() -> None:
    async with world(Exporter("load 7 900000\n")) as (made, (url,)):
        reading = await made.read(asks.page("load", asks.instance(url)))
        assert isinstance(reading, Series)
        assert reading.age_s == 100.0
        is_missing(await made.read(asks.page("load", asks.instance(url), max_age=60.0)), MissingWhy.STALE, "1m40s ago")


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("<!doctype html>\n<html>load 7</html>", 200, "this is not Prometheus text: <!doctype html>"),
        ('{"load": 7}', 200, "this is not Prometheus text"),
        ("load seven\n", 200, "this is not Prometheus text"),
        ("not found", 404, "HTTP 404"),
        ("load 7\n", 503, "HTTP 503"),
    ],
)
async def test_a_page_that_is_none_is_refused(text: str, status: int, words: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status)

    async with world(handler) as (made, (url,)):
        is_missing(await made.read(asks.page("load", asks.instance(url))), MissingWhy.FAILED, words)


async def test_a_page_of_other_bytes_is_refused() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"load 7\n\xff\xfe")

    async with world(handler) as (made, (url,)):
        is_missing(await made.read(asks.page("load", asks.instance(url))), MissingWhy.FAILED, "not UTF-8")


async def test_a_huge_page_is_refused() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b"load 7\n" * 100_000)

    async with world(handler) as (made, (url,)):
        is_missing(await made.read(asks.page("load", asks.instance(url))), MissingWhy.FAILED, "more than 16 MiB")


async def test_a_page_cut_in_the_middle_is_refused() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await cut(request, b"load 7\n")

    async with world(handler) as (made, (url,)):
        is_missing(await made.read(asks.page("load", asks.instance(url))), MissingWhy.FAILED, "cut in the middle")


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
async def test_a_value_that_is_no_number_is_nan(value: str) -> None:
    async with world(Exporter(f"load {value}\n")) as (made, (url,)):
        is_missing(await made.read(asks.page("load", asks.instance(url))), MissingWhy.NAN, "load is not a number")


# what the wish makes of it


def plan(**goal: float) -> Plan:
    base = nouns.policy()
    signal = Signal(name="load", scrape=asks.page("load").signal.scrape, **goal)  # type: ignore[arg-type]
    return prepare(nouns.ref(), Policy(name="web", target=base.target, replicas=base.replicas, signals=(signal,)))


def voted(made_plan: Plan, reading: Reading, state: TargetState, count: int) -> int | None:
    ballot = Ballot(state, count, made_plan.tolerance, Memory(first_seen=0.0, fingerprint=""), {}, 0.0)
    return vote(made_plan.goals[0], reading, ballot).count


async def wished(loads: dict[str, float], unread: int, **goal: float) -> int | None:
    """The count asked for when these instances tell these loads and so many cannot be reached; all are ready."""
    async with world(*(Exporter(f"load {each}\n") for each in loads.values())) as (made, urls):
        there = [asks.instance(url, id=name) for name, url in zip(loads, urls, strict=True)]
        away: list[Instance] = [asks.instance(f"127.0.0.1:{free_port()}") for _ in range(unread)]
        reading = await made.read(asks.page("load", *there, *away))
    made_plan, count = plan(**goal), len(loads) + unread
    return voted(made_plan, reading, nouns.state(existing=count), count)


@pytest.mark.parametrize("goal", [{"per_replica": 10.0}, {"value": 10.0}], ids=str)
async def test_an_unread_instance_is_loaded_when_the_rest_would_shrink(goal: dict[str, float]) -> None:
    """Four run, 4 of 10 each on two: 1 would carry the 8 seen. With two loaded to 10 it takes 3."""
    assert await wished({"a": 4.0, "b": 4.0}, 2, **goal) == 3


@pytest.mark.parametrize("goal", [{"per_replica": 10.0}, {"value": 10.0}], ids=str)
async def test_an_unread_instance_is_empty_when_the_rest_would_grow(goal: dict[str, float]) -> None:
    """Four run, 30 of 10 each on two: 60 in all need 6, not the 12 they would need if the others had as much."""
    assert await wished({"a": 30.0, "b": 30.0}, 2, **goal) == 6


@pytest.mark.parametrize("goal", [{"per_replica": 10.0}, {"value": 10.0}], ids=str)
async def test_a_sick_instance_that_serves_nothing_does_not_hide_what_the_others_carry(goal: dict[str, float]) -> None:
    """Two carry 18 of 10 each beside a sick one that carries nothing: 36 in all need 4."""
    async with world(Exporter("load 18\n"), Exporter("load 18\n"), Exporter("load 0\n")) as (made, urls):
        one, other, sick = (asks.instance(url, ready=index < 2) for index, url in enumerate(urls))
        reading = await made.read(asks.page("load", one, other, sick))
    made_plan = plan(**goal)
    state = nouns.state(existing=3, ready=2)
    assert voted(made_plan, reading, state, 3) == 4


async def test_pages_are_asked_for_as_plain_text() -> None:
    accepted: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        accepted.append(request.headers["Accept"])
        return web.Response(text="load 7\n")

    async with served(handler) as url:
        client = ExpositionClient()
        await client.fetch(url, frozenset({"load"}))
        await client.close()
    assert accepted == ["text/plain; version=0.0.4"]
