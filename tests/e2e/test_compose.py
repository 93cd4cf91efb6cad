"""The main job on a real engine: load through HAProxy, requests in flight from a real Prometheus, seen from outside."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.e2e.lone import SERVICES, Service
from tests.parts.compose import Compose, Stack, fresh_name
from tests.parts.engine import Engine
from tests.parts.fixtures import ComposeProject
from tests.parts.images import LabImages
from tests.parts.require import require
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
LONG_S = 120  # load that a test ends before


class Site(Service):
    """The application behind HAProxy with Prometheus, and load on it."""

    project: Stack

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack)
        self.url = stack.lb_url
        self._loads: list[Wrk] = []

    def begin(self) -> None:
        """One healthy copy, whatever was there before."""
        if any(name not in self.names(1) for name in self.ids()):
            self.remove(*self.ids())
        self.project.begin(1)

    def load(self) -> Wrk:
        """More than one copy can carry, until it is ended."""
        self._loads.append(Wrk(self.url, connections=CONNECTIONS, seconds=LONG_S))
        return self._loads[-1]

    def quiet(self) -> None:
        """No load any more."""
        while self._loads:
            self._loads.pop().stop()


@pytest.fixture(scope="module")
def stack(docker_engine: Engine, lab_images: LabImages) -> Iterator[Stack]:
    """One stack for all stories here: each begins with one copy."""
    require("compose-v2", "wrk")
    made = Stack(Compose("v2", docker_engine), lab_images, fresh_name("stack"))
    yield made
    made.down()


@pytest.fixture
def site(stack: Stack) -> Iterator[Site]:
    made = Site(stack)
    made.begin()
    yield made
    made.quiet()


@pytest.fixture
def daemon(site: Site, tmp_path: Path) -> Iterator[DaemonProcess]:
    process = DaemonProcess(
        tmp_path,
        POLICY.format(project=site.project.name),
        prometheus={"url": site.project.prometheus_url},
        docker={"host": site.engine.host},
    )
    try:
        yield process
    finally:
        if process.alive:
            process.stop()
        print(process.text())


def test_load_rises_and_falls_and_compose_finds_everything_up_to_date(site: Site, daemon: DaemonProcess) -> None:
    alone = wrk(site.url, connections=CONNECTIONS, seconds=4)
    daemon.start()
    load = site.load()
    until(lambda: site.healthy() >= 4, what="four healthy copies", within=60)
    climb = load.end()
    loaded = wrk(site.url, connections=CONNECTIONS, seconds=5)
    peak = site.ids()
    assert len(peak) >= 4, daemon.cli("explain", "web")
    assert (alone.failed, climb.failed, loaded.failed) == (0, 0, 0), f"{alone.output}{climb.output}{loaded.output}"
    assert loaded.rps > 2 * alone.rps, f"{loaded.output}{alone.output}"

    daemon.cli("pause", "web")
    peak = site.ids()
    site.project.up("--scale", f"app={len(peak)}")
    assert site.ids() == peak, "compose did not find everything up to date"
    daemon.cli("resume", "web")

    with SteadyLoad(site.url, clients=1) as light:
        until(lambda: site.settled(1), what="back to one copy", within=120)
    assert not light.failed, light.statuses
    lines = json.loads(daemon.cli("history", "web", "--format", "json"))["lines"]
    assert {"paused", "resumed", "applied"} <= {line["reason"] for line in lines}
    assert daemon.stop() == 0
    site.project.run("down", "--volumes")
    assert site.project.leavings() == []


def test_prometheus_stopped_in_mid_load_does_not_shrink(site: Site, daemon: DaemonProcess) -> None:
    daemon.start()
    load = site.load()
    until(lambda: site.project.replicas() >= 4, what="four copies", within=60)
    site.project.run("stop", "prom")
    until(lambda: daemon.workload()["missing"] == ["in flight"], what="the loss is told")
    count = site.project.replicas()
    load.end()
    never(lambda: site.project.replicas() < count, what="a shrink without data", for_s=15)
    told = daemon.cli("explain", "web")
    assert "in flight: no data" in told, told
    assert "cannot connect" in told, told
    site.project.run("start", "prom")
    until(lambda: site.settled(1), what="back to one copy", within=120)


def test_killed_in_mid_scale_it_converges_without_duplicates(site: Site, daemon: DaemonProcess) -> None:
    daemon.start()
    load = site.load()
    until(lambda: site.project.replicas() >= 2, what="the first new copy", within=60, every=0.02)
    daemon.kill()
    daemon.start()
    until(lambda: site.healthy() >= 4, what="four copies after the restart", within=60)
    names = list(site.ids())
    assert sorted(names) == site.names(len(names))
    assert len(names) <= 6
    load.end()
    until(lambda: site.settled(1), what="back to one copy", within=120)


def test_a_container_made_sick_under_load_is_replaced_without_a_failed_response(
    site: Site, daemon: DaemonProcess
) -> None:
    daemon.policy_file.write_text(daemon.policy_file.read_text().replace("min: 1", "min: 2"))
    daemon.start()
    until(lambda: site.settled(2), what="two healthy copies", within=60)
    name, before = sorted(site.ids().items())[0]
    with SteadyLoad(site.url, clients=6, every=0.02) as load:
        until(lambda: load.sent > 100, what="load flows")
        site.engine.docker("exec", name, "wget", "-q", "-O", "-", "http://127.0.0.1:8000/sick")
        until(site.replaced(before, 2), what=f"a new healthy container under the name {name}", within=90)
        sent = load.sent
        until(lambda: load.sent > sent + 100, what="load flows on")
    assert not load.failed, load.statuses
    assert "unhealthy" in daemon.cli("history", "web")


@pytest.mark.parametrize("compose", ["v1"], indirect=True)
def test_compose_v1_finds_everything_up_to_date_too(compose_project: ComposeProject, tmp_path: Path) -> None:
    (tmp_path / "signs").mkdir()
    service = Service(compose_project(SERVICES.format(signs=tmp_path / "signs", more="")))
    project = service.project
    project.up()
    policy = (
        f"name: app\ntarget: {{compose: {{project: {project.name}, service: app}}}}\nreplicas: {{min: 3, max: 3}}\n"
    )
    daemon = DaemonProcess(tmp_path, policy, docker={"host": project.engine.host}).start()
    try:
        names = sorted(f"{project.name}_app_{number}" for number in (1, 2, 3))
        until(lambda: service.healthy() == 3 and sorted(service.ids()) == names, what="three healthy ones", within=60)
        there = service.ids()
    finally:
        assert daemon.stop() == 0, daemon.text()
    told = project.up("--scale", "app=3")
    assert service.ids() == there, told
    assert "up-to-date" in told
    project.run("down", "--volumes")
    assert project.leavings() == []
