"""What a whole cycle costs: the daemon of `simulate` around a fleet in memory, and how late its cycles begin."""

from __future__ import annotations

import asyncio
import tempfile

import msgspec

from autoscaler.settings import KubernetesSettings, load
from autoscaler.simulate import simulate
from benchmarks.calibration import round_s
from benchmarks.rows import Row

SIZES = (1_000, 10_000)
CYCLES = 40
CYCLE_S = 5.0  # three times as often as by default, so that the measurement ends within minutes


def cycles() -> list[Row]:
    """Observing, deciding, ordering and recording; the simulated platform is in it, asking a Prometheus is not."""
    return [row for size in SIZES for row in _cycles(size)]


def _cycles(size: int) -> list[Row]:
    before = round_s()
    with tempfile.TemporaryDirectory() as folder:
        chosen = msgspec.structs.replace(
            load(None, {}), data=folder, listen="off", socket="", cycle=CYCLE_S, kubernetes=KubernetesSettings()
        )
        told = asyncio.run(simulate(chosen, size, cycles=CYCLES, seed=1, speed=1.0))
    rounds = told.cpu_s / size / ((before + round_s()) / 2)
    name = f"{size:,} workloads, two signals"
    late = f"p50 {told.lateness_p50_s * 1000:.0f} ms, p99 {told.lateness_p99_s * 1000:.0f} ms"
    said = f"{told.cpu_s:.2f} s of CPU, {rounds:.1f} rounds a workload"
    return [
        Row(f"whole cycle: {name}", None, "1 s of 15 for 10,000", said),
        Row(f"lateness over {CYCLES} cycles of {CYCLE_S:g} s: {name}", None, "p99 under 1 s", late),
    ]
