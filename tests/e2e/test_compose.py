"""The main job on a real engine: load through HAProxy, requests in flight from a real Prometheus, seen from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.parts.compose import Stack
from tests.parts.fixtures import ComposeStack
from tests.support.load import SteadyLoad, Wrk, wrk
from tests.support.wait import never, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

POLICY = """
name: web
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: 1, max: 6}}
signals:
  - name: in flight
    prometheus: sum(http_requests_in_flight{{job="app"}})
    per_replica: 4
    max_age: 10s
behavior: {{down: {{stabilization: 5s}}}}
recycle: {{when: {{unhealthy_for: 2s}}}}
"""
CONNECTIONS = 24


@pytest.fixture
def stack(compose_stack: ComposeStack) -> Stack:
    """The application behind HAProxy with Prometheus, one replica."""
    running = compose_stack()
    running.begin(1)
    return running


@pytest.fixture
def daemon(stack: Stack, tmp_path: Path) -> Iterator[DaemonProcess]:
    process = DaemonProcess(
        tmp_path,
        POLICY.format(project=stack.name),
        prometheus={"url": stack.prometheus_url},
        docker={"host": stack.engine.host},
    )
    try:
        yield process
    finally:
        if process.alive:
            process.stop()
        print(process.text())


def ids(stack: Stack, *words: str) -> dict[str, str]:
    """Names and ids of the service's containers; all that exist with "--all"."""
    listed = stack.engine.docker(
        "ps",
        "--no-trunc",
        *words,
        "--filter",
        f"label=com.docker.compose.project={stack.name}",
        "--filter",
        "label=com.docker.compose.service=app",
        "--format",
        "{{.Names}} {{.ID}}",
    )
    return dict(line.split() for line in listed.splitlines())


def healthy(stack: Stack) -> int:
    """How many containers of the service the engine calls healthy."""
    return len(stack.containers("app", "--filter", "health=healthy"))


def settled(stack: Stack, count: int) -> bool:
    """True when exactly `count` containers exist in any state, numbered 1…count under their final names."""
    return sorted(ids(stack, "--all")) == sorted(f"{stack.name}-app-{n}" for n in range(1, count + 1))


def make_sick(stack: Stack, name: str) -> None:
    stack.engine.docker("exec", name, "wget", "-q", "-O", "-", "http://127.0.0.1:8000/sick")


def test_load_rises_and_falls_and_compose_finds_everything_up_to_date(stack: Stack, daemon: DaemonProcess) -> None:
    alone = wrk(stack.lb_url, connections=CONNECTIONS, seconds=5)
    daemon.start()
    load = Wrk(stack.lb_url, connections=CONNECTIONS, seconds=50)
    until(lambda: healthy(stack) >= 4, what="four healthy replicas", within=40)
    loaded = wrk(stack.lb_url, connections=CONNECTIONS, seconds=5)
    whole = load.result()
    peak = ids(stack)
    assert len(peak) >= 4, daemon.cli("explain", "web")
    assert (alone.failed, loaded.failed, whole.failed) == (0, 0, 0)
    assert loaded.rps + whole.rps > 1.8 * alone.rps, (alone.rps, loaded.rps, whole.rps)
    daemon.cli("pause", "web")
    stack.up("--scale", f"app={len(peak)}")
    assert ids(stack) == peak, "compose did not find everything up to date"
    daemon.cli("resume", "web")
    until(lambda: settled(stack, 1), what="back to one replica", within=120)
    lines = json.loads(daemon.cli("history", "web", "--format", "json"))["lines"]
    assert {"above_target", "paused", "resumed"} <= {line["reason"] for line in lines}
    assert daemon.stop() == 0
    stack.run("down", "--volumes")
    assert stack.leavings() == []


