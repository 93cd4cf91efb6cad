"""What is allowed and yet likely to end badly: one function per smell, over signals with the places of their words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import msgspec

from autoscaler.model.policy import Empty, NotANumber, Policy, ScrapeMode, Signal, ZeroIf
from autoscaler.policy.placeholders import sample, used
from autoscaler.policy.promql import Facts, chosen, facts
from autoscaler.policy.sharing import share
from autoscaler.policy.units import duration
from autoscaler.policy.words import Path

SCRAPES = 4  # a rate over fewer has too little to go by once a single scrape is lost

# Told by name: there is nothing else to go by.
_LATENCY = re.compile(r"latency|response_time|request_time|duration|_seconds_(bucket|sum)$")
MEMORY = re.compile(r"memory|heap|(^|_)rss($|_)|resident")
_SERVED = re.compile(r"request|queries|http|grpc|served|handled|processed|completed|responses")
_FRONT = re.compile(r"haproxy|nginx|ingress|envoy|traefik|istio|gateway|frontend|balancer|(^|_)[aen]lb(_|$)|caddy")
_RATES = {"rate", "irate", "increase"}


# Metrics of pods, and what docs/rules/recording-rules.yml makes of them.
RECORDED = {
    "container_cpu_usage_seconds_total": "workload:container_cpu_usage_seconds:rate1m",
    "container_memory_working_set_bytes": "workload:container_memory_working_set_bytes:sum",
    "http_requests_total": "workload:http_requests:rate1m",
    "http_request_duration_seconds_bucket": "workload:http_request_duration_seconds:p95",
}


class Smell(msgspec.Struct, frozen=True):
    """What smells where: a stable code, a path in the policy, a sentence, a way out."""

    code: str
    path: Path
    sentence: str
    hint: str


class Look(msgspec.Struct, frozen=True):
    """One signal as the smells see it; `query` is None for what is no query or cannot be parsed."""

    signal: Signal
    path: Path
    query: Facts | None
    said_nan: bool


def smells(
    policy: Policy, written: Callable[[Path], bool], *, scrape_s: float, receives: bool = True
) -> Iterator[Smell]:
    """Everything that smells in one policy.

    `written` tells whether a path stands in the file, `receives` whether the daemon has a receiver for what is pushed.
    """
    looks = []
    for index, signal in enumerate(policy.signals):
        path: Path = ("signals", index)
        known = facts(sample(signal.prometheus)) if signal.prometheus is not None else None
        if known is not None:
            yield from _reading(known, (*path, "prometheus"))
            yield from _alone(signal.prometheus or "", known, (*path, "prometheus"))
        if signal.push is not None and not receives:
            said = "the daemon's settings open no receiver, so nothing would ever arrive"
            yield Smell("no_receiver", (*path, "push"), said, "push: {listen: 127.0.0.1:8731} in the settings")
        if isinstance(signal.empty, ZeroIf):
            voucher = facts(sample(signal.empty.zero_if))
            if isinstance(voucher, str):
                yield _unparsable(voucher, (*path, "empty", "zero_if"))
            yield from _alone(signal.empty.zero_if, voucher, (*path, "empty", "zero_if"))
        look = Look(signal, path, known if isinstance(known, Facts) else None, written((*path, "nan")))
        looks.append(look)
        yield from _nan(look)
        yield from _window(look, scrape_s)
        yield from _value(look)
        yield from _waived(look)
    yield from _served(looks)
    outlier = policy.recycle.when.outlier if policy.recycle is not None else None
    if outlier is not None:
        path, known = ("recycle", "when", "outlier", "prometheus"), facts(sample(outlier.prometheus))
        yield from _reading(known, path)
        yield from _alone(outlier.prometheus, known, path)


def _unparsable(why: str, path: Path) -> Smell:
    said = f"this query cannot be parsed here: {why}"
    return Smell("promql_unparsable", path, said, "correct it; a server may still know words that are newer")


def _reading(known: Facts | str, path: Path) -> Iterator[Smell]:
    if isinstance(known, str):
        yield _unparsable(known, path)
        why = "the query cannot be parsed"
    elif known.selectors is None:
        why = "a selector of the query cannot be asked about on its own"
    elif not known.selectors:
        why = "the query reads no series"
    else:
        return
    said = f"the age of its data cannot be told, so it always counts as fresh: {why}"
    yield Smell("age_unknown", path, said, "write the query in a way that its selectors can be read")


def _alone(query: str, known: Facts | str, path: Path) -> Iterator[Smell]:
    """A query that stands for many workloads and yet costs one question for each of them."""
    if isinstance(known, str) or not used(query):
        return
    one, other = share(sample(query, "x")), share(sample(query, "y"))
    if isinstance(one, str):
        why = one
    elif isinstance(other, str) or one.template != other.template:
        why = "not all that stands for the workload is matched by = in every selector"
    else:
        return
    said = f"each workload's query is asked by itself: {why}"
    ready = sorted(record for metric, record in RECORDED.items() if metric in known.metrics)
    hint = "a recording rule whose series have the workload as a label, matched by ="
    if ready:
        hint += f"; ready in docs/rules/recording-rules.yml: {', '.join(ready)}"
    yield Smell("asked_alone", path, said, hint)


def _nan(look: Look) -> Iterator[Smell]:
    if look.query is None or look.said_nan:
        return
    quantile = "histogram_quantile" in look.query.functions
    if quantile or look.query.divides:
        what = "a quantile without observations" if quantile else "a division by zero"
        said = f"{what} is not a number, which holds the count; say what it means"
        yield Smell("nan_unsaid", (*look.path, "prometheus"), said, "nan: ignore, nan: 0, or nan: missing to keep it")


def _window(look: Look, scrape_s: float) -> Iterator[Smell]:
    shortest = min(look.query.windows, default=None) if look.query is not None else None
    if shortest is not None and shortest < SCRAPES * scrape_s:
        said = f"a window of {duration(shortest)} holds fewer than four scrapes of {duration(scrape_s)}"
        hint = f"[{duration(SCRAPES * scrape_s)}]: one lost scrape must not leave it empty"
        yield Smell("short_window", (*look.path, "prometheus"), said, hint)


def _value(look: Look) -> Iterator[Smell]:
    signal, path = look.signal, (*look.path, "value")
    if signal.value is None:
        return
    names = look.query.metrics if look.query is not None else frozenset({_metric(signal)})
    quantile = look.query is not None and "histogram_quantile" in look.query.functions
    if any(MEMORY.search(name) for name in names):
        said = "memory does not fall when replicas are added, so this grows to the maximum and stays"
        yield Smell("value_on_memory", path, said, "follow what fills it, or per_replica in what one replica holds")
    elif signal.at_most is None and (quantile or any(_LATENCY.search(name) for name in names)):
        said = "latency also rises when a database is slow, and then more replicas make it worse"
        yield Smell("value_on_latency", path, said, "lead with requests in flight, and put at_most on this one")


def _metric(signal: Signal) -> str:
    """The metric that is read or pushed; empty for a query."""
    if signal.scrape is not None:
        return signal.scrape.metric
    meant = chosen(sample(signal.push.match)) if signal.push is not None else ""
    return "" if isinstance(meant, str) else meant.metric


def _waived(look: Look) -> Iterator[Smell]:
    signal = look.signal
    waivers = {
        "empty: 0": (signal.empty is Empty.ZERO, "a query that finds nothing", "counts as no load"),
        "empty: ignore": (signal.empty is Empty.IGNORE, "a query that finds nothing", "is passed over"),
        "zero_if": (isinstance(signal.empty, ZeroIf), "a query that finds nothing", "counts as no load while it holds"),
        "nan: 0": (signal.nan is NotANumber.ZERO, "what is not a number", "counts as no load"),
        "nan: ignore": (signal.nan is NotANumber.IGNORE, "what is not a number", "is passed over"),
    }
    for words, (waived, what, then) in waivers.items():
        if waived:
            key = "nan" if words.startswith("nan") else "empty"
            said = f"{words} waives doubt: {what} {then}, so this may shrink"
            yield Smell("doubt_waived", (*look.path, key), said, "keep it only where that is really what it means")


def _served(looks: list[Look]) -> Iterator[Smell]:
    voting = [look for look in looks if look.signal.votes]
    if voting and all(_is_served_rate(look) for look in voting):
        said = "a served rate stops rising once the service is full, and nothing else votes here"
        path = voting[0].path
        yield Smell("served_rate_only", path, said, "requests in flight, or the rate seen at the load balancer")


def _is_served_rate(look: Look) -> bool:
    signal = look.signal
    if signal.scrape is not None:
        return signal.scrape.mode is ScrapeMode.RATE and bool(_SERVED.search(signal.scrape.metric))
    if signal.push is not None:
        name = _metric(signal)
        return signal.push.mode is ScrapeMode.RATE and bool(_SERVED.search(name)) and not _FRONT.search(name)
    query = look.query
    if query is None or not query.functions & _RATES or not query.metrics or "histogram_quantile" in query.functions:
        return False
    if query.divides:
        return False
    return all(_SERVED.search(name) and not _FRONT.search(name) and not _LATENCY.search(name) for name in query.metrics)
