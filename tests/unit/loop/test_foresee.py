"""Ahead and back over several servers: each query's past is asked of its own."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest
from aiohttp import web

from autoscaler.clients.access import Access
from autoscaler.decide.plan import Plan, prepare
from autoscaler.errors import SourceError
from autoscaler.loop.foresee import recall, retelling
from autoscaler.model.policy import Signal, ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Series
from autoscaler.sources.intervals import Intervals
from autoscaler.sources.past import PastSource, Server
from tests.support import nouns
from tests.support.wire import served

AT = 1_000_000.0
TIMES = [AT - 45.0, AT - 30.0, AT - 15.0]


class Wire:
    """A server that says `value` of every query at every time, 1 s old; nothing of those named `none`."""

    def __init__(self, value: str) -> None:
        self.value = value
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        words = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append(words["query"])
        start, end, step = float(words["start"]), float(words["end"]), float(words["step"])
        value = "1" if words["query"].startswith("time()") else self.value
        values = [[start + n * step, value] for n in range(math.floor((end - start) / step) + 1)]
        result = [] if "none" in words["query"] else [{"metric": {}, "values": values}]
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


class Past:
    """Two servers, `here` and `eu`, and the source that asks them."""

    def __init__(self, here: Wire, eu: Wire, urls: list[str]) -> None:
        self.here, self.eu = here, eu
        names = ("prometheus", "prometheus/eu")
        servers = {name: Server(Access(url=url), Intervals()) for name, url in zip(names, urls, strict=True)}
        self.source = PastSource(servers, 15.0)


@pytest.fixture
async def past() -> AsyncIterator[Past]:
    here, eu = Wire("200"), Wire("900")
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(served(each.answer)) for each in (here, eu)]
        yield Past(here, eu, urls)


def plan(*signals: Signal) -> Plan:
    return prepare(nouns.ref(), msgspec.structs.replace(nouns.policy(), signals=signals))


def query(name: str, text: str = "load", **words: object) -> Signal:
    return Signal(name=name, prometheus=text, per_replica=100.0, **words)  # type: ignore[arg-type]


async def test_each_querys_past_is_asked_of_its_own_server(past: Past) -> None:
    (told,) = await recall([plan(query("a"), query("b", server="eu"))], past.source, TIMES)
    values = {
        name: [each.points[0].value for each in readings if isinstance(each, Series)]
        for name, readings in told.readings.items()
    }
    assert values == {"a": [200.0] * 3, "b": [900.0] * 3}
    assert told.notes == ()


async def test_a_past_cycle_is_decided_from_all_servers(past: Past) -> None:
    asking = plan(query("a"), query("b", server="eu"))
    decision = await retelling(past.source, 15.0)(asking, nouns.state(existing=2, at=AT), AT)
    asked = {step.facts["signal"]: step.after for step in decision.steps if "signal" in step.facts}
    assert asked == {"a": 2, "b": 9}
    assert past.here.asked
    assert past.eu.asked


async def test_empty_means_zero_in_the_past_too_while_another_query_vouches(past: Past) -> None:
    vouched = query("a", "none", empty=ZeroIf(zero_if="alive"))
    (told,) = await recall([plan(vouched)], past.source, TIMES)
    assert [each.why for each in told.readings["a"] if isinstance(each, Missing)] == [MissingWhy.EMPTY] * 3
    assert all(isinstance(each, Series) for each in told.vouchers["a"])
    decision = await retelling(past.source, 15.0)(plan(vouched), nouns.state(existing=2, at=AT), AT)
    assert decision.steps[0].facts["waived"] is True


async def test_a_silent_server_is_not_asked_and_one_that_is_not_there_is_noted(past: Past) -> None:
    asked = plan(query("a"), query("b", server="eu"), query("c", server="gone"))
    (told,) = await recall([asked], past.source, TIMES, silent={"prometheus/eu"})
    assert (set(told.readings), past.eu.asked, told.notes) == ({"a"}, [], ("web, c: no such server",))


async def test_nothing_known_of_the_past_is_an_error_with_the_reasons() -> None:
    retell = retelling(PastSource({}, 15.0), 15.0)
    with pytest.raises(SourceError, match="web, a: no such server"):
        await retell(plan(query("a")), nouns.state(at=AT), AT)
