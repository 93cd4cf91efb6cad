"""A real Prometheus that knows less than it did, under a running daemon: nothing shrinks, and it goes on afterwards."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.watched import watched
from tests.parts.gauges import GaugeServer
from tests.parts.prometheus import PrometheusMaker
from tests.support.wait import never, until

pytestmark = [pytest.mark.prometheus, pytest.mark.e2e]

RATE = "sum(rate(requests_total[6s]))"


class Served:
    """A counter of requests at a rate that a test sets; what was counted stays counted."""

    def __init__(self, rate: float) -> None:
        self._counted, self._rate, self._since = 0.0, rate, time.monotonic()

    def __call__(self) -> float:
        return self._counted + self._rate * (time.monotonic() - self._since)

    def at(self, rate: float) -> None:
        """From now on so many a second."""
        self._counted, self._rate, self._since = self(), rate, time.monotonic()


def scraping(ports: Sequence[int], dead: Sequence[int] = ()) -> str:
    """A configuration that scrapes workers on these ports; the path of the dead ones leads nowhere."""
    groups = [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"__metrics_path__": "/x" if port in dead else "/metrics"}}
        for port in ports
    ]
    job = {"job_name": "shop", "static_configs": groups}
    return json.dumps({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]})


def test_one_of_three_scrape_targets_down_shrinks_nothing(prometheus_server: PrometheusMaker, tmp_path: Path) -> None:
    server = prometheus_server(scrape={})
    with watched(tmp_path, "sum(load)", server.url) as shop:
        shop.load(30)
        shop.start()
        shop.cli("override", "shop", "3", "--for", "1h")
        until(lambda: shop.ready() == 3, "three ready workers", within=20)
        ports = shop.ports()
        server.configure(scraping(ports))
        until(lambda: server.value("sum(load)") == 30, "all three are scraped")
        until(lambda: not shop.workload()["missing"], "the daemon reads them")
        shop.cli("resume", "shop")
        until(lambda: shop.workload()["reason"] in ("within_tolerance", "on_target"), "it is as it should be")

        server.configure(scraping(ports, dead=ports[:1]))
        until(lambda: server.value("sum(load)") == 20, "a third of the load is out of sight")
        never(lambda: len(shop.pids()) < 3, "a shrink by a part of the data", for_s=6)
        told = shop.workload()
        assert (told["reason"], told["missing"]) == ("doubt", []), told
        assert "uncovered" in shop.cli("explain", "shop"), shop.cli("explain", "shop")

        server.configure(scraping(ports))
        until(lambda: not shop.workload()["missing"], "all are read again")
        assert len(shop.pids()) == 3


def test_prometheus_restarted_empty_shrinks_nothing_and_the_daemon_goes_on(
    prometheus_server: PrometheusMaker, gauge_server: GaugeServer, tmp_path: Path
) -> None:
    """A short absence is bridged by what was asked for before it: the stabilization outlasts it and the window."""
    served = Served(40)
    gauge_server.set("requests_total", served)
    server = prometheus_server(scrape={"shop": [gauge_server.address]})
    with watched(tmp_path, RATE, server.url, down="15s", told=", max_age: 5s") as shop:
        shop.start()
        until(lambda: shop.ready() == 4, "four ready workers", within=40)
        server.stop()
        shutil.rmtree(server.data)
        until(lambda: shop.workload()["missing"], "nothing is read")
        server.start()
        until(lambda: not shop.workload()["missing"], "something is read again", within=20)
        never(lambda: len(shop.pids()) < 4, "a shrink by windows that are hardly filled", for_s=10)
        assert len(shop.pids()) in (4, 5)
        served.at(55)
        until(lambda: len(shop.pids()) == 6, "six workers, for more load", within=30)


def test_a_hole_in_the_series_is_no_fall_of_the_load(
    prometheus_server: PrometheusMaker, gauge_server: GaugeServer, tmp_path: Path
) -> None:
    """The exporter is away for as long as it takes until nothing is left of the series, and is back with less."""
    gauge_server.set("load", 40)
    server = prometheus_server(scrape={"shop": [gauge_server.address]})
    with watched(tmp_path, "sum(load)", server.url, told=", max_age: 5s") as shop:
        shop.start()
        until(lambda: shop.ready() == 4, "four ready workers", within=40)
        gauge_server.drop("load")
        until(lambda: shop.workload()["reason"] == "no_opinion", "the hole is told")
        never(lambda: len(shop.pids()) != 4, "a change in the dark", for_s=3)
        gauge_server.set("load", 10)
        until(lambda: len(shop.pids()) == 1, "one worker", within=60)
        reasons = [line["reason"] for line in json.loads(shop.cli("history", "shop", "--format", "json"))["lines"]]
        assert reasons.index("below_target") < reasons.index("no_opinion"), reasons
