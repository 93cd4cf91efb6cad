"""`autoscaler init` from a real Prometheus, and with a real engine beside it: the first policy, its test, a dry run."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from autoscaler.model.policy import Algorithm, Mode, Policy
from autoscaler.policy.load import load
from tests.e2e.daemon import ROOT
from tests.parts.compose import Compose, Stack, fresh_name
from tests.parts.engine import Engine
from tests.parts.images import LabImages
from tests.parts.prometheus import PrometheusMaker
from tests.parts.require import require
from tests.support.load import Wrk
from tests.support.wait import until

pytestmark = pytest.mark.e2e

PAST_S = 2 * 86_400
EVERY_S = 30
DAY_S = 86_400
ALONE = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}


def init(
    folder: Path, server: str, *words: str, env: Mapping[str, str] = ALONE, stdin: int = subprocess.DEVNULL
) -> subprocess.CompletedProcess[str]:
    """The command in a folder that is empty at first, without a terminal where none is told."""
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", "init", *words, "--prometheus", server],
        env={**env, "AUTOSCALER_DATA": str(folder / "data")},
        cwd=folder,
        stdin=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def written(folder: Path, name: str) -> Policy:
    """The policy that was written; there is nothing else but its test."""
    assert sorted(each.name for each in (folder / "policies").iterdir()) == [f"{name}.test.yaml", f"{name}.yaml"]
    text = (folder / "policies" / f"{name}.yaml").read_text()
    assert len(text.splitlines()) <= 12
    (placed,) = load([("policy.yaml", text)], "r").placed
    return placed.policy


def two_days(now: float) -> str:
    """A backend of two servers with 40 requests a second and an hour of 100, and a gauge that has a counter's name."""
    families: dict[str, list[str]] = {
        "haproxy_backend_sessions": ["# TYPE haproxy_backend_sessions counter"],
        "haproxy_backend_http_responses": ["# TYPE haproxy_backend_http_responses counter"],
        "haproxy_backend_active_servers": ["# TYPE haproxy_backend_active_servers gauge"],
        "http_requests_total": ["# TYPE http_requests_total gauge"],
    }
    total = 0.0
    for place, ago in enumerate(range(PAST_S, 0, -EVERY_S)):
        total += EVERY_S * (100 if DAY_S < ago <= DAY_S + 3600 else 40)
        at = f"{now - ago:.3f}"
        families["haproxy_backend_sessions"].append(f'haproxy_backend_sessions_total{{proxy="web"}} {total} {at}')
        families["haproxy_backend_http_responses"].append(
            f'haproxy_backend_http_responses_total{{proxy="web",code="2xx"}} {total} {at}'
        )
        families["haproxy_backend_active_servers"].append(f'haproxy_backend_active_servers{{proxy="web"}} 2 {at}')
        families["http_requests_total"].append(f'http_requests_total{{job="web"}} {place % 7} {at}')
    return "\n".join([*(line for each in families.values() for line in each), "# EOF\n"])


@pytest.mark.prometheus
def test_a_counter_with_a_past_becomes_a_policy_whose_target_is_what_one_carried(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    server = prometheus_server(openmetrics=two_days(time.time()))
    words = ("--target", "compose/shop/web", "--current", "2")
    done = init(tmp_path, server.url, *words)
    assert done.returncode == 0, done.stderr
    policy = written(tmp_path, "web")
    assert policy.signals[0].asks == 'sum(rate(haproxy_backend_sessions_total{proxy="web"}[2m]))'  # scraped every 30 s
    assert policy.signals[0].per_replica == 50.0  # 100 on two, for an hour yesterday
    assert (policy.algorithm, policy.mode, policy.signals[0].served) == (Algorithm.ADAPTIVE, Mode.ACT, "answered")
    assert policy.replicas is not None
    assert (policy.replicas.min, policy.replicas.max) == (2, 4)
    assert "the most that one carried in the last 2d" in done.stdout
    assert "2 tests, all pass" in done.stdout
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("compose/default/shop/service/web")]
    assert "1 would be enough, the minimum is 2" in row

    before = (tmp_path / "policies" / "web.yaml").read_text()
    again = init(tmp_path, server.url, *words)
    assert again.returncode == 2
    assert "is there already, and init writes over nothing" in again.stderr
    assert (tmp_path / "policies" / "web.yaml").read_text() == before

    gauge = init(tmp_path, server.url, *words, "--metric", "http_requests_total", "--name", "other")
    assert gauge.returncode == 2
    assert "http_requests_total: left out, it fell" in gauge.stdout
    assert "has no request counter whose labels name compose/shop/web" in gauge.stderr
    assert "--metric cpu" in gauge.stderr


@pytest.mark.prometheus
def test_on_a_terminal_it_asks_and_takes_what_is_said(prometheus_server: PrometheusMaker, tmp_path: Path) -> None:
    server = prometheus_server(openmetrics=two_days(time.time()))
    screen, ours = pty.openpty()
    try:
        os.write(screen, b"25\n1\n9\n")
        done = init(tmp_path, server.url, "--target", "compose/shop/web", "--current", "2", stdin=ours)
    finally:
        os.close(screen)
        os.close(ours)
    assert done.returncode == 0, done.stderr
    policy = written(tmp_path, "web")
    assert "one replica should carry [50.0]:" in done.stdout
    assert policy.replicas is not None
    assert (policy.signals[0].per_replica, policy.replicas.min, policy.replicas.max) == (25.0, 1, 9)


@pytest.fixture
def stack(docker_engine: Engine, lab_images: LabImages) -> Iterator[Stack]:
    require("compose-v2", "wrk")
    made = Stack(Compose("v2", docker_engine), lab_images, fresh_name("first"))
    yield made
    made.down()


@pytest.mark.docker
def test_a_service_behind_haproxy_is_found_on_the_engine_with_its_count_and_its_counters(
    stack: Stack, tmp_path: Path
) -> None:
    stack.begin(2)
    names = [f"haproxy_backend_{each}_total" for each in ("sessions", "http_responses")]
    load = Wrk(stack.lb_url, connections=8, seconds=60)
    try:
        for name in names:
            moved = f'sum(increase({name}{{proxy="app"}}[30s])) > 200'
            until(lambda moved=moved: stack.query(moved), f"{name} is scraped under load", within=40.0)
        # Other tests have services of that name on this engine, and HAProxy's labels know no projects.
        words = ("--target", f"{stack.name}/app", "--metric", names[0], "--per-replica", "20", "--observe")
        done = init(tmp_path, stack.prometheus_url, *words, env={**ALONE, **stack.env})
    finally:
        load.stop()
    assert done.returncode == 0, done.stdout + done.stderr
    policy = written(tmp_path, "app")
    assert policy.target.compose is not None
    assert policy.target.compose.service == "app"
    assert "haproxy_backend_sessions_total" in policy.signals[0].asks
    assert (policy.algorithm, policy.mode) == (Algorithm.ADAPTIVE, Mode.OBSERVE)
    assert policy.replicas is not None
    assert policy.replicas.min == 2  # as there are two
    assert "2 tests, all pass" in done.stdout
    assert f"compose/default/{stack.name}/service/app" in done.stdout.splitlines()[-3]
    # Each request is one session of the backend, with connections that are kept: else it would be no load at all.
    both = [stack.query(f'sum({name}{{proxy="app"}})') for name in names]
    assert both[0] == pytest.approx(both[1], rel=0.05)
