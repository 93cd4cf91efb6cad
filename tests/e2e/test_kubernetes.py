"""A Deployment on a real API server goes up and down with the policy; the daemon is its own process with few rights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.support.wait import never, until

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]

POLICY = """
name: web
target: {kubernetes: {namespace: shop, name: web}}
replicas: {min: 1, max: 6}
signals:
  - {name: requests, prometheus: sum(load), per_replica: 100}
behavior: {down: {stabilization: 5s}}
"""


@pytest.fixture()
def daemon(
    control_plane: Any, gauge_server: Any, prometheus_server: Any, tmp_path: Path
) -> Iterator[DaemonProcess]:
    prometheus = prometheus_server(targets={"load": [gauge_server.address]})
    until(lambda: prometheus.value("count(load)") == 1, what="the load is scraped", within=60)
    control_plane.deployment("shop", "web", replicas=1)
    process = DaemonProcess(
        tmp_path,
        POLICY,
        prometheus={"url": prometheus.url},
        kubernetes={"kubeconfig": str(control_plane.kubeconfig("admin"))},
    )
    try:
        yield process
    finally:
        if process.alive:
            process.stop()
        print(process.text())


def test_a_deployment_goes_up_and_down_with_the_load(
    control_plane: Any, gauge_server: Any, daemon: DaemonProcess
) -> None:
    def replicas() -> int:
        return int(control_plane.replicas("shop", "web"))

    gauge_server.set("load", 100)
    daemon.start()
    never(lambda: replicas() != 1, what="a change without a cause", within=4)
    gauge_server.set("load", 450)
    until(lambda: replicas() == 5, what="five replicas", within=60)
    until(lambda: control_plane.ready("shop", "web") == 5, what="five ready pods", within=60)
    assert "above_target" in daemon.cli("history", "web")
    gauge_server.set("load", 40)
    until(lambda: replicas() == 1, what="one replica", within=120)
    assert "below_target" in daemon.cli("history", "web")


def test_a_vanished_metric_does_not_shrink_the_deployment(
    control_plane: Any, gauge_server: Any, daemon: DaemonProcess
) -> None:
    gauge_server.set("load", 400)
    daemon.start()
    until(lambda: int(control_plane.replicas("shop", "web")) == 4, what="four replicas", within=60)
    gauge_server.drop("load")
    until(lambda: "signal_missing" in daemon.cli("explain", "web"), what="the missing signal is told", within=60)
    never(lambda: int(control_plane.replicas("shop", "web")) < 4, what="a shrink without data", within=20)
