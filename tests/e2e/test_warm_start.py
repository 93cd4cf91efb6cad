"""A daemon that learns its first days from what a real Prometheus recorded."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.parts.prometheus import PrometheusMaker
from tests.support.wait import until

HOURS = 14  # more than the twelve that are needed, less than the three days that are asked for
EVERY_S = 60
POLICY = """\
name: worker
target: {process: {command: [sleep, "600"]}}
replicas: {min: 1, max: 20}
mode: observe
algorithm: adaptive
signals:
  - {name: load, prometheus: sum(requests_in_flight), per_replica: 70, capacity: 100}
"""


def recorded(now: float) -> str:
    """A gauge that comes and goes, up to some minutes ahead, so that nothing scrapes while the test runs."""
    lines = [
        f"requests_in_flight {500 + 100 * math.sin(at / 3000):.2f} {at:.0f}"
        for at in range(int(now) - HOURS * 3600, int(now) + 600, EVERY_S)
    ]
    return "\n".join(["# TYPE requests_in_flight gauge", *lines, "# EOF\n"])


@pytest.mark.prometheus
@pytest.mark.e2e
def test_a_new_workload_is_sized_by_what_a_real_server_recorded_within_a_minute_or_two(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    server = prometheus_server(openmetrics=recorded(time.time()))
    daemon = DaemonProcess(tmp_path, POLICY, cycle="15s", prometheus={"url": server.url}).start()
    try:
        until(lambda: bool(daemon.workload()["learned"]), "it learns", within=40)
        until(lambda: daemon.workload()["reason"].startswith("expects_"), "it is sized by history", within=150)
        (known,) = daemon.workload()["learned"]
        assert known["text"].startswith(f"load: learned from {HOURS} hours of history, and in ")
        assert known["coverage"] > 0.98
        told = daemon.cli("explain", "worker")
        assert "load: expects at most " in told
        assert known["text"].split(";")[0][:40] in told
    finally:
        daemon.stop()
