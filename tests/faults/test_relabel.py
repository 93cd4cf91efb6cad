"""A relabelling takes every series of a fleet away at once, under a real Prometheus.

Time runs sixty times as fast for the daemon: its cycle of 15 s takes a quarter of a second.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.model.target import WorkloadRef
from autoscaler.sources.prometheus import PrometheusSource
from autoscaler.targets.simulated import Fleet
from tests.faults.home import Home, WallClock
from tests.parts.gauges import GaugeServer
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.support.wait import auntil, until

pytestmark = pytest.mark.prometheus

MANY = 40
ALLOWED = 12  # max(5, 30 %) of forty
REFS = [WorkloadRef("compose", "shop", "service", f"s{number:02}") for number in range(MANY)]
POLICY = """
name: {name}
target: {{compose: {{project: shop, service: {name}}}}}
replicas: {{min: 1, max: 10}}
signals: [{{name: load, prometheus: sum(load_{name}), per_replica: 100, max_age: 10s{empty}}}]
behavior: {{down: {{stabilization: 0s}}}}
"""


def renamed(target: str) -> str:
    """A configuration that scrapes the target and calls its series something else."""
    rule = {"source_labels": ["__name__"], "regex": "load_(.*)", "target_label": "__name__", "replacement": "was_$1"}
    job = {"job_name": "shop", "static_configs": [{"targets": [target]}], "metric_relabel_configs": [rule]}
    return json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]})


@contextlib.asynccontextmanager
async def fleet(folder: Path, server: PrometheusServer, *, empty: str = "") -> AsyncIterator[Home]:
    """Forty workloads of three instances each, as their load of 300 asks for, each read once at least."""
    policies = "---".join(POLICY.format(name=ref.name, empty=empty) for ref in REFS)
    clock = WallClock(60.0)
    there = Fleet(WallClock(60.0))
    for ref in REFS:
        there.put(ref, 3)
    source = PrometheusSource(PrometheusClient(server.url))
    async with Home(folder, policies, there, clock, source=source).running() as home:
        await auntil(lambda: {home.told(ref).reason for ref in REFS} == {"within_tolerance"}, "all are read")
        await home.cycles(6)
        yield home
    await source.close()


@pytest.fixture
def server(prometheus_server: PrometheusMaker, gauge_server: GaugeServer) -> PrometheusServer:
    for ref in REFS:
        gauge_server.set(f"load_{ref.name}", 300)
    made = prometheus_server(scrape={"shop": [gauge_server.address]})
    until(lambda: made.value('count({__name__=~"load_.*"})') == MANY, "all are scraped")
    return made


async def test_by_default_doubt_holds_the_whole_fleet(
    server: PrometheusServer, gauge_server: GaugeServer, tmp_path: Path
) -> None:
    async with fleet(tmp_path, server) as home:
        server.configure(renamed(gauge_server.address))
        await auntil(lambda: {home.told(ref).reason for ref in REFS} == {"no_opinion"}, "nothing is read any more")
        await home.cycles(20, dict.fromkeys(REFS, 3))


async def test_where_empty_means_zero_the_brake_holds_all_but_a_few_until_somebody_resumes(
    server: PrometheusServer, gauge_server: GaugeServer, tmp_path: Path
) -> None:
    async with fleet(tmp_path, server, empty=', empty: "0"') as home:
        server.configure(renamed(gauge_server.address))
        await auntil(lambda: any(home.told(ref).reason == "fleet_brake" for ref in REFS), "the brake is on")
        await home.cycles(45)  # more than ten minutes, after which a brake that is not latched lets others go
        held = [ref for ref in REFS if home.count(ref) == 3]
        assert len(held) == MANY - ALLOWED
        assert {home.told(ref).reason for ref in held} == {"fleet_brake"}
        decision = home.board.entries[held[0].key].decision
        assert decision is not None
        assert decision.steps[-1].facts["latched"] is True

        done = await home.desk.resume("fleet")
        assert "its brake is off" in done.text
        gone = MANY - 2 * ALLOWED
        await auntil(lambda: sum(home.count(ref) == 3 for ref in REFS) == gone, "as many again, and no more at once")
        await home.cycles(10)
        assert sum(home.count(ref) == 3 for ref in REFS) == gone
        history = (await home.desk.history(held[0].key)).lines
        assert "fleet_brake" in [line.reason for line in history]