def test_prometheus_stopped_in_mid_load_does_not_shrink(stack: Stack, daemon: DaemonProcess) -> None:
    daemon.start()
    load = Wrk(stack.lb_url, connections=CONNECTIONS, seconds=45)
    until(lambda: stack.replicas() >= 4, what="four replicas", within=40)
    stack.run("stop", "prom")
    count = stack.replicas()
    load.result()
    never(lambda: stack.replicas() < count, what="a shrink without data", for_s=20)
    assert "signal_missing" in daemon.cli("explain", "web")
    stack.run("start", "prom")
    until(lambda: settled(stack, 1), what="back to one replica", within=120)


def test_killed_in_mid_scale_it_converges_without_duplicates(stack: Stack, daemon: DaemonProcess) -> None:
    daemon.start()
    load = Wrk(stack.lb_url, connections=CONNECTIONS, seconds=40)
    until(lambda: stack.replicas() >= 2, what="the first new replica", within=40, every=0.02)
    daemon.kill()
    daemon.start()
    until(lambda: healthy(stack) >= 4, what="four replicas after the restart", within=40)
    names = ids(stack, "--all")
    assert sorted(names) == sorted(f"{stack.name}-app-{n}" for n in range(1, len(names) + 1))
    assert len(names) <= 6
    load.result()
    until(lambda: settled(stack, 1), what="back to one replica", within=120)


def test_a_container_made_sick_under_load_is_replaced_without_a_failed_response(
    stack: Stack, daemon: DaemonProcess
) -> None:
    stack.up("--scale", "app=2")
    until(lambda: healthy(stack) == 2, what="two healthy replicas")
    daemon.policy_file.write_text(daemon.policy_file.read_text().replace("min: 1", "min: 2"))
    daemon.start()
    name, before = sorted(ids(stack).items())[0]
    with SteadyLoad(stack.lb_url, clients=6, every=0.02) as load:
        until(lambda: load.sent > 100, what="load flows")
        make_sick(stack, name)
        until(
            lambda: ids(stack, "--all").get(name, before) != before and settled(stack, 2) and healthy(stack) == 2,
            what=f"a new healthy container under the name {name}",
            within=60,
        )
        sent = load.sent
        until(lambda: load.sent > sent + 100, what="load flows on")
    assert not load.failed, load.statuses
    assert "unhealthy" in daemon.cli("history", "web")


@pytest.mark.parametrize("stage", ["begin", "connect", "start", "wait", "drain", "stop", "remove", "rename"])
def test_killed_at_a_stage_of_a_replacement_the_next_daemon_finishes_it(
    stack: Stack, daemon: DaemonProcess, stage: str
) -> None:
    ((name, before),) = ids(stack).items()
    daemon.start(kill_at=f"replace:{stage}")
    make_sick(stack, name)
    daemon.died()
    daemon.start()
    until(
        lambda: settled(stack, 1) and ids(stack).get(name, before) != before and healthy(stack) == 1,
        what=f"one healthy container {name}, a new one, and no trace of the old",
        within=90,
    )


def test_engine_away_and_back_and_a_container_removed_under_our_hands(stack: Stack, daemon: DaemonProcess) -> None:
    daemon.policy_file.write_text(daemon.policy_file.read_text().replace("min: 1", "min: 3"))
    daemon.start()
    until(lambda: healthy(stack) == 3, what="the minimum of three", within=60)
    stack.engine.docker("rm", "--force", f"{stack.name}-app-2")
    until(lambda: settled(stack, 3) and healthy(stack) == 3, what="three again", within=60)


def test_a_policy_broken_while_running_leaves_the_last_good_one_in_force(stack: Stack, daemon: DaemonProcess) -> None:
    daemon.start()
    good = daemon.policy_file.read_text()
    daemon.policy_file.write_text(good.replace("max: 6", "max: 0"))
    until(lambda: "do not load" in daemon.cli("status"), what="the broken policy is told")
    assert "replicas.max: expected a whole number" in daemon.cli("status")
    daemon.policy_file.write_text(good.replace("min: 1", "min: 2"))
    until(lambda: healthy(stack) == 2, what="the repaired policy is in force", within=60)
