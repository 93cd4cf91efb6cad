"""The scaling-quality benchmark: a case is a trace and a start-up delay, a score says how a policy did there.

`docs/benchmark.md` says what is simulated and what the figures mean.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import msgspec

from autoscaler.backtest import traces
from autoscaler.backtest.quality import Course, area, clairvoyant, elasticity, geometric
from autoscaler.backtest.traces import Load, Trace
from autoscaler.backtest.workload import Backend, Demand, Model

PEAK = 30  # the 99.9th percentile of a trace keeps so many instances fully busy
SPARSE_PEAK = 3  # of one that is mostly empty
TARGET = 0.7  # utilization that the count at the start is made for
UNSCORED = 4  # the first quarter is there to learn from
STRESS = ("alibaba_genai_sparse", "azure_llm_code_nov23")
CALM_PERCENT = 0.5  # cases with fewer violations than this are counted


class Pipeline(msgspec.Struct, frozen=True):
    """How metrics travel: counters are read every `scrape_s` seconds and seen as much later; so often it is decided."""

    name: str
    scrape_s: int

    def newest(self, now: int) -> int:
        """The newest instant whose counters are seen at `now`; below zero: none yet."""
        return (now - self.scrape_s) // self.scrape_s * self.scrape_s


PIPELINES = {"standard": Pipeline("standard", 15), "fast": Pipeline("fast", 5)}


class Case(msgspec.Struct, frozen=True):
    """One trace at one start-up delay, made ready: `start` is the first scored second, `most` the upper bound.

    `first` is the count at the beginning, `scale` what the trace was multiplied by, `oracle_s` the instance seconds of
    the clairvoyant plan in the scored part. `least` is the lower bound: 1, or 0 where nothing is needed for no load.
    """

    trace: str
    delay_s: int
    scale: float
    load: Load
    demand: Demand
    needed: Course
    start: int
    most: int
    first: int
    oracle_s: int
    least: int = 1

    @property
    def seconds(self) -> int:
        """How long it is."""
        return self.load.seconds

    @property
    def arrivals(self) -> float:
        """Requests in the scored part."""
        return self.load.before[self.seconds] - self.load.before[self.start]


class Row(msgspec.Struct, frozen=True):
    """One policy on one case. V, thU, thO, tU, tO and ins are percent; C is a multiple of the clairvoyant plan."""

    trace: str
    delay: int
    policy: str
    V: float
    C: float
    J: float
    actions_per_day: float
    thU: float
    thO: float
    tU: float
    tO: float
    ins: float


class Aggregate(msgspec.Struct, frozen=True):
    """One policy over the cases of a set: `Q` is the geometric mean of J, C that of C."""

    set: str
    policy: str
    cases: int
    Q: float
    C: float
    V_mean: float
    V_worst: float
    cases_calm: int
    actions_per_day: float


class Watched(Backend):
    """A backend that remembers its counters at every instant they are read, and what was violated before the start."""

    def __init__(self, case: Case, scrape_s: int, count: int | None = None) -> None:
        first = case.first if count is None else count
        super().__init__(case.load, case.demand, MODEL, delay_s=case.delay_s, count=first)
        self.served_at, self.ready_s_at, self.violated_at = array("d", [0.0]), array("d", [0.0]), array("d", [0.0])
        self.waiting_at = array("d", [0.0])
        self.violated_before = 0.0
        self._start = case.start
        self.scrape_s = scrape_s
        self._next = scrape_s

    def advance(self, now: float) -> None:
        """Let the seconds before `now` pass."""
        while self._next <= now:
            if self.second < self._start <= self._next:
                self._begin()
            Backend.advance(self, self._next)
            self.served_at.append(self.served)
            self.ready_s_at.append(self.ready_s)
            self.violated_at.append(self.violated)
            self.waiting_at.append(self.waiting)
            self._next += self.scrape_s
        if self.second < now:
            if self.second < self._start <= now:
                self._begin()
            Backend.advance(self, now)

    def _begin(self) -> None:
        """The scored part begins."""
        Backend.advance(self, self._start)
        self.violated_before = self.violated


MODEL = Model()
Player = Callable[[Case, Pipeline], Watched]


def cases(trace: Trace, delays: Sequence[int], least: int = 1) -> list[Case]:
    """The cases of one trace, scaled so that all traces are about as large, with 1 or 0 as the lower bound."""
    peak = SPARSE_PEAK if "sparse" in trace.name else PEAK
    top = traces.quantile(trace.rates, 0.999)
    scale = peak * MODEL.capacity / top
    load, demand = traces.seconds(trace, scale), Demand(MODEL, 2 * peak)
    needed = demand.runs(load, least)
    start = load.seconds // UNSCORED
    return [
        Case(
            trace=trace.name,
            delay_s=delay_s,
            scale=scale,
            load=load,
            demand=demand,
            needed=needed,
            start=start,
            most=2 * max(count for _, count in needed),
            first=demand.of(load.rates[0] / TARGET),
            oracle_s=area(clairvoyant(needed, delay_s, load.seconds), start, load.seconds),
            least=least,
        )
        for delay_s in delays
    ]


def score(case: Case, policy: str, backend: Watched) -> Row:
    """What a run was worth, over the scored part."""
    backend.advance(case.seconds)
    start, end = case.start, case.seconds
    violated = 100.0 * (backend.violated - backend.violated_before) / case.arrivals
    cost = area(backend.counts, start, end) / case.oracle_s
    changes = sum(second > start for second, _ in backend.counts)
    elastic = elasticity(case.needed, backend.readies, start, end)
    return Row(
        trace=case.trace,
        delay=case.delay_s,
        policy=policy,
        V=violated,
        C=cost,
        J=cost + violated,
        actions_per_day=changes * 86400 / (end - start),
        **msgspec.structs.asdict(elastic),
    )


def aggregates(rows: Sequence[Row]) -> list[Aggregate]:
    """Per set and policy, in the order they were run."""
    found: list[Aggregate] = []
    for name in ("core", "stress"):
        inside = [row for row in rows if (row.trace in STRESS) == (name == "stress")]
        policies = dict.fromkeys(row.policy for row in inside)
        found.extend(_aggregate(name, each, [row for row in inside if row.policy == each]) for each in policies)
    return found


def _aggregate(name: str, policy: str, rows: Sequence[Row]) -> Aggregate:
    return Aggregate(
        set=name,
        policy=policy,
        cases=len(rows),
        Q=geometric(row.J for row in rows),
        C=geometric(row.C for row in rows),
        V_mean=sum(row.V for row in rows) / len(rows),
        V_worst=max(row.V for row in rows),
        cases_calm=sum(row.V <= CALM_PERCENT for row in rows),
        actions_per_day=sum(row.actions_per_day for row in rows) / len(rows),
    )
