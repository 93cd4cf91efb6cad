"""Several Prometheus servers in the settings: each signal asks its own, now and of the past."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.parts.nginx import NginxMaker, token
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker
from tests.support.wait import until

SECRET = "open-sesame-1001"
POLICY = """\
name: worker
target: {process: {command: [sleep, "600"]}}
replicas: {min: 1, max: 20}
signals:
  - {name: here, prometheus: sum(load), per_replica: 10}
  - {name: there, server: eu, prometheus: load, reduce: max, per_replica: 10}
"""


def autoscaler(folder: Path, settings: Mapping[str, Any], *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a folder with these settings and the policy."""
    (folder / "policies").mkdir(exist_ok=True)
    (folder / "policies" / "policy.yaml").write_text(POLICY)
    (folder / "autoscaler.yaml").write_text(json.dumps({"data": "data", "listen": "off", **settings}))
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", *words],
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def recorded(*values: float) -> str:
    """Ten minutes of samples, one series for each value."""
    now = time.time()
    lines = [
        f'load{{n="{number}"}} {value} {now - ago:.3f}'
        for number, value in enumerate(values)
        for ago in range(600, 0, -5)
    ]
    return "\n".join(["# TYPE load gauge", *lines, "# EOF\n"])


EU = {"url": "https://eu"}


@pytest.mark.e2e
@pytest.mark.parametrize("command", ["run", "dry-run"])
@pytest.mark.parametrize(
    ("prometheus", "eu", "said"),
    [
        ({"ca": "no.pem"}, EU, "prometheus.ca: no.pem cannot be read: No such file or directory"),
        ({}, {**EU, "cert": "/no.crt", "key": "/no.key"}, "servers.eu.cert: /no.crt cannot be read: No such file"),
        ({"ca": "autoscaler.yaml"}, EU, "prometheus.ca: autoscaler.yaml holds no certificate"),
    ],
)
def test_certificates_that_cannot_be_used_end_it_with_one_sentence(
    tmp_path: Path, command: str, prometheus: dict[str, Any], eu: dict[str, Any], said: str
) -> None:
    settings = {"prometheus": prometheus, "servers": {"eu": eu}}
    done = autoscaler(tmp_path, settings, command, *(["--current", "1"] if command == "dry-run" else []))
    assert done.returncode == 2, done.stderr
    problem, hint = done.stderr.splitlines()
    assert problem.startswith(f"error: {said}"), problem
    assert hint.startswith("  hint: ")


@pytest.mark.e2e
@pytest.mark.prometheus
def test_a_dry_run_asks_each_signals_own_server(
    prometheus_server: PrometheusMaker, nginx_front: NginxMaker, tmp_path: Path
) -> None:
    here = prometheus_server(openmetrics=recorded(20.0))
    there = prometheus_server(openmetrics=recorded(30.0, 90.0, 10.0))
    door = nginx_front(there.url, *token(SECRET), tls=True)
    (tmp_path / "token").write_text(SECRET)
    eu = {"url": door.url, "ca": str(door.ca), "bearer_file": "token"}
    settings = {"prometheus": {"url": here.url}, "servers": {"eu": eu}}
    done = autoscaler(tmp_path, settings, "dry-run", "--current", "4", "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["prometheus"] == f"{here.url}, {door.url}"
    assert (told["notes"], told["workloads"][0]["desired"]) == ([], 8), told["workloads"][0]["lines"]
    asked = {step["facts"]["signal"]: step["after"] for step in told["workloads"][0]["decision"]["steps"][:2]}
    assert asked == {"here": 2, "there": 9}

    (tmp_path / "token").write_text("something-else-3003")
    refused = autoscaler(tmp_path, settings, "dry-run", "--current", "4")
    assert refused.returncode == 0, refused.stderr
    assert f"note: Prometheus does not answer: {door.url}: HTTP 401" in refused.stdout
    assert "there: no data (failed: " in refused.stdout
    assert "something-else" not in refused.stdout + refused.stderr


@pytest.mark.e2e
def test_a_dry_run_without_any_server_that_answers_ends_with_the_way_out(tmp_path: Path) -> None:
    settings = {"servers": {"eu": {"url": f"http://127.0.0.1:{free_port()}"}}}
    settings["prometheus"] = {"url": f"http://127.0.0.1:{free_port()}"}
    done = autoscaler(tmp_path, settings, "dry-run", "--current", "4")
    assert (done.returncode, done.stdout) == (1, "")
    assert "set prometheus.url in the settings" in done.stderr


@pytest.mark.e2e
@pytest.mark.prometheus
def test_a_server_that_goes_away_takes_only_its_own_signals_along(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    here = prometheus_server(openmetrics=recorded(20.0))
    there = prometheus_server(openmetrics=recorded(30.0, 40.0))
    servers = {"prometheus": {"url": here.url}, "servers": {"eu": {"url": there.url}}}
    daemon = DaemonProcess(tmp_path, POLICY + "mode: observe\n", **servers).start()
    try:
        until(lambda: daemon.workload()["desired"] == 4, "both are read")
        there.stop()
        until(lambda: daemon.workload()["missing"] == ["there"], "only what is gone is missing", within=20)
    finally:
        daemon.stop()
