"""Policies over the cases of a folder of traces, one after the other, with a word after each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import msgspec

from autoscaler.backtest.baselines import NAMED, named
from autoscaler.backtest.benchmark import (
    STRESS,
    Aggregate,
    Case,
    Pipeline,
    Player,
    Row,
    Watched,
    aggregates,
    cases,
    score,
)
from autoscaler.backtest.quality import cost_at, geometric
from autoscaler.backtest.traces import Trace

KNOBS = tuple(f"{5 * step / 100:.2f}" for step in range(2, 20))  # targets 0.10 … 0.95

Tell = Callable[[int, int, Row], None]
Draw = Callable[[Case, Sequence[tuple[Row, Watched]]], None]


class Reached(msgspec.Struct, frozen=True):
    """What a policy costs on one case at 1 % and at 0.1 % of violations, over all its targets (None: not reached)."""

    trace: str
    delay: int
    policy: str
    C_at_1: float | None
    C_at_01: float | None


class Hindsight(msgspec.Struct, frozen=True):
    """The best of a policy in hindsight over the core traces: one target for all cases, and the best of each case."""

    policy: str
    best_target: float
    Q_best_target: float
    Q_tuned_per_case: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """A whole benchmark, with `least` instances (1 or 0) as the lower bound.

    `sweep`, `frontier` and `hindsight` are filled where targets were swept.
    """

    version: int = 1
    pipeline: str
    least: int = 1
    rows: tuple[Row, ...]
    aggregates: tuple[Aggregate, ...]
    sweep: tuple[Row, ...] = ()
    frontier: tuple[Reached, ...] = ()
    hindsight: tuple[Hindsight, ...] = ()


class Bench:
    """Traces, delays, a pipeline and a lower bound (1 or 0) to play policies on.

    `tell(done, of, row)` hears of each run as it is done, `draw(case, runs)` of all runs of a case once it is.
    """

    def __init__(
        self, read: Sequence[Trace], delays: Sequence[int], pipeline: Pipeline, *, tell: Tell, draw: Draw | None = None,
        least: int = 1,
    ) -> None:  # fmt: skip
        self._traces = read
        self._delays = delays
        self._pipeline = pipeline
        self._tell = tell
        self._draw = draw
        self._least = least

    def run(self, players: Sequence[tuple[str, Player]]) -> Scores:
        """Each policy on each case."""
        rows = tuple(self._played(players, self._draw))
        return Scores(pipeline=self._pipeline.name, least=self._least, rows=rows, aggregates=tuple(aggregates(rows)))

    def swept(self, scores: Scores, names: Sequence[str]) -> Scores:
        """The scores with each of these policies at every target of `KNOBS`."""
        rows = tuple(self._played([(f"{name}@{knob}", named(f"{name}@{knob}")) for name in names for knob in KNOBS]))
        by_name = {name: [row for row in rows if row.policy.partition("@")[0] == name] for name in names}
        return msgspec.structs.replace(
            scores,
            sweep=rows,
            frontier=tuple(each for name in names for each in _frontier(name, by_name[name])),
            hindsight=tuple(each for name in names for each in _hindsight(name, by_name[name])),
        )

    def _played(self, players: Sequence[tuple[str, Player]], draw: Draw | None = None) -> Iterator[Row]:
        done, of = 0, len(self._traces) * len(self._delays) * len(players)
        for trace in self._traces:
            for case in cases(trace, self._delays, self._least):
                runs: list[tuple[Row, Watched]] = []
                for name, player in players:
                    service = player(case, self._pipeline)
                    row = score(case, name, service)
                    if draw is not None:
                        runs.append((row, service))
                    done += 1
                    self._tell(done, of, row)
                    yield row
                if draw is not None:
                    draw(case, runs)


def sweepable(words: Sequence[str]) -> list[str]:
    """Those of these policies that have a target, by their names."""
    return [name for name in dict.fromkeys(word.partition("@")[0] for word in words) if name in NAMED]


def _by_case(rows: Sequence[Row]) -> dict[tuple[str, int], list[Row]]:
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.trace, row.delay), []).append(row)
    return found


def _frontier(name: str, rows: Sequence[Row]) -> Iterator[Reached]:
    for (trace, delay), points in _by_case(rows).items():
        ends = [(row.V, row.C) for row in points]
        yield Reached(trace, delay, name, cost_at(ends, 1.0), cost_at(ends, 0.1))


def _hindsight(name: str, rows: Sequence[Row]) -> Iterator[Hindsight]:
    core = [row for row in rows if row.trace not in STRESS]
    if not core:
        return
    each = {knob: geometric(row.J for row in core if row.policy == f"{name}@{knob}") for knob in KNOBS}
    best = min(KNOBS, key=lambda knob: each[knob])
    tuned = geometric(min(row.J for row in points) for points in _by_case(core).values())
    yield Hindsight(name, float(best), each[best], tuned)
