"""`autoscaler simulate`."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from autoscaler import log, settings
from autoscaler.cli.root import config, output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.table import table

if TYPE_CHECKING:
    from autoscaler.simulate import Measured


@click.command("simulate")
@click.option("--workloads", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="How many.")
@click.option("--cycles", type=click.IntRange(1, 100_000), default=10, show_default=True, help="Measured ones.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same loads and mishaps again.")
@click.option("--speed", type=click.FloatRange(1, 10_000), default=1.0, show_default=True, help="Days of load in one.")
@click.option("--serve", is_flag=True, help="Go on until SIGTERM or SIGINT, with the API and /metrics.")
@output
@config
def command(workloads: int, cycles: int, seed: int, speed: float, serve: bool, form: str, config: Path | None) -> None:
    """Run a daemon over a fleet in memory, and say what that costs.

    The daemon is the real one, on real time and with the settings' cycle; its services, two signals each, exist in this
    process only. What reading from a Prometheus and calling a platform cost is not in the figures. Without --serve
    nobody listens and nothing is kept; with it the settings' socket and port are open, and the data folder is one of
    its own that is gone in the end, unless the settings name one.
    """
    from autoscaler.simulate import simulate

    told = settings.load(config, os.environ)
    pump = log.configure(told.log.value) if serve else None
    try:
        with tempfile.TemporaryDirectory(prefix="autoscaler-") as folder:
            data = told.data or folder
            chosen = msgspec.structs.replace(
                told,
                data=data if serve else folder,
                listen=told.listen if serve else "off",
                kubernetes=settings.KubernetesSettings(),  # no cluster has a part in it, nor its lease
            )
            if not serve:
                chosen = msgspec.structs.replace(chosen, socket="")
            if serve:
                say(f"AUTOSCALER_SOCKET={chosen.socket_path} autoscaler status", err=True)
            measured = asyncio.run(
                simulate(chosen, workloads, cycles=None if serve else cycles, seed=seed, speed=speed)
            )
    finally:
        if pump is not None:
            pump.close()
    if serve:
        return
    if form == "json":
        print_json(measured)
    else:
        say(table(("WHAT", "HOW MUCH"), _rows(measured)))


def _rows(told: Measured) -> list[tuple[str, str]]:
    return [
        ("workloads", f"{told.workloads:,}, two signals each"),
        ("measured", f"{told.cycles} cycles of {told.cycle_s:g} s"),
        ("CPU per cycle", f"{told.cpu_s:.3f} s, at most {told.cpu_most_s:.3f} s"),
        ("start", f"{told.start_s:.2f} s until the first cycle"),
        ("one core used", f"{100 * told.cpu_s / told.cycle_s:.1f} %"),
        ("a cycle took at most", f"{told.duration_most_s:.3f} s"),
        ("lateness", f"p50 {1000 * told.lateness_p50_s:.0f} ms, p99 {1000 * told.lateness_p99_s:.0f} ms"),
        ("memory per workload", f"{told.memory_per_workload_kib:.0f} KiB at most, the simulated platform included"),
        ("decided", f"{told.decisions:,} times, {told.changes:,} changes"),
    ]
