"""What the count follows: signals with one source, one goal and the owner's words on data that is not there."""

import enum
import re
from typing import Annotated

import msgspec
from msgspec import Meta

from autoscaler.model.policy.node import DURATION, NUMBER, PERCENT, QUANTITY, Name, Node

_BY = r"\s*(?:(?:by|without)\s*\([^()]*\)\s*)?"
_RATE = re.compile(
    rf"(?:(?P<whole>sum){_BY}\(\s*)?i?rate\s*\(\s*[\w:]*\s*(?:\{{[^{{}}]*\}})?\s*\[[^\]]*\]\s*\)\s*(?(whole)\){_BY})",
    re.DOTALL,
)


class ScrapeMode(enum.Enum):
    """`rate` for a counter (per second), `gauge` for a value as it is."""

    RATE = "rate"
    GAUGE = "gauge"


class Resource(enum.Enum):
    """What the platform itself measures of every instance."""

    CPU = "cpu"
    MEMORY = "memory"


class Reduce(enum.Enum):
    """How several series become one value."""

    SUM = "sum"
    MAX = "max"
    MIN = "min"
    AVG = "avg"


class Empty(enum.Enum):
    """What an answer without any series means."""

    MISSING = "missing"
    ZERO = "0"
    IGNORE = "ignore"


class NotANumber(enum.Enum):
    """What a value that is not a number means."""

    MISSING = "missing"
    ZERO = "0"
    IGNORE = "ignore"


class Failing(enum.Enum):
    """What a missing reading does: the count is held."""

    HOLD = "hold"


class Capacity(enum.Enum):
    """A capacity that is not written down: `learn` finds it out from how busy instances are, or what they serve."""

    LEARN = "learn"


class Scrape(Node, frozen=True, kw_only=True):
    """A metric read from every instance directly."""

    metric: Annotated[Name, Meta(description="the metric's name; series of one instance are added up")]
    mode: Annotated[ScrapeMode, Meta(description="rate for a counter, gauge for a value")] = msgspec.field(name="as")
    port: (
        Annotated[int, Meta(ge=1, le=65535, description="the instance's port; a process worker's own by default")]
        | None
    ) = None
    path: Annotated[str, Meta(description="where the metrics are", pattern="^/", examples=["/metrics"])] = "/metrics"
    match: Annotated[dict[str, str], Meta(description="only series with these labels")] = {}


class Push(Node, frozen=True, kw_only=True):
    """Series that are sent to the daemon by remote write."""

    match: Annotated[
        str,
        Meta(min_length=1, description="a series selector with a metric name", examples=['requests_total{job="web"}']),
    ]
    mode: Annotated[ScrapeMode, Meta(description="rate for a counter, gauge for a value")] = msgspec.field(name="as")


class LoadStep(Node, frozen=True, kw_only=True):
    """One rung: above this load, so many replicas."""

    above: Annotated[float, Meta(description="a load above this", extra=NUMBER)]
    replicas: Annotated[int, Meta(ge=1, le=100_000, description="asks for so many")]


class Plausible(Node, frozen=True, kw_only=True):
    """What a value can be; anything else is missing."""

    min: Annotated[float, Meta(description="the least it can be", extra=NUMBER)] | None = None
    max: Annotated[float, Meta(description="the most it can be", extra=NUMBER)] | None = None


class ZeroIf(Node, frozen=True, kw_only=True):
    """Empty means zero while another query has a fresh result."""

    zero_if: Annotated[str, Meta(min_length=1, description="a PromQL query that gives a result while all is well")]


class Fallback(Node, frozen=True, kw_only=True):
    """What to ask for while a reading is missing; never less than what runs. Exactly one."""

    last_good: (
        Annotated[float, Meta(gt=0, le=86400, description="the last good value, for so long", extra=DURATION)] | None
    ) = None
    at_least: Annotated[int, Meta(ge=1, le=100_000, description="at least so many replicas")] | None = None


