"""Which ready instances are in the data, by the labels of a wire that answers what a test says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Reading, Series
from autoscaler.model.target import Instance
from autoscaler.sources.coverage import MANY, WIDE_S
from autoscaler.sources.instances import LABELS
from autoscaler.sources.prometheus import PrometheusSource
from tests.support import asks
from tests.support.wire import served

NOW = 10_000.0
BY = re.compile(r"time\(\) - max(?: by \((?P<by>[^)]*)\) )?\(timestamp\((?P<selector>.*)\)\)")

Labels = dict[str, str]


class Wire:
    """A Prometheus whose series are `rows` of each selector: labels, and the age of the newest sample."""

    def __init__(self) -> None:
        self.rows: dict[str, list[tuple[Labels, float]]] = {}
        self.companions: list[str] = []
        self.at = NOW

    def holds(self, selector: str, series: Iterable[Labels], age_s: float = 1.0) -> None:
        self.rows[selector] = [(each, age_s) for each in series]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query = str((await request.post())["query"])
        told = BY.fullmatch(query)
        if told is None:
            return web.json_response(vector([({}, 5.0)]) if not query.startswith("time()") else vector([]))
        self.companions.append(query)
        by = [each.strip() for each in (told["by"] or "").split(",") if each.strip()]
        ages: dict[tuple[tuple[str, str], ...], float] = {}
        for labels, age in self.rows.get(told["selector"], []):
            group = tuple((label, labels[label]) for label in by if label in labels)
            ages[group] = min(age, ages.get(group, age))
        return web.json_response(vector([(dict(group), age) for group, age in ages.items()]))


def vector(rows: Sequence[tuple[Labels, float]]) -> dict[str, Any]:
    result = [{"metric": labels, "value": [NOW, str(value)]} for labels, value in rows]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


class Bench:
    """A source on a wire; each read is 15 s after the one before."""

    def __init__(self, wire: Wire, source: PrometheusSource) -> None:
        self.wire, self.source, self.now = wire, source, NOW

    async def read(self, *put: Ask) -> list[Reading]:
        self.now += 15.0
        self.wire.companions.clear()
        return list(await self.source.read(put, self.now))

    async def found(self, ask: Ask) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
        (reading,) = await self.read(ask)
        assert isinstance(reading, Series), reading
        return reading.found, reading.expected


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    async with opened() as made:
        yield made


@asynccontextmanager
async def opened() -> AsyncIterator[Bench]:
    wire = Wire()
    async with served(wire.answer) as url:
        source = PrometheusSource(PrometheusClient(url))
        yield Bench(wire, source)
        await source.close()


def ask(query: str, *instances: Instance, name: str = "web") -> Ask:
    plain = asks.query(query)
    return msgspec.structs.replace(plain, ref=msgspec.structs.replace(plain.ref, name=name), instances=instances)


def pod(name: str, address: str = "", since: float = 0.0, *, ready: bool = True, draining: bool = False) -> Instance:
    return Instance(
        id=f"uid-{name}", name=name, created=0.0, ready=ready, address=address, since=since, draining=draining
    )


A, B, C = pod("web-a", "10.0.0.1"), pod("web-b", "10.0.0.2"), pod("web-c", "10.0.0.3")
ALL = ("uid-web-a", "uid-web-b", "uid-web-c")


@pytest.mark.parametrize(
    "name",
    [
        lambda each: {"pod": each.name},
        lambda each: {"container": f"/{each.name}"},
        lambda each: {"name": each.name},
        lambda each: {"instance": f"{each.address}:8080"},
        lambda each: {"instance": each.address},
        lambda each: {"instance": f"{each.name}:8080"},
        lambda each: {"exported_pod": each.name, "instance": "10.9.9.9:80", "job": "web"},
    ],
)
async def test_instances_are_found_by_name_or_address_in_whatever_label(bench: Bench, name: Any) -> None:
    bench.wire.holds("load", [name(A), name(C), {"pod": "stranger"}])
    assert await bench.found(ask("sum(rate(load[1m]))", A, B, C)) == (("uid-web-a", "uid-web-c"), ALL)


async def test_an_address_of_the_next_generation_is_found_too(bench: Bench) -> None:
    bench.wire.holds("load", [{"instance": "[fd00::1]:8080"}])
    assert (await bench.found(ask("load", pod("web-a", "fd00::1"))))[0] == ("uid-web-a",)


async def test_workers_on_one_address_are_told_by_their_ports(bench: Bench) -> None:
    bench.wire.holds("load", [{"instance": "127.0.0.1:8001"}, {"instance": "127.0.0.1:9090"}])
    workers = pod("w1", "127.0.0.1:8001"), pod("w2", "127.0.0.1:8002"), pod("w3", "127.0.0.1")
    assert (await bench.found(ask("load", *workers)))[0] == ("uid-w1",)


async def test_what_has_no_fresh_sample_is_not_in_the_data(bench: Bench) -> None:
    bench.wire.rows["load"] = [({"pod": "web-a"}, 1.0), ({"pod": "web-b"}, 130.0)]
    found, _ = await bench.found(ask("load", A, B))
    assert found == ("uid-web-a",)


async def test_only_who_is_ready_for_two_scrapes_is_expected(bench: Bench) -> None:
    bench.wire.holds("load", [{"pod": "web-a"}])
    new, sick = pod("web-b", since=NOW), pod("web-c", ready=False)
    leaving = pod("web-d", draining=True)
    found, expected = await bench.found(ask("load", A, new, sick, leaving))
    assert (found, expected) == (("uid-web-a",), ("uid-web-a",))


async def test_who_was_in_the_data_is_expected_from_then_on_however_new(bench: Bench) -> None:
    new, newer = pod("web-b", since=NOW), pod("web-c", since=NOW)
    bench.wire.holds("load", [{"pod": "web-a"}, {"pod": "web-b"}])
    await bench.found(ask("load", A, new, newer))
    bench.wire.holds("load", [{"pod": "web-a"}])
    assert await bench.found(ask("load", A, new, newer)) == (("uid-web-a",), ("uid-web-a", "uid-web-b"))
    assert await bench.found(ask("load", A, newer)) == (("uid-web-a",), ("uid-web-a",))


async def test_who_is_in_only_one_of_two_kinds_of_series_yet_is_not_expected(bench: Bench) -> None:
    new = pod("web-b", since=NOW)
    bench.wire.holds("load", [{"pod": "web-a"}, {"pod": "web-b"}])
    bench.wire.holds("busy", [{"pod": "web-a"}])
    assert (await bench.found(ask("load / busy", A, new)))[1] == ("uid-web-a",)


async def test_series_that_name_nobody_find_nobody_and_what_cannot_be_told_is_none(bench: Bench) -> None:
    bench.wire.holds("load", [{"instance": "ingress:80", "service": "web"}])
    assert (await bench.found(ask("load", A)))[0] == ()
    assert (await bench.found(ask("holt_winters(load[5m], 0.5, 0.5)", A)))[0] is None
    assert (await bench.found(ask("load")))[0] is None, "nobody runs"
    voucher = msgspec.structs.replace(ask("load", A), voucher=True)
    assert (await bench.found(voucher))[0] is None


async def test_of_two_selectors_both_must_name_an_instance_unless_one_never_did(bench: Bench) -> None:
    query = "sum(rate(served[1m])) / sum(slots) + sum(goal)"
    bench.wire.holds("served", [{"pod": "web-a"}, {"pod": "web-b"}])
    bench.wire.holds("slots", [{"pod": "web-b"}, {"pod": "web-c"}])
    bench.wire.holds("goal", [{"team": "shop"}])
    assert (await bench.found(ask(query, A, B, C)))[0] == ("uid-web-b",)


async def test_labels_that_vanish_leave_nobody_while_a_selector_without_samples_has_no_part(bench: Bench) -> None:
    query = "sum(new) or sum(old)"
    bench.wire.holds("old", [{"pod": "web-a"}])
    assert (await bench.found(ask(query, A)))[0] == ("uid-web-a",)
    bench.wire.holds("old", [{"job": "web"}])
    assert (await bench.found(ask(query, A)))[0] == ()
    bench.wire.holds("old", [])
    bench.wire.holds("new", [{"pod": "web-a"}])
    assert (await bench.found(ask(query, A)))[0] == ("uid-web-a",)


async def test_a_kind_of_series_that_names_nobody_any_more_takes_all_out(bench: Bench) -> None:
    query = "sum(served) / sum(slots)"
    bench.wire.holds("served", [{"pod": "web-a"}])
    bench.wire.holds("slots", [{"pod": "web-a"}])
    assert (await bench.found(ask(query, A)))[0] == ("uid-web-a",)
    bench.wire.holds("slots", [{"job": "web"}])
    assert (await bench.found(ask(query, A)))[0] == ()


async def test_a_selector_of_several_workloads_counts_for_those_it_names(bench: Bench) -> None:
    bench.wire.holds("load", [{"pod": "web-a"}])
    mine, other = await bench.read(ask("sum(load)", A), ask("sum(load) / sum(own)", pod("api-a"), name="api"))
    assert isinstance(mine, Series)
    assert isinstance(other, Series)
    assert mine.found == ("uid-web-a",)
    bench.wire.holds("own", [{"pod": "api-a"}])
    mine, other = await bench.read(ask("sum(load)", A), ask("sum(load) / sum(own)", pod("api-a"), name="api"))
    assert isinstance(other, Series)
    assert other.found == ("uid-api-a",)


async def test_it_costs_no_query_and_asks_by_what_names_instances(bench: Bench) -> None:
    bench.wire.holds("load", [{"pod": each.name, "instance": "10.9.9.9:80"} for each in (A, B)])
    await bench.read(ask("sum(load)", A), ask("max(load)", B, name="api"))
    assert bench.wire.companions == [f"time() - max by ({', '.join(LABELS)}) (timestamp(load))"]
    await bench.read(ask("sum(load)", A), ask("max(load)", B, name="api"))
    assert bench.wire.companions == ["time() - max by (pod) (timestamp(load))"]


async def test_many_series_that_name_nobody_are_not_asked_for_one_by_one(bench: Bench) -> None:
    bench.wire.holds("load", [{"pod": f"other-{n}"} for n in range(MANY + 1)])
    await bench.read(ask("sum(load)", A))
    assert (await bench.found(ask("sum(load)", A)))[0] == ()
    assert bench.wire.companions == ["time() - max(timestamp(load))"]
    bench.wire.holds("load", [{"pod": "web-a"}])
    bench.now += WIDE_S
    assert (await bench.found(ask("sum(load)", A)))[0] == ("uid-web-a",)
