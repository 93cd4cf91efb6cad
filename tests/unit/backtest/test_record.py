"""Records of a past that a server still tells of: part by part, each query once, whole or not at all."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest
from aiohttp import web

from autoscaler.backtest import record as recorder
from autoscaler.backtest.record import Span, cycles, fitted, record, same_pace
from autoscaler.backtest.recording import readings
from autoscaler.clients.access import Access
from autoscaler.decide.plan import Plan, prepare
from autoscaler.errors import SourceError, UsageError
from autoscaler.model.policy import Signal, ZeroIf
from autoscaler.model.signal import Missing, Series
from autoscaler.sources.intervals import Intervals
from autoscaler.sources.past import PastSource, Server
from tests.support import nouns
from tests.support.wire import served

AT = 1_000_000.0
SPAN = Span(AT, 10, 15.0)


class Wire:
    """A server whose load is the time since AT; nothing between 45 and 75 s after it, and an error for `broken`."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, float, float]] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        words = {key: str(value) for key, value in (await request.post()).items()}
        query, start, end, step = words["query"], *(float(words[key]) for key in ("start", "end", "step"))
        self.asked.append((query, start, end))
        if "broken" in query:
            text = '{"status":"error","error":"many-to-many matching"}'  # without blanks, as the server writes it
            return web.Response(text=text, status=422)
        times = [start + n * step for n in range(math.floor((end - start) / step) + 1)]
        age = query.startswith("time()")
        values = [[at, "2" if age else str(at - AT)] for at in times if not 45 <= at - AT <= 75]
        result = [{"metric": {}, "values": values}] if values else []
        return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": result}})


@pytest.fixture
async def there() -> AsyncIterator[tuple[Wire, PastSource]]:
    wire = Wire()
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(wire.answer))
        yield wire, PastSource({"prometheus": Server(Access(url=url), Intervals())}, 15.0)


def plan(*signals: Signal, name: str = "web") -> Plan:
    return prepare(nouns.ref(), msgspec.structs.replace(nouns.policy(name), signals=signals))


def query(name: str, text: str = "sum(load)", **words: object) -> Signal:
    return Signal(name=name, prometheus=text, per_replica=100.0, **words)  # type: ignore[arg-type]


async def test_it_has_what_the_server_tells_and_holes_where_it_tells_nothing(there: tuple[Wire, PastSource]) -> None:
    made = await record([plan(query("a"))], there[1], SPAN)
    (column,) = made.columns
    told = readings(column)
    assert [each.points[0].value for each in told if isinstance(each, Series)] == [0, 15, 30, 90, 105, 120, 135]
    assert [index for index, each in enumerate(told) if isinstance(each, Missing)] == [3, 4, 5]
    assert (made.start, made.every_s, made.beats, made.end) == (AT, 15.0, 10, AT + 135)
    assert {each.age_s for each in told if isinstance(each, Series)} == {2.0}


async def test_a_query_of_several_policies_is_asked_and_kept_once(there: tuple[Wire, PastSource]) -> None:
    wire, past = there
    plans = [plan(query("a")), plan(query("b"), name="new")]
    made = await record(plans, past, SPAN, load="sum(load)")
    assert [(each.policy, each.signal) for each in made.columns] == [("web", "a")]
    assert sum(query == "sum(load)" for query, _, _ in wire.asked) == 1


async def test_vouchers_and_a_load_are_recorded_beside_the_signals(there: tuple[Wire, PastSource]) -> None:
    made = await record([plan(query("a", empty=ZeroIf(zero_if="up")))], there[1], SPAN, load="sum(come)")
    assert [(each.signal, each.query, each.voucher) for each in made.columns] == [
        ("a", "sum(load)", False), ("a", "up", True), ("load", "sum(come)", False),
    ]  # fmt: skip


async def test_a_long_past_is_asked_for_in_parts_without_a_seam(
    there: tuple[Wire, PastSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, past = there
    whole = await record([plan(query("a"))], past, SPAN)
    monkeypatch.setattr(recorder, "PART", 4)
    wire.asked.clear()
    told: list[tuple[int, int]] = []
    parts = await record([plan(query("a"))], past, SPAN, told=lambda done, of: told.append((done, of)))
    assert parts == whole
    assert told == [(4, 10), (8, 10), (10, 10)]
    spans = [(start - AT, end - AT) for text, start, end in wire.asked if text == "sum(load)"]
    assert spans == [(0, 45), (60, 105), (120, 135)]


async def test_a_query_that_fails_ends_it_with_its_signal_and_time(there: tuple[Wire, PastSource]) -> None:
    with pytest.raises(SourceError) as caught:
        await record([plan(query("a"), query("b", "broken"))], there[1], SPAN)
    assert caught.value.message.startswith("web, b: the past cannot be read: many-to-many matching (1970-01-12T13:46")
    assert "--from" in caught.value.hint


async def test_policies_without_a_query_are_refused(there: tuple[Wire, PastSource]) -> None:
    with pytest.raises(UsageError, match="none of these policies has a signal from Prometheus"):
        await record([plan()], there[1], SPAN)


async def test_a_recording_fits_a_policy_that_only_aims_elsewhere(there: tuple[Wire, PastSource]) -> None:
    made = await record([plan(query("a", empty=ZeroIf(zero_if="up")))], there[1], SPAN)
    other = query("renamed", empty=ZeroIf(zero_if="up"))
    fit = fitted(made, plan(msgspec.structs.replace(other, per_replica=7.0), name="new"), "x.rec")
    assert fit.signals["renamed"] is made.columns[0]
    assert fit.vouchers["renamed"] is made.columns[1]


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (query("a", "sum(other)"), "web, a: its query is `sum(other)`, recorded was `sum(load)`"),
        (query("b", "sum(other)"), "web, b: its query `sum(other)` was not recorded"),
        (query("a", max_age=30.0), "web, a: its query was recorded with another server, reduce or max_age"),
        (query("a", empty=ZeroIf(zero_if="up")), "web, a: the query of zero_if `up` was not recorded"),
    ],
)
async def test_a_recording_of_other_queries_names_each_that_it_lacks(
    there: tuple[Wire, PastSource], signal: Signal, words: str
) -> None:
    made = await record([plan(query("a"))], there[1], SPAN)
    with pytest.raises(UsageError) as caught:
        fitted(made, plan(signal), "x.rec")
    assert caught.value.message.splitlines()[0] == "x.rec does not match the policy web:"
    assert words in caught.value.message
    assert "autoscaler record" in caught.value.hint


async def test_a_recording_of_another_cycle_is_refused(there: tuple[Wire, PastSource]) -> None:
    made = await record([plan(query("a"))], there[1], SPAN)
    same_pace(made, 15.0, "x.rec")
    with pytest.raises(UsageError, match=r"x\.rec has a reading every 15s, the cycle of the settings is 30s"):
        same_pace(made, 30.0, "x.rec")


def test_a_span_without_a_cycle_is_refused() -> None:
    assert cycles(100.0, 100.0, 15.0).beats == 1
    with pytest.raises(UsageError, match="nothing lies between"):
        cycles(100.0, 99.0, 15.0)
