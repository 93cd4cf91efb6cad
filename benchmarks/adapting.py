"""What `algorithm: adaptive` costs on top of `step()`: one bin of one series, alone and among a thousand."""

from __future__ import annotations

import math

from autoscaler.decide.adaptive.series import BIN_S, Learned, Sample, taken
from benchmarks.calibration import Cost, Stopwatch
from benchmarks.rows import Row

BEGIN = 1_700_000_000.0
WARM_UP = 40  # bins until all parts of the rule take part
TIMED = 9
MANY = 1000


def adaptive() -> list[Row]:
    """A decision each, in one call for all as the daemon does."""
    return [
        Row(f"adaptive: {MANY:,} series together", _bins(MANY, 1), "30 µs on a whole core"),
        Row("adaptive: one series alone", _bins(1, 20), "100 µs on a whole core"),
    ]


def _bins(series: int, times: int) -> Cost:
    known: list[Learned | None] = [None] * series
    watch, now = Stopwatch(), BEGIN
    for each in range(WARM_UP + TIMED):
        now = BEGIN + each * BIN_S
        loads = [500.0 + 400.0 * math.sin(now / 600.0 + n) for n in range(series)]
        samples = [Sample(before, "q", load, 140.0, 5) for before, load in zip(known, loads, strict=True)]
        if each >= WARM_UP:
            with watch.piece(series * times):
                for _ in range(times):
                    taken(samples, now)
        known = [*taken(samples, now)]
    return watch.cost()