class Signal(Node, frozen=True, kw_only=True):
    """A named measurement with exactly one source, and one goal or only `wake_above`.

    One that `busy`, `served` or the objective names may go without either: then it only tells something.
    """

    name: Annotated[Name, Meta(description="the signal's name, unique in the policy")]
    prometheus: Annotated[str, Meta(min_length=1, description="a PromQL query")] | None = None
    server: Annotated[Name, Meta(description="the Prometheus, by its name in the daemon's settings")] | None = None
    scrape: Annotated[Scrape, Meta(description="a metric read from every instance directly")] | None = None
    push: Annotated[Push, Meta(description="series that are sent to the daemon by remote write")] | None = None
    resource: Annotated[Resource, Meta(description="what the platform measures of every instance")] | None = None
    container: (
        Annotated[str, Meta(min_length=1, description="only this container of each pod, instead of the whole pod")]
        | None
    ) = None
    reduce: Annotated[Reduce, Meta(description="how several series become one value")] | None = None
    per_replica: (
        Annotated[
            float,
            Meta(gt=0, description="load that one replica should carry: replicas = load ÷ this", extra=QUANTITY),
        ]
        | None
    ) = None
    value: (
        Annotated[
            float, Meta(gt=0, description="target of the value: replicas = ready replicas × value ÷ this", extra=NUMBER)
        ]
        | None
    ) = None
    utilization: (
        Annotated[
            float,
            Meta(
                gt=0, description="target of a reading that is itself a fraction of one replica's limit", extra=PERCENT
            ),
        ]
        | None
    ) = None
    steps: (
        Annotated[tuple[LoadStep, ...], Meta(min_length=1, description="rungs: the highest one below the load counts")]
        | None
    ) = None
    wake_above: (
        Annotated[float, Meta(description="wakes an idle workload; does not vote otherwise", extra=NUMBER)] | None
    ) = None
    capacity: (
        Annotated[float, Meta(gt=0, description="load that one replica can carry at most, or learn", extra=QUANTITY)]
        | Capacity
        | None
    ) = None
    busy: (
        Annotated[Name, Meta(description="the signal that says how busy an instance is, for capacity: learn")] | None
    ) = None
    served: (
        Annotated[Name, Meta(description="the signal that says how much of this load is served: it shows what is full")]
        | None
    ) = None
    at_most: Annotated[int, Meta(ge=1, le=100_000, description="this signal alone asks for no more")] | None = None
    max_age: (
        Annotated[
            float,
            Meta(
                gt=0,
                description="samples older than this are missing; two observed intervals by default, 2m until then",
                extra=DURATION,
            ),
        ]
        | None
    ) = None
    plausible: Annotated[Plausible, Meta(description="what the value can be; anything else is missing")] | None = None
    coverage: (
        Annotated[
            float,
            Meta(gt=0, le=1, description="share of ready instances that must be in the data", extra=PERCENT),
        ]
        | None
    ) = None
    empty: Annotated[Empty | ZeroIf, Meta(description="what an answer without any series means")] = Empty.MISSING
    nan: Annotated[NotANumber, Meta(description="what a value that is not a number means")] = NotANumber.MISSING
    failed: Annotated[Failing | Fallback, Meta(description="what any kind of missing reading does")] = Failing.HOLD

    @property
    def source(self) -> str:
        """The name of the source that reads it: `prometheus`, `prometheus/SERVER`, `push`, `scrape` or `platform`."""
        if self.scrape is not None:
            return "scrape"
        if self.resource is not None:
            return "platform"
        if self.push is not None:
            return "push"
        return "prometheus" if self.server is None else f"prometheus/{self.server}"

    @property
    def asks(self) -> str:
        """What it asks in the language of queries, with placeholders: a query, a selector, or nothing."""
        return self.prometheus or ("" if self.push is None else self.push.match)

    @property
    def per_second(self) -> bool:
        """True where what it measures is so much per second, as far as its words tell: a rate, or a sum of rates."""
        if self.scrape is not None:
            return self.scrape.mode is ScrapeMode.RATE
        if self.push is not None:
            return self.push.mode is ScrapeMode.RATE
        return self.prometheus is not None and _RATE.fullmatch(self.prometheus.strip()) is not None

    @property
    def votes(self) -> bool:
        """True when it has a goal; False for one that only wakes."""
        goals = (self.per_replica, self.value, self.utilization, self.steps)
        return any(goal is not None for goal in goals)

    @property
    def from_instances(self) -> bool:
        """True when it is read from the instances themselves, so that without any there is nothing to read."""
        return self.scrape is not None or self.resource is not None
