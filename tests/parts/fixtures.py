"""The fixtures on real parts. Each requires its parts, starts them on free ports and stops what it started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parts.cache import locked
from tests.parts.compose import Compose, Project, Stack, fresh_name
from tests.parts.engine import Engine, open_engine
from tests.parts.gauges import GaugeServer
from tests.parts.images import LabImages
from tests.parts.images import lab_images as import_images
from tests.parts.kubernetes import ControlPlane
from tests.parts.namespace import network_of_our_own
from tests.parts.nginx import NginxMaker
from tests.parts.node_images import node_images
from tests.parts.prometheus import PrometheusMaker
from tests.parts.real_cluster import RealCluster
from tests.parts.require import lacking, require


class ComposeMaker:
    """What a test's compose projects have in common; all are down again after the test."""

    def __init__(self, compose: Compose, images: LabImages, folder: Path) -> None:
        self.compose = compose
        self.images = images
        self._folder = folder
        self._made: list[Project] = []

    def project(self, services: str | Path, name: str | None = None, *, env: dict[str, str] | None = None) -> Project:
        """A project from the text of a compose file or its path, not up yet."""
        name = name or fresh_name()
        if isinstance(services, str):
            file = self._folder / name / "docker-compose.yml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(services)
        else:
            file = services
        made = Project(self.compose, file, name, env={**self.images.env, **(env or {})})
        self._made.append(made)
        return made

    def stack(self, name: str | None = None, *, env: dict[str, str] | None = None) -> Stack:
        """The ready stack, not up yet; `env` sets SLOTS, WORK, DRAIN."""
        made = Stack(self.compose, self.images, name or fresh_name("stack"), env=env)
        self._made.append(made)
        return made

    def logs(self) -> dict[str, str]:
        """What the projects' containers said last."""
        return {name: text for project in self._made for name, text in project.logs().items()}

    def down(self) -> None:
        """Remove all that was made, the newest first."""
        while self._made:
            self._made.pop().down()


class ComposeProject(ComposeMaker):
    """Calling it makes a compose project."""

    __call__ = ComposeMaker.project


class ComposeStack(ComposeMaker):
    """Calling it makes the stack."""

    __call__ = ComposeMaker.stack


@pytest.fixture(scope="session")
def docker_engine() -> Iterator[Engine]:
    """A running Docker engine of the tests' own (or that of AUTOSCALER_TEST_DOCKER_HOST)."""
    require("docker")
    engine = open_engine()
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def lab_images(docker_engine: Engine) -> LabImages:
    """Images of the application, HAProxy and Prometheus on that engine."""
    require("busybox", "haproxy", "prometheus")
    return import_images(docker_engine)


@pytest.fixture
def compose(request: pytest.FixtureRequest, docker_engine: Engine) -> Compose:
    """Compose v2; `@pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)` asks for others."""
    version = getattr(request, "param", "v2")
    require(f"compose-{version}")
    return Compose(version, docker_engine)


@pytest.fixture
def compose_project(compose: Compose, lab_images: LabImages, tmp_path: Path) -> Iterator[ComposeProject]:
    """A maker of compose projects; APP_IMAGE, HAPROXY_IMAGE and PROMETHEUS_IMAGE are set in their environment."""
    maker = ComposeProject(compose, lab_images, tmp_path)
    yield maker
    maker.down()


@pytest.fixture
def compose_stack(compose: Compose, lab_images: LabImages, tmp_path: Path) -> Iterator[ComposeStack]:
    """A maker of the ready stack: application, HAProxy and Prometheus as one compose project."""
    maker = ComposeStack(compose, lab_images, tmp_path)
    yield maker
    maker.down()


@pytest.fixture
def prometheus_server(tmp_path: Path) -> Iterator[PrometheusMaker]:
    """A maker of Prometheus servers, with scrape targets, a configuration or recorded samples."""
    require("prometheus")
    maker = PrometheusMaker(tmp_path)
    yield maker
    maker.stop()


@pytest.fixture
def nginx_front(tmp_path: Path) -> Iterator[NginxMaker]:
    """A maker of doors before a server: TLS, client certificates, passwords and tokens, by nginx."""
    require("nginx")
    maker = NginxMaker(tmp_path)
    yield maker
    maker.stop()


@pytest.fixture
def gauge_server() -> Iterator[GaugeServer]:
    """Gauges for a Prometheus to scrape, set and dropped by the test."""
    server = GaugeServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A real Kubernetes control plane; tests take a namespace of their own on it."""
    require("kubernetes")
    running = ControlPlane(tmp_path_factory.mktemp("kubernetes"))
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def real_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealCluster]:
    """A control plane with a real node that has our images, in a network without a way out; so is the test itself."""
    require("docker", "kubernetes", "cni", "iproute2", "busybox", "image-base", "wheels", "metrics-server")
    if os.geteuid() != 0:
        lacking("a real node needs root")
    images = node_images()  # before: the engine is the machine's
    with locked("node"), network_of_our_own():
        running = RealCluster(tmp_path_factory.mktemp("node"), images)
        try:
            running.start()
            yield running
        finally:
            running.stop()
