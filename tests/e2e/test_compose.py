"""The main job on a real engine: load through HAProxy, requests in flight from a real Prometheus, seen from outside."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.e2e.lone import SERVICES, Service
from tests.parts.compose import PROJECT, Compose, Stack, fresh_name
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

    def others(self, *names: str) -> dict[str, str]:
        """What is not ours to touch, as it is: containers by these names and the rest of the project, and networks."""
        told = "{{.Id}} {{.Name}} {{.State.StartedAt}} {{.RestartCount}} {{.Image}} {{json .Mounts}}"
        listed = self.engine.docker(
            "ps", "--all", "--format", "{{.Names}}", "--filter", f"label={PROJECT}={self.project.name}"
        )
        around = [name for name in listed.splitlines() if name not in self.ids()]
        said = {name: self.engine.docker("inspect", "--format", told, name) for name in (*around, *names)}
        networks = self.engine.docker("network", "ls", "--no-trunc", "--filter", f"label={PROJECT}={self.project.name}")
        return {**said, "networks": networks}

    def oldest(self) -> str:
        """The name of the one that was made first."""
        return min(self.ids(), key=lambda name: self.engine.docker("inspect", "--format", "{{.Created}}", name))

    def ask(self, name: str, path: str) -> None:
        """One of the application's knobs, turned inside of a container; it may not live to answer."""
        self.engine.docker("exec", name, "wget", "-q", "-O", "-", f"http://127.0.0.1:8000{path}", check=False)

    def quiet(self) -> None:
        """No load any more."""
        while self._loads:
            self._loads.pop().stop()


@pytest.fixture(scope="module")
def stack(docker_engine: Engine, lab_images: LabImages) -> Iterator[Stack]:
    """One stack for all stories here: each begins with one copy."""
    require("compose-v2", "wrk")
    name = fresh_name("stack")
    docker_engine.docker("tag", lab_images.app, tag := f"{name}/app:latest")  # one of its own: it is moved
    made = Stack(Compose("v2", docker_engine), lab_images, name, env={"APP_IMAGE": tag})
    yield made
    made.down()
    docker_engine.docker("rmi", tag, check=False)


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


def sick(site: Site, name: str) -> None:
    site.ask(name, "/sick")


def kill_9(site: Site, name: str) -> None:
    process = site.engine.docker("inspect", "--format", "{{.State.Pid}}", name)
    assert site.ids()[name] in Path("/proc", process, "cgroup").read_text(), "the engine is not on this machine"
    os.kill(int(process), signal.SIGKILL)


def out_of_memory(site: Site, name: str) -> None:
    site.engine.docker("update", "--memory", "64m", "--memory-swap", "64m", name)
    site.ask(name, "/leak?mb=200")


def another_image(site: Site, name: str) -> None:
    site.engine.docker("commit", "--change", "ENV FRESH=yes", name, site.project.env["APP_IMAGE"])


def leak(site: Site, name: str) -> None:
    words = "for i in $(seq 60); do wget -q -O - 'http://127.0.0.1:8000/leak?mb=3'; sleep 0.3; done"
    site.engine.docker("exec", "--detach", name, "sh", "-c", words)


def nothing(site: Site, name: str) -> None:
    """Time is enough."""


KINDS = (
    ("has been unhealthy", "unhealthy_for: 1s", sick),
    ("was restarted", "restarts: {count: 1, per: 5m}", kill_9),
    ("of memory in 8s, steadily", "memory_growth: {percent: 50, per: 8s}", leak),
    ("ran out of memory", "oom_kills: {count: 1, per: 5m}", out_of_memory),
    ("tag means another", "image_changed: true", another_image),
    (" are allowed", "older_than: 6s", nothing),
)


def test_every_kind_of_replacement_under_load_goes_without_a_failed_response(site: Site, daemon: DaemonProcess) -> None:
    base = daemon.policy_file.read_text().replace("min: 1", "min: 2").partition("recycle:")[0]
    daemon.policy_file.write_text(base)
    daemon.start()
    until(lambda: site.settled(2), what="two healthy copies", within=60)
    image, stranger = site.project.env["APP_IMAGE"], f"{site.project.name}-stranger"
    site.engine.docker("run", "--detach", "--init", "--name", stranger, "--volume", "/kept", image)
    around = site.others(stranger)
    with SteadyLoad(site.url, clients=6, every=0.02, most=200_000) as load:
        until(lambda: load.sent > 100, what="load flows")
        for at, (words, when, break_it) in enumerate(KINDS):
            before, sent, began = site.ids(), load.sent, time.monotonic()
            daemon.policy_file.write_text(f"{base}recycle: {{when: {{{when}}}}}\n")
            name = site.oldest() if break_it is nothing else sorted(before)[at % 2]
            gone = set(before.values()) if break_it is another_image else {before[name]}
            break_it(site, name)
            until(
                lambda gone=gone: not gone & set(site.ids().values()) and site.settled(2),  # type: ignore[misc]
                what=f"{break_it.__name__}: a new one, well, in the place of each", within=60,
            )  # fmt: skip
            print(f"{break_it.__name__}: {time.monotonic() - began:.1f} s, {load.sent - sent} requests")
            daemon.policy_file.write_text(base)
            daemon.cli("resume", "web")  # so many replacements of one place in a row would wait longer and longer
            assert not load.failed, (break_it.__name__, load.statuses)
            assert words in daemon.text()
        sent = load.sent
        until(lambda: load.sent > sent + 100, what="load flows on")
    assert not load.failed, load.statuses
    assert daemon.stop() == 0
    assert site.others(stranger) == around, "something that is not ours was touched"
    site.engine.docker("rm", "--force", "--volumes", stranger)
    there = site.ids()
    told = site.project.up("--scale", "app=2")
    assert site.ids() == there, told


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
