"""Signals of many workloads read from a real Prometheus: asked as one, against each asked by itself.

Skipped with its reason where there is no Prometheus to use.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from _pytest.outcomes import Failed, Skipped

from autoscaler.clients.prometheus import Answer, PrometheusClient
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Series
from autoscaler.sources.prometheus import PrometheusSource
from benchmarks.rows import Row
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.parts.require import require
from tests.support import asks

FEW, MANY = 1_000, 10_000
PODS = 2
CYCLES = 3  # of which the best counts, after one that is not counted
TICK = os.sysconf("SC_CLK_TCK")

QUERIES = ('sum(rate(served_total{workload="w%d"}[2m]))', 'sum(in_flight{workload="w%d"})')
# The same with what is not shared: a regular expression that the server takes for an equality.
ALONE = tuple(query.replace("workload=", "workload=~") for query in QUERIES)


class Read(NamedTuple):
    """What one cycle cost: questions, CPU seconds of ours and of the server's, wall seconds."""

    queries: int
    ours_s: float
    theirs_s: float
    wall_s: float


class Counting(PrometheusClient):
    """Counts what it asks."""

    asked = 0

    async def instant(self, query: str, timeout_s: float) -> Answer:
        self.asked += 1
        return await super().instant(query, timeout_s)


def together() -> list[Row]:
    """Two signals of each workload, as rates and as gauges over its pods, with the companions that tell their age."""
    try:
        require("prometheus")
    except (Skipped, Failed) as none:
        return [Row("signals read together", None, said=f"skipped: {none.msg}")]
    with tempfile.TemporaryDirectory() as folder:
        maker = PrometheusMaker(Path(folder))
        try:
            server = maker(openmetrics=_recorded(MANY))
            alone = asyncio.run(_read(server, ALONE, FEW))
            few = asyncio.run(_read(server, QUERIES, FEW))
            many = asyncio.run(_read(server, QUERIES, MANY))
        finally:
            maker.stop()
    return [
        Row(f"{FEW:,} workloads x 2 signals, each by itself", None, said=_said(alone)),
        Row(f"{FEW:,} workloads x 2 signals, together", None, "at most 10 queries a template", said=_said(few)),
        Row(f"{MANY:,} workloads x 2 signals, together", None, "ours at most 1 s", said=_said(many)),
        Row("together / by itself, queries", None, said=f"{few.queries / alone.queries:.4f}"),
        Row("together / by itself, CPU of ours", None, "below 0.1", said=f"{few.ours_s / alone.ours_s:.3f}"),
        Row("together / by itself, CPU of Prometheus", None, said=f"{few.theirs_s / alone.theirs_s:.3f}"),
    ]


def _said(read: Read) -> str:
    return f"{read.queries} queries, {read.ours_s:.3f} s ours, {read.theirs_s:.2f} s theirs, {read.wall_s:.2f} s"


def _recorded(workloads: int) -> str:
    now = time.time()
    lines: list[str] = []
    for name, kind in (("served_total", "counter"), ("in_flight", "gauge")):
        lines.append(f"# TYPE {name.removesuffix('_total')} {kind}")
        for workload in range(workloads):
            for pod in range(PODS):
                labels = f'workload="w{workload}",pod="w{workload}-{pod}"'
                lines += [f"{name}{{{labels}}} {100 - back} {now - 15 * back:.3f}" for back in range(8, -1, -1)]
    return "\n".join([*lines, "# EOF\n"])


async def _read(server: PrometheusServer, queries: Sequence[str], workloads: int) -> Read:
    client = Counting(server.url)
    source = PrometheusSource(client, deadline_s=60.0)
    put: list[Ask] = [asks.query(query % n, max_age=3600.0) for n in range(workloads) for query in queries]
    found: list[Read] = []
    for _ in range(1 + CYCLES):
        client.asked = 0
        ours, theirs, began = time.process_time(), _cpu_s(server), time.monotonic()
        readings = await source.read(put, time.time())
        took = time.monotonic() - began
        found.append(Read(client.asked, time.process_time() - ours, _cpu_s(server) - theirs, took))
        assert sum(isinstance(each, Series) for each in readings) == len(put)
    await source.close()
    return min(found[1:], key=lambda each: each.ours_s)


def _cpu_s(server: PrometheusServer) -> float:
    """CPU seconds of a server so far."""
    fields = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK
