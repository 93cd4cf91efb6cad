"""A Prometheus that misbehaves on the wire: each way is one clear Missing, in time, and only for whom it concerns."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from autoscaler.clients.access import Access
from autoscaler.clients.prometheus import IN_FLIGHT, PrometheusClient
from autoscaler.clock import SystemClock
from autoscaler.decide.plan import prepare
from autoscaler.errors import SourceError
from autoscaler.loop.act import Underway
from autoscaler.loop.observe import Observer
from autoscaler.loop.registry import Targets
from autoscaler.model.policy import Reduce, Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading, Series
from autoscaler.model.target import Instance
from autoscaler.sources.prometheus import PrometheusSource
from autoscaler.targets.pretended import PretendedTarget
from tests.parts.process import free_port
from tests.support import asks, nouns
from tests.support.wire import Handler, cut, served

SHOP = tuple(
    Instance(id=id, name=f"web-{n}", created=0.0, ready=True, since=0.0, address=f"10.0.0.{n}")
    for n, id in enumerate("abc", 1)
)
Say = Callable[[str], Any]  # what is answered to a query


def vector(*values: str, at: float = 1000.0) -> dict[str, Any]:
    series = [{"metric": {"n": str(n)}, "value": [at, value]} for n, value in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": series}}


def companion(query: str) -> bool:
    return query.startswith("time() - max(")


def saying(say: Say) -> Handler:
    """A server that is fresh (every age is 1 s), and answers other queries by what `say` gives."""

    async def handler(request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        found = vector("1") if companion(query) else say(query)
        if isinstance(found, Awaitable):
            found = await found
        return found if isinstance(found, web.StreamResponse) else web.json_response(found)

    return handler


@asynccontextmanager
async def source(handler: Handler, deadline_s: float = 5.0, user: str = "") -> AsyncIterator[PrometheusSource]:
    async with served(handler) as url:
        made = PrometheusSource(PrometheusClient(url.replace("://", f"://{user}")), deadline_s=deadline_s)
        yield made
        await made.close()


async def one(say: Say, query: str = "load") -> Reading:
    async with source(saying(say)) as made:
        (reading,) = await made.read([asks.query(query)], 0.0)
    return reading


def is_missing(reading: Reading, why: MissingWhy, *words: str) -> None:
    assert isinstance(reading, Missing), reading
    assert reading.why is why, reading
    for word in words:
        assert word in reading.detail, reading.detail
    assert "0x" not in reading.detail
    assert len(reading.detail) < 400


async def test_a_value_is_read_with_its_labels_and_its_age() -> None:
    reading = await one(lambda _: vector("3.5"))
    assert isinstance(reading, Series)
    assert (reading.points[0].value, reading.points[0].labels, reading.age_s) == (3.5, (("n", "0"),), 1.0)


async def test_a_scalar_is_a_value() -> None:
    reading = await one(lambda _: {"status": "success", "data": {"resultType": "scalar", "result": [1, "7"]}})
    assert isinstance(reading, Series)
    assert reading.points[0].value == 7.0


async def test_a_server_that_is_down_is_failed_with_its_address() -> None:
    port = free_port()
    made = PrometheusSource(PrometheusClient(f"http://127.0.0.1:{port}"))
    (reading,) = await made.read([asks.query("load")], 0.0)
    is_missing(reading, MissingWhy.FAILED, f"127.0.0.1:{port}: cannot connect: Connection refused")
    await made.close()


async def test_a_host_that_does_not_exist_is_failed() -> None:
    made = PrometheusSource(PrometheusClient("http://no-such-host.invalid:9090"))
    (reading,) = await made.read([asks.query("load")], 0.0)
    is_missing(reading, MissingWhy.FAILED, "cannot connect")
    await made.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (web.Response(status=502, text="<html>\n<h1>Bad   Gateway</h1>"), ("HTTP 502", "<h1>Bad Gateway</h1>")),
        (web.Response(status=200, text="<html>login"), ("HTTP 200", "not an answer of Prometheus", "<html>login")),
        (web.Response(status=200, text=""), ("not an answer of Prometheus: empty",)),
        (web.Response(status=200, text="[]"), ("not an answer of Prometheus",)),
        (web.Response(status=200, body=b"\xff\xfe\x00"), ("not an answer of Prometheus",)),
        (web.Response(status=503, text='{"status":"error","errorType":"timeout","error":"query timed out"}'), ("503",)),
        (web.Response(status=401, text="Unauthorized"), ("HTTP 401", "Unauthorized")),
        (web.Response(status=307, headers={"Location": "https://x/"}), ("sends us on to https://x/",)),
    ],
    ids=lambda value: str(value) if isinstance(value, tuple) else "",
)
async def test_an_answer_that_is_none_is_failed_and_shown(answer: web.Response, words: tuple[str, ...]) -> None:
    body, status, headers = answer.body, answer.status, dict(answer.headers)
    is_missing(await one(lambda _: web.Response(body=body, status=status, headers=headers)), MissingWhy.FAILED, *words)


async def test_an_error_with_status_200_is_an_error() -> None:
    said = {"status": "error", "errorType": "internal", "error": "the store is away"}
    is_missing(await one(lambda _: said), MissingWhy.FAILED, "internal: the store is away")


async def test_a_query_the_server_refuses_is_failed_with_its_reason_and_spoils_only_its_own_ask() -> None:
    refused = {"status": "error", "errorType": "bad_data", "error": 'invalid parameter "query": parse error'}

    def say(query: str) -> Any:
        return web.json_response(refused, status=422) if query == "bad" else vector("2")

    async with source(saying(say)) as made:
        bad, good = await made.read([asks.query("bad"), asks.query("good")], 0.0)
    is_missing(bad, MissingWhy.FAILED, "HTTP 422", "bad_data", "parse error")
    assert isinstance(good, Series)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "what"])
async def test_what_is_not_a_finite_number_is_nan(value: str) -> None:
    is_missing(await one(lambda _: vector(value)), MissingWhy.NAN, value)


@pytest.mark.parametrize("kind", ["matrix", "string"])
async def test_a_result_that_is_no_value_now_is_refused_in_words(kind: str) -> None:
    reading = await one(lambda _: {"status": "success", "data": {"resultType": kind, "result": []}})
    is_missing(reading, MissingWhy.FAILED, f"the query gives a {kind}, not a value now")


async def test_several_series_are_several_and_the_ways_out_are_named() -> None:
    said = "the query gives 2 series: write reduce: sum, max, min or avg, or aggregate in the query"
    is_missing(await one(lambda _: vector("1", "2")), MissingWhy.SEVERAL, said)


async def reduced(reduce: Reduce, *values: str) -> Reading:
    async with source(saying(lambda _: vector(*values))) as made:
        (reading,) = await made.read([asks.query("load", reduce=reduce)], 0.0)
    return reading


@pytest.mark.parametrize(
    ("reduce", "value"), [(Reduce.SUM, 0.6), (Reduce.MAX, 0.3), (Reduce.MIN, 0.1), (Reduce.AVG, 0.2)]
)
async def test_several_series_become_one_value_as_the_signal_says(reduce: Reduce, value: float) -> None:
    reading = await reduced(reduce, "0.1", "0.2", "0.3")
    assert isinstance(reading, Series)
    assert [(point.value, point.labels) for point in reading.points] == [(pytest.approx(value), ())]
    alone = await reduced(reduce, "7")
    assert isinstance(alone, Series)
    assert [(point.value, point.labels) for point in alone.points] == [(7.0, (("n", "0"),))]


@pytest.mark.parametrize("reduce", list(Reduce))
@pytest.mark.parametrize("value", ["NaN", "+Inf"])
async def test_one_series_that_is_not_a_number_spoils_what_several_become(reduce: Reduce, value: str) -> None:
    is_missing(await reduced(reduce, "1", value, "2"), MissingWhy.NAN, value)
    is_missing(await reduced(reduce), MissingWhy.EMPTY)


@pytest.mark.parametrize(
    ("answer", "vouches"),
    [(vector("0"), True), (vector("1", "2"), True), (vector("NaN"), True), (vector(), MissingWhy.EMPTY)],
)
async def test_any_fresh_result_vouches_and_none_does_not(answer: dict[str, Any], vouches: bool | MissingWhy) -> None:
    async with source(saying(lambda _: answer)) as made:
        (reading,) = await made.read([asks.query("up", voucher=True)], 0.0)
        (old,) = await made.read([asks.query("up", voucher=True, max_age=0.5)], 0.0)
    if vouches is True:
        assert isinstance(reading, Series)
        is_missing(old, MissingWhy.STALE, "1s old")
    else:
        assert isinstance(reading, Missing)
        assert reading.why is vouches


@pytest.mark.parametrize(
    ("warning", "missing"),
    [
        ("some store nodes did not answer", True),
        ("PromQL info: metric might not be a counter", False),
        ("PromQL warning: quantile value should be between 0 and 1", False),
    ],
)
async def test_a_partial_answer_is_missing_and_a_hint_is_not(warning: str, missing: bool) -> None:
    reading = await one(lambda _: {**vector("1"), "warnings": [warning], "infos": ["PromQL info: something"]})
    if missing:
        is_missing(reading, MissingWhy.PARTIAL, warning)
    else:
        assert isinstance(reading, Series)


async def test_a_huge_answer_is_cut_off() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        while True:
            await answer.write(b" " * (1 << 20))

    async with source(handler) as made:
        (reading,) = await made.read([asks.query("1")], 0.0)
    is_missing(reading, MissingWhy.FAILED, "larger than 32 MiB")


async def test_a_connection_cut_in_the_middle_is_failed() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await cut(request, b'{"status":"success","data":{"resultType":"vector","result":[')

    async with source(handler) as made:
        (reading,) = await made.read([asks.query("load")], 0.0)
    is_missing(reading, MissingWhy.FAILED, "cut in the middle of the answer")


async def test_a_slow_query_is_given_up_at_the_deadline_and_holds_nobody_up() -> None:
    def say(query: str) -> Any:
        return asyncio.Event().wait() if query == "slow" else vector("1")

    async with source(saying(say), deadline_s=0.5) as made:
        began = time.monotonic()
        slow, quick = await made.read([asks.query("slow"), asks.query("quick")], 0.0)
        took = time.monotonic() - began
    is_missing(slow, MissingWhy.FAILED, "no answer within 0.5 s")
    assert isinstance(quick, Series)
    assert 0.45 <= took < 3.0


async def test_more_slow_queries_than_go_out_at_once_hold_nobody_up_who_is_known_to_answer() -> None:
    def say(query: str) -> Any:
        return asyncio.Event().wait() if query.startswith("slow") else vector("1")

    put = [*(asks.query(f"slow{n}") for n in range(40)), asks.query("quick")]
    async with source(saying(say), deadline_s=0.5) as made:
        await made.read(put[-1:], 0.0)
        *slow, quick = await made.read(put, 0.0)
    assert isinstance(quick, Series)
    is_missing(slow[0], MissingWhy.FAILED, "no answer within 0.5 s")
    is_missing(slow[-1], MissingWhy.FAILED, "not asked within 0.5 s, others took too long")


async def test_a_query_that_never_had_its_turn_has_it_before_those_that_failed() -> None:
    def say(query: str) -> Any:
        return asyncio.Event().wait() if query.startswith("slow") else vector("1")

    put = [*(asks.query(f"slow{n}") for n in range(IN_FLIGHT)), asks.query("quick")]
    async with source(saying(say), deadline_s=0.5) as made:
        *_, first = await made.read(put, 0.0)
        *_, second = await made.read(put, 0.0)
    is_missing(first, MissingWhy.FAILED, "not asked within 0.5 s, others took too long")
    assert isinstance(second, Series)


async def test_the_deadline_is_five_seconds_and_the_server_is_told() -> None:
    told: list[float] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        told.append(float(str((await request.post())["timeout"])))
        return web.json_response(vector("1"))

    async with source(handler) as made:
        await made.read([asks.query("load")], 0.0)
    assert told
    assert all(4.5 < each <= 5.0 for each in told)


async def test_a_server_restarted_between_two_reads_is_read_at_once() -> None:
    port = free_port()
    made = PrometheusSource(PrometheusClient(f"http://127.0.0.1:{port}"))
    for _ in range(2):
        async with served(saying(lambda _: vector("1")), port=port):
            (reading,) = await made.read([asks.query("load")], 0.0)
        assert isinstance(reading, Series), reading
    (reading,) = await made.read([asks.query("load")], 0.0)
    is_missing(reading, MissingWhy.FAILED, "cannot connect")
    await made.close()


@pytest.mark.parametrize(("times", "read"), [(1, True), (2, False)])
async def test_a_server_that_hangs_up_without_a_word_is_asked_once_more(times: int, read: bool) -> None:
    asked = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked <= times:
            assert request.transport is not None
            request.transport.close()
        return web.json_response(vector("1"))

    async with source(handler) as made:
        (reading,) = await made.read([asks.query("1")], 0.0)
    if read:
        assert isinstance(reading, Series), reading
    else:
        is_missing(reading, MissingWhy.FAILED, "Server disconnected")
    assert asked == 2


async def test_user_and_password_are_sent_decoded_and_never_shown() -> None:
    seen: list[str] = []

    def say(_: str) -> Any:
        return web.Response(status=403, text="no")

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization", ""))
        return await saying(say)(request)

    async with source(handler, user="ann:p%40ss%C3%A9@") as made:
        (reading,) = await made.read([asks.query("load")], 0.0)
    is_missing(reading, MissingWhy.FAILED, "HTTP 403")
    assert isinstance(reading, Missing)
    assert "ann" not in reading.detail
    assert "ss" not in reading.detail.replace("access", "")
    assert {base64.b64decode(each.removeprefix("Basic ")).decode() for each in seen} == {"ann:p@ssé"}


async def test_a_secret_in_the_servers_answer_is_taken_out() -> None:
    reading = await one(lambda _: web.Response(status=500, text="cannot read http://ann:s3cret@db/ token=abcdef"))
    is_missing(reading, MissingWhy.FAILED, "HTTP 500")
    assert "s3cret" not in str(reading)
    assert "abcdef" not in str(reading)


async def test_a_very_long_query_goes_in_the_body() -> None:
    long = "sum(load{service=~" + json.dumps("|".join(f"service-{n}" for n in range(3000))) + "})"
    assert len(long) > 30_000
    seen: list[tuple[str, str]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        seen.append((request.method, str(request.rel_url)))
        return web.json_response(vector("1" if companion(query) else "9"))

    async with source(handler) as made:
        (reading,) = await made.read([asks.query(long)], 0.0)
    assert isinstance(reading, Series)
    assert set(seen) == {("POST", "/api/v1/query")}


async def test_each_distinct_query_is_asked_once() -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(str((await request.post())["query"]))
        return web.json_response(vector("1"))

    async with source(handler) as made:
        await made.read([asks.query("sum(load)"), asks.query("sum(load)"), asks.query("max(load)")], 0.0)
    assert sorted(asked) == ["max(load)", "sum(load)", "time() - max(timestamp(load))"]


async def test_a_dead_and_a_silent_server_spoil_only_their_own_signals() -> None:
    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    fleet = Targets({"compose": lambda: PretendedTarget(2, SystemClock())})
    async with source(saying(lambda _: vector("3"))) as good, source(silent, deadline_s=0.5) as slow:
        dead = PrometheusSource(PrometheusClient(f"http://127.0.0.1:{free_port()}"))
        observer = Observer(fleet, {"prometheus": good, "prometheus/slow": slow, "prometheus/dead": dead})
        servers = (None, "slow", "dead", None)
        signals = tuple(
            Signal(name=f"s{n}", prometheus="load", server=server, per_replica=1.0) for n, server in enumerate(servers)
        )
        plan = prepare(nouns.ref(), msgspec.structs.replace(nouns.policy(), signals=signals))
        began = time.monotonic()
        (seen,) = await observer.look([plan], Underway(), 0.0, wake=False)
        took = time.monotonic() - began
        await dead.close()
    first, slow_one, dead_one, last = seen.readings
    assert isinstance(first, Series)
    assert isinstance(last, Series)
    is_missing(slow_one, MissingWhy.FAILED, "no answer within")
    is_missing(dead_one, MissingWhy.FAILED, "cannot connect")
    assert took < 3.0


async def test_an_age_that_cannot_be_had_makes_the_reading_failed() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if companion(str((await request.post())["query"])):
            return web.Response(status=503, text="busy")
        return web.json_response(vector("1"))

    async with source(handler) as made:
        (reading,) = await made.read([asks.query("load")], 0.0)
    is_missing(reading, MissingWhy.FAILED, "the age of the data cannot be told", "busy")


@pytest.mark.parametrize(
    "query", ["foo[5m] anchored", "holt_winters(foo[5m], 0.5, 0.5)", "-" * 5000 + "foo", "1", "time()"]
)
async def test_where_no_age_can_be_told_the_data_counts_as_fresh(query: str) -> None:
    reading = await one(lambda _: vector("1"), query)
    assert isinstance(reading, Series)
    assert reading.age_s is None


@pytest.mark.parametrize(
    ("access", "packed"),
    [
        ({}, False),
        ({"proxy": "PROXY"}, True),
    ],
)
async def test_answers_from_this_machine_are_not_packed(access: dict[str, str], packed: bool) -> None:
    heard: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        heard.append(request.headers.get("Accept-Encoding", ""))
        return web.json_response(vector("1"))

    async with served(handler) as url:
        told = dict.fromkeys(access, url)
        client = PrometheusClient(Access(url=url, **told))
        await client.instant("x", 5.0)
        await client.close()
    assert ("gzip" in heard[0]) is packed


async def test_queries_are_counted_by_how_they_ended() -> None:
    async with served(saying(lambda query: vector("1") if query == "good" else web.Response(status=500))) as url:
        client = PrometheusClient(url)
        await client.instant("good", 5.0)
        for _ in range(2):
            with pytest.raises(SourceError):
                await client.instant("bad", 5.0)
        await client.close()
    assert client.outcomes == {"answered": 1, "failed": 2}


async def apart(*series: tuple[dict[str, str], str]) -> Reading:
    answer = {"resultType": "vector", "result": [{"metric": names, "value": [0, value]} for names, value in series]}
    asked = msgspec.structs.replace(asks.query("lag"), instances=SHOP, apart=True)
    async with source(saying(lambda _: {"status": "success", "data": answer})) as made:
        (reading,) = await made.read([asked], 0.0)
    return reading


async def test_told_apart_each_instance_that_a_label_names_has_its_own_value() -> None:
    reading = await apart(
        ({"instance": "10.0.0.1:9100"}, "3"), ({"pod": "web-2", "job": "x"}, "0.5"), ({"pod": "db-1"}, "7"),
        ({"pod": "web-3"}, "NaN"),
    )  # fmt: skip
    assert isinstance(reading, Series)
    assert {point.instance: point.value for point in reading.points} == {"a": 3.0, "b": 0.5}
    assert reading.age_s == 0.5


async def test_told_apart_strangers_and_two_series_of_one_instance_are_missing() -> None:
    is_missing(await apart(({"pod": "db-1"}, "7")), MissingWhy.UNCOVERED, "none of 1 series names an instance")
    both = await apart(({"pod": "web-1", "path": "/"}, "7"), ({"pod": "web-1", "path": "/a"}, "8"))
    is_missing(both, MissingWhy.SEVERAL, "several series of one instance")
