"""On a real Prometheus: what many queries give when they are asked as one is what each of them gives alone."""

from __future__ import annotations

import asyncio
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.clients.prometheus import Answer, PrometheusClient, Sample
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, Reading, Series
from autoscaler.policy.sharing import share
from autoscaler.sources import judge
from autoscaler.sources.prometheus import PrometheusSource
from autoscaler.sources.together import Part, parts
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.support import asks

pytestmark = pytest.mark.prometheus

# Who there is: with names that mean something in a regular expression or in quotes, and one without any series.
TENANTS = [("a", "web"), ("a", "api"), ("b", "web"), ("b.c", "w|b"), ('q"\\', "w(b"), ("nobody", "web"), ("bc", "web")]
AT = 1_700_000_000.0
AGE_S = 3.0

LABELS = ["ns", "app", "pod", "code", "le"]
SOME = st.lists(st.sampled_from(LABELS), max_size=3, unique=True).map(", ".join)
MATCHERS = st.sampled_from(["", ', code="200"', ', code!="500"', ', pod=~"p0|p.*1"', ', le!=""', ', nothing=""'])
METRICS = st.sampled_from(["served_total", "load", "took_bucket", "rare", "broken"])
MOVED = st.sampled_from(["", "", "", " offset 1m", " offset -30s", " @ end()"])


def recorded(at: float) -> str:
    """Samples every 15 s until AGE_S before `at`: counters, gauges, histograms, of few only, and of no number."""
    names = {
        "served": ("counter", "served_total"),
        "load": ("gauge", "load"),
        "took": ("gauge", "took_bucket"),
        "rare": ("gauge", "rare"),
        "broken": ("gauge", "broken"),
    }
    lines: list[str] = []
    for family, (kind, name) in names.items():
        lines.append(f"# TYPE {family if kind == 'counter' else name} {kind}")
        for which, (ns, app) in enumerate(TENANTS):
            if ns == "nobody" or (family == "rare" and which % 2):
                continue
            for pod in range(1 + which % 3):
                for series, code in enumerate(("200", "500")):
                    few = family == "took"
                    for le in ("0.1", "1", "+Inf") if few else ("",):
                        labels = {"ns": ns, "app": app, "pod": f"p{pod}", "code": code, **({"le": le} if few else {})}
                        shown = ",".join(f"{key}={json.dumps(value)}" for key, value in labels.items())
                        step = (which + 1) * (pod + 2) * (series + 1) * {"": 1, "0.1": 1, "1": 3, "+Inf": 4}[le]
                        for back in range(40, -1, -1):
                            value = "NaN" if family == "broken" and which == 2 else str(step * (100 - back))
                            lines.append(f"{name}{{{shown}}} {value} {at - AGE_S - 15 * back:.3f}")
    return "\n".join([*lines, "# EOF\n"])


# What is most likely to go wrong: sides that differ in who is there, in the labels they have, and in what is compared.
SHAPES = [
    "load{ID} and on (pod) rare{ID}",
    "load{ID} unless on (pod, code) rare{ID}",
    "load{ID} unless on () rare{ID}",
    "load{ID} unless ignoring (ns, app) rare{ID}",
    "rare{ID} or on (pod) load{ID}",
    "rare{ID} or on () load{ID}",
    "rare{ID} or ignoring (code, ns) load{ID}",
    "sum by (pod) (rare{ID}) or on (pod) load{ID}",
    "sum(rare{ID}) or sum by (ns) (load{ID})",
    "sum(rare{ID}) or load{ID}",
    "sum by (pod) (load{ID}) / on (pod) sum by (pod) (rare{ID})",
    "sum by (pod, ns) (load{ID}) - on (pod) sum by (pod, ns) (rare{ID})",
    "sum by (pod) (load{ID}) + ignoring (ns) sum by (pod) (took_bucket{ID})",
    "sum by (pod, app) (load{ID}) * ignoring (app) sum by (pod, app) (load{ID})",
    "load{ID} / ignoring (code) load{ID}",
    "sum without (code, le) (took_bucket{ID}) > on (ns, app, pod) sum without (code) (load{ID})",
    "sum without (ns, code) (load{ID}) == bool on (pod) max without (code, ns) (load{ID})",
    "sum by (ns) (load{ID}) / sum(load{ID})",
    "histogram_quantile(0.5, sum without (pod, ns) (took_bucket{ID}))",
    "(sum(rare{ID}) or vector(0)) ",
    "sum(rare{ID} > 5000) or vector(3)",
    "max(max_over_time(sum by (pod) (rate(served_total{ID}[1m]))[3m:15s] offset 30s))",
]


