"""What a backtest costs: one policy with one signal under `hpa`, everything but starting the program."""

from __future__ import annotations

import math

from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Candidate, backtest
from autoscaler.backtest.recording import Recording, column
from autoscaler.decide.plan import prepare
from autoscaler.model.observation import Ask
from autoscaler.model.policy import ComposeTarget, Policy, Replicas, Signal, TargetSpec
from autoscaler.model.signal import Point, Series
from autoscaler.model.target import WorkloadRef
from benchmarks.calibration import Stopwatch
from benchmarks.rows import Row

CYCLE_S = 15.0
CYCLES = 4 * 1440  # a day; what is done once and not every cycle is done for a day only
RUNS = 3
MONTH = 172_800  # cycles of 30 days


def replayed() -> list[Row]:
    """One cycle: its part of the load, of the replay, of the scorecard and of the curve."""
    signal = Signal(name="requests", prometheus="sum(rate(requests_total[1m]))", per_replica=100.0)
    ref = WorkloadRef("compose", "shop", "service", "web")
    target = TargetSpec(compose=ComposeTarget(project="shop", service="web"))
    plan = prepare(ref, Policy(name="web", target=target, replicas=Replicas(min=2, max=40), signals=(signal,)))
    ask = Ask(ref, signal, signal.prometheus or "")
    told = column(ask, "web", [Series((Point(_load(beat)),), 5.0) for beat in range(CYCLES)])
    past = Recording(start=1_700_000_000.0, every_s=CYCLE_S, beats=CYCLES, columns=(told,))
    watch = Stopwatch()
    for _ in range(RUNS):
        with watch.piece(CYCLES):
            backtest([Candidate("web", plan)], past, "a day", Asked(), lambda done, of: None, 1000)
    cost = watch.cost()
    return [
        Row("backtest: a cycle of one workload, one signal", cost, "58 µs"),
        Row("backtest: 30 days at 15 s, from that", None, "10 s", f"{cost.seconds * MONTH:.1f} s"),
    ]


def _load(beat: int) -> float:
    """A day's wave with an unrest of minutes on it."""
    return 900.0 + 500.0 * math.sin(beat / 917.0) + 120.0 * math.sin(beat * 0.7)
