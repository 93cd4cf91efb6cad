"""`autoscaler dry-run` from a laptop: nothing but a Prometheus with a past. It foretells what a daemon would decide."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import prepare
from autoscaler.decide.step import step
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Seen
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState
from autoscaler.policy.load import load
from autoscaler.targets.naming import named
from tests.parts.process import free_port
from tests.parts.prometheus import PrometheusMaker, PrometheusServer

CYCLE_S = 15.0
QUERY = 'sum(load{job="web"})'
AGE = 'time() - max(timestamp(load{job="web"}))'
MAX_AGE_S = 45.0
POLICY = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 20}
signals:
  - name: load
    prometheus: sum(load{job="{service}"})
    per_replica: 10
    max_age: 45s
"""
LAPTOP = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def dry_run(folder: Path, server: str, *words: str, policy: str = POLICY) -> subprocess.CompletedProcess[str]:
    """The command in a folder that holds only the policy."""
    (folder / "policy.yaml").write_text(policy)
    return subprocess.run(
        [sys.executable, "-m", "autoscaler", "dry-run", "policy.yaml", *words],
        env={**LAPTOP, "AUTOSCALER_PROMETHEUS_URL": server, "AUTOSCALER_DATA": str(folder / "data")},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def recorded(load_at: Callable[[float], float | None]) -> str:
    """Twenty minutes of samples every 5 s; `load_at` is told how many seconds ago each was."""
    now = time.time()
    lines = ["# TYPE load gauge"]
    for ago in range(1200, 0, -5):
        value = load_at(float(ago))
        if value is not None:
            lines.append(f'load{{job="web"}} {value} {now - ago:.3f}')
    return "\n".join([*lines, "# EOF\n"])


def daemon_like(server: PrometheusServer, count: int, now: float) -> Decision:
    """The decision at `now` of a loop that has asked this server every cycle for fifteen minutes."""
    (policy,) = load([("policy.yaml", POLICY)], "r").policies
    plan = prepare(named(policy), policy)
    memories: dict[str, Memory] = {}
    decision: Decision | None = None
    for back in range(60, -1, -1):
        at = now - back * CYCLE_S
        value, age = server.value(QUERY, at), server.value(AGE, at)
        reading: Reading = Missing(MissingWhy.EMPTY)
        if value is not None and age is not None:
            reading = Missing(MissingWhy.STALE) if age > MAX_AGE_S else Series((Point(value),), age)
        state = TargetState(ref=plan.ref, desired=count, existing=count, ready=count, at=at)
        stepped = step([plan], [Seen(state=state, readings=(reading,))], memories, at, cycle_s=CYCLE_S)
        (decision,), memories = stepped.decisions, stepped.memories
    assert decision is not None
    return decision


def fell(seconds_ago: float) -> Callable[[float], float | None]:
    return lambda ago: 80.0 if ago > seconds_ago else 30.0


STORIES: dict[str, tuple[Callable[[float], float | None], int, str]] = {
    "rises": (lambda ago: 30.0 if ago > 60 else 60.0, 4, "above_target"),
    "rises beyond what is allowed at once": (lambda ago: 30.0 if ago > 60 else 200.0, 3, "rate_limited_up"),
    "fell lately": (fell(200), 8, "stabilized_down"),
    "fell long ago": (fell(500), 8, "below_target"),
    "is steady": (lambda ago: 41.0, 4, "within_tolerance"),
    "has a hole in the window": (lambda ago: None if 90 < ago < 360 else fell(380)(ago), 8, "reseeded"),
    "ended a minute ago": (lambda ago: None if ago < 90 else 30.0, 8, "no_opinion"),
    "began two minutes ago": (lambda ago: None if ago > 120 else 30.0, 8, "reseeded"),
    "was never": (lambda ago: 1.0 if ago > 1100 else None, 5, "no_opinion"),
}


@pytest.mark.prometheus
@pytest.mark.e2e
@pytest.mark.parametrize("story", list(STORIES))
def test_it_says_what_a_daemon_would_decide(prometheus_server: PrometheusMaker, tmp_path: Path, story: str) -> None:
    load_at, count, reason = STORIES[story]
    server = prometheus_server(openmetrics=recorded(load_at))
    done = dry_run(tmp_path, server.url, "--current", str(count), "--format", "json")
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)["workloads"]
    decided = daemon_like(server, count, told["decision"]["at"])
    assert (told["desired"], told["reason"]) == (decided.desired, decided.reason.value), told["lines"]
    assert told["reason"] == reason, told["lines"]
    assert told["current"] == count


@pytest.mark.prometheus
@pytest.mark.e2e
def test_it_prints_a_table_an_owner_can_read_and_leaves_nothing_behind(
    prometheus_server: PrometheusMaker, tmp_path: Path
) -> None:
    server = prometheus_server(openmetrics=recorded(lambda ago: 120.0))
    second = POLICY.replace("name: web", "name: api", 1).replace("service: web", "service: api") + "mode: observe\n"
    done = dry_run(tmp_path, server.url, "--current", "9", policy=f"{POLICY}---\n{second}")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].endswith("nothing is changed.")
    assert lines[1] == "1 of 2 workloads would change, in a cycle of 15s."
    assert lines[2] == f"Prometheus: {server.url}"
    assert lines[3] == "Memory: none; what was before is read from Prometheus"
    assert lines[4] == "No platform was asked: each workload is taken to have 9 ready instances."
    rows = [line.split(maxsplit=6) for line in lines if line.startswith("compose/")]
    assert rows[0][:6] == ["compose/default/shop/service/web", "web", "9", "→", "12", "above_target"]
    assert rows[0][6] == "load: load 120, 10 per replica, so it asks for 12"
    assert "[observe]" in lines[-1]
    assert "load: no data (empty: the query gives no series)" in lines[-1]
    assert sorted(each.name for each in tmp_path.iterdir() if each.name.startswith(("data", "pol"))) == ["policy.yaml"]

    steps = dry_run(tmp_path, server.url, "--current", "9", "--steps").stdout
    assert "  9 -> 12  above_target" in steps


@pytest.mark.prometheus
@pytest.mark.e2e
def test_a_bad_query_is_told_in_its_row_and_in_a_note(prometheus_server: PrometheusMaker, tmp_path: Path) -> None:
    server = prometheus_server(openmetrics=recorded(lambda ago: 30.0))
    bad = POLICY.replace('sum(load{job="{service}"})', "sum(load").replace("    max_age: 45s\n", "")
    done = dry_run(tmp_path, server.url, "--current", "9", policy=bad)
    assert done.returncode == 0, done.stderr
    assert "load: no data (failed: " in done.stdout
    assert "note: web, load: the past cannot be read: " in done.stdout
    assert done.stdout.count("unclosed left parenthesis") == 2
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.e2e
def test_a_prometheus_that_is_away_ends_it_with_one_sentence(tmp_path: Path) -> None:
    port = free_port()
    done = dry_run(tmp_path, f"http://ann:s3cret@127.0.0.1:{port}", "--current", "9")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        f"error: Prometheus does not answer: http://127.0.0.1:{port}: cannot connect: Connection refused",
        "  hint: set prometheus.url in the settings, or AUTOSCALER_PROMETHEUS_URL",
    ]


@pytest.mark.e2e
@pytest.mark.parametrize("words", [("--current", "-1"), ("--current", "many"), ("--format", "xml")])
def test_wrong_words_are_refused(tmp_path: Path, words: Sequence[str]) -> None:
    done: Any = dry_run(tmp_path, "http://127.0.0.1:1", *words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