@st.composite
def vectors(draw: st.DrawFn, depth: int = 3) -> str:
    """Queries that give series; `ID` stands for the matchers by which tenants differ."""
    inner = st.deferred(lambda: vectors(depth - 1))
    selector = draw(METRICS) + "{ID" + draw(MATCHERS) + "}"
    if depth == 0:
        return selector + draw(MOVED)
    kind = draw(
        st.sampled_from(["selector", "range", "aggregate", "aggregate", "pair", "matched", "matched", "number", "call"])
    )
    if kind == "range":
        function = draw(st.sampled_from(["rate", "increase", "max_over_time", "delta", "last_over_time", "changes"]))
        if draw(st.booleans()):
            return f"{function}({selector}[{draw(st.sampled_from(['2m', '90s']))}]{draw(MOVED)})"
        return f"max_over_time({draw(inner)}[2m:{draw(st.sampled_from(['', '20s']))}])".replace("]) offset", "])")
    if kind == "aggregate":
        by = draw(st.sampled_from(["", f" by ({draw(SOME)})", f" without ({draw(SOME)})"]))
        name = draw(st.sampled_from(["sum", "avg", "max", "min", "count", "group", "stddev", "quantile"]))
        return f"{name}{by} ({'0.7, ' if name == 'quantile' else ''}{draw(inner)})"
    if kind == "pair":
        operator = draw(st.sampled_from(["+", "/", "-", "> ", ">= bool", "and", "or", "unless", "%", "=="]))
        matching = draw(st.sampled_from(["", f"on ({draw(SOME)})", f"ignoring ({draw(SOME)})"]))
        return f"({draw(inner)}) {operator} {matching} ({draw(inner)})"
    if kind == "matched":
        labels, by = draw(SOME), draw(st.sampled_from(["by", "without"]))
        one, other = (f"max {by} ({labels}) ({draw(METRICS)}{{ID{draw(MATCHERS)}}})" for _ in range(2))
        operator = draw(st.sampled_from(["+", "/", "<", "and", "or", "unless"]))
        on = draw(st.sampled_from([f"on ({labels})", f"on ({draw(SOME)})", f"ignoring ({draw(SOME)})"]))
        return f"{one} {operator} {on} {other}"
    if kind == "number":
        said = draw(st.sampled_from(["2 * (X)", "(X) > 300", "time() - timestamp(X)", "-(X)", "(X) or vector(0)"]))
        return said.replace("X", draw(inner))
    if kind == "call":
        said = draw(st.sampled_from(["ceil(X)", "clamp_max(X, 50)", "histogram_quantile(0.9, X)", "timestamp(X)"]))
        return said.replace("X", draw(inner))
    return selector + draw(MOVED)


def of(template: str, ns: str, app: str, *, by_app: bool) -> str:
    quote = json.dumps
    return template.replace("ID", f"ns={quote(ns)}, app={quote(app)}" if by_app else f"ns={quote(ns)}")


def answered(server: PrometheusServer, query: str) -> Answer | str:
    """What the server says to a query as of a fixed time."""
    words = urllib.parse.urlencode({"query": query, "time": repr(AT)}).encode()
    try:
        with urllib.request.urlopen(f"{server.url}/api/v1/query", words, timeout=10) as answer:
            data = json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        return str(json.load(error)["error"])
    return Answer(tuple(Sample((row["value"][0], row["value"][1]), row["metric"]) for row in data["result"]))


def same(one: Answer, other: Answer) -> bool:
    """The same series with the same values, but for the order in which numbers are added up."""

    def found(answer: Answer) -> list[tuple[Any, float]]:
        return sorted((tuple(sorted(each.metric.items())), float(each.value[1])) for each in answer.samples)

    rows, others = found(one), found(other)
    return [labels for labels, _ in rows] == [labels for labels, _ in others] and all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) or (math.isnan(a) and math.isnan(b))
        for (_, a), (_, b) in zip(rows, others, strict=True)
    )


@pytest.mark.timeout(280)
def test_whatever_the_query_the_answer_falls_apart_into_the_single_ones(prometheus_server: PrometheusMaker) -> None:
    server = prometheus_server(openmetrics=recorded(AT))
    seen: Counter[str] = Counter()

    def compare(template: str, *, by_app: bool) -> None:
        queries = list(dict.fromkeys(of(template, ns, app, by_app=by_app) for ns, app in TENANTS))
        if isinstance(share(queries[0]), str):
            seen["refused"] += 1
            return
        (part,) = parts(queries, {}, 1000)
        single = {query: answered(server, query) for query in queries}
        proven(part, single)
        (everyone,) = parts(queries, {}, 1000, wide=0)
        assert everyone.whole
        proven(everyone, single)

    def proven(part: Part, single: dict[str, Answer | str]) -> None:
        text = part.text()
        assert text is not None, part.queries[0]
        whole = answered(server, text)
        if isinstance(whole, str):
            seen["failed"] += 1
            assert part.whole or any(isinstance(each, str) for each in single.values()), (text, whole)
            return
        told = part.apart(whole)
        assert told is not None, text
        for query, alone in single.items():
            assert isinstance(alone, Answer), (query, alone, text)
            assert same(told[query], alone), (query, alone, text, told[query])
            seen["with series" if alone.samples else "empty"] += 1

    for shape in SHAPES:
        compare(shape, by_app=True)
        compare(shape, by_app=False)

    @settings(max_examples=250, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(vectors(), st.booleans())
    def whatever(template: str, by_app: bool) -> None:
        compare(template, by_app=by_app)

    whatever()
    assert seen["with series"] > 300, seen
    assert seen["refused"] > 30, seen
    print(dict(seen))


EVERYDAY = [
    'sum(rate(served_total{ns="NS", app="APP"}[2m]))',
    'sum by (pod) (load{ns="NS", app="APP"})',
    'load{ns="NS", app="APP"}',
    'load{ns="NS", app="APP", pod="p0", code="200"}',
    'sum(rate(served_total{ns="NS", app="APP", code="500"}[2m])) / sum(rate(served_total{ns="NS", app="APP"}[2m]))',
    'histogram_quantile(0.9, sum by (le) (rate(took_bucket{ns="NS", app="APP"}[2m])))',
    'sum(rare{ns="NS", app="APP"}) or vector(0)',
    'avg(broken{ns="NS", app="APP"})',
    'sum(load{ns="NS", app="APP"} offset 20m)',
    'load{ns="NS", app="APP"} / on (code) load{ns="NS", app="APP"}',
    'sum(absent(load{ns="NS", app="APP"}))',
]


class Bench:
    """Two sources of one server: one is asked for everything at once, one for each by itself."""

    def __init__(self, server: PrometheusServer) -> None:
        self.together = PrometheusSource(PrometheusClient(server.url))
        self.alone = [PrometheusSource(PrometheusClient(server.url)) for _ in range(len(EVERYDAY) * len(TENANTS))]

    async def read(self, put: list[Ask]) -> tuple[list[Reading], list[Reading]]:
        now = time.time()
        at_once = await self.together.read(put, now)
        by_itself = [
            reading for source, ask in zip(self.alone, put, strict=True) for reading in await source.read([ask], now)
        ]
        return list(at_once), by_itself

    async def close(self) -> None:
        for each in (self.together, *self.alone):
            await each.close()


def shown(reading: Reading) -> tuple[Any, ...]:
    """What counts of a reading; ages and rates go on between two questions."""
    if isinstance(reading, Missing):
        # Of a match group that is there twice the server names any.
        return reading.why, reading.detail.split("found duplicate")[0].split(" is ")[0]
    values = tuple((round(each.value, 1 if each.value < 100 else 0), each.labels) for each in reading.points)
    return values, reading.found, reading.expected, reading.age_s is None


async def test_readings_are_the_same_together_as_alone(prometheus_server: PrometheusMaker) -> None:
    """Of empty, several, wrong and stale ones too, with the instances that are in them, time after time."""
    server = await asyncio.to_thread(prometheus_server, openmetrics=recorded(time.time()))
    put: list[Ask] = []
    for query in EVERYDAY:
        for ns, app in TENANTS:
            text = query.replace('"NS"', json.dumps(ns)).replace('"APP"', json.dumps(app))
            plain = asks.query(text)
            pods = tuple(asks.instance("", id=f"p{n}") for n in range(2))
            ref = msgspec.structs.replace(plain.ref, namespace=ns, name=app)
            put.append(msgspec.structs.replace(plain, ref=ref, instances=pods))
    bench = Bench(server)
    for _ in range(3):
        at_once, by_itself = await bench.read(put)
        for ask, one, other in zip(put, at_once, by_itself, strict=True):
            assert shown(one) == shown(other), ask.query
            if isinstance(one, Series) and isinstance(other, Series) and one.age_s is not None:
                assert other.age_s is not None
                assert abs(one.age_s - other.age_s) < 10
    kinds = Counter("read" if isinstance(each, Series) else each.why.value for each in at_once)
    assert {"read", "empty", "nan", "several", "failed"} <= kinds.keys(), kinds
    await bench.close()


async def test_a_thousand_policies_of_one_template_cost_a_few_queries(prometheus_server: PrometheusMaker) -> None:
    now = time.time()
    lines = [f'load{{ns="n{n}"}} {n} {now - AGE_S - 15 * back:.3f}' for n in range(1000) for back in (2, 1, 0)]
    server = await asyncio.to_thread(prometheus_server, openmetrics="\n".join(["# TYPE load gauge", *lines, "# EOF\n"]))
    asked = 0

    class Counting(PrometheusClient):
        async def instant(self, query: str, timeout_s: float) -> Answer:
            nonlocal asked
            asked += 1
            return await super().instant(query, timeout_s)

    source = PrometheusSource(Counting(server.url))
    readings = await source.read([asks.query(f'sum(load{{ns="n{n}"}})') for n in range(1000)], now)
    await source.close()
    assert [each.points[0].value for each in readings if isinstance(each, Series)] == list(range(1000))
    assert all(isinstance(each, Series) and AGE_S <= (each.age_s or 0) < 60 for each in readings)
    assert asked == 2


def test_companions_share_as_well() -> None:
    for query in judge.companions('sum(rate(load{ns="a"}[5m]))', {'load{ns="a"}': ("pod", "instance")}).items():
        assert all(not isinstance(share(each), str) for each in query), query
