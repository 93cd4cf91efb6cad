"""What the compose stories share: a small service on the real engine, and a front before the engine's socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lone import SERVICES, Lone
from tests.e2e.shop import shop as shop  # a fixture
from tests.parts.compose import Compose, Project, fresh_name
from tests.parts.engine import Engine
from tests.parts.images import LabImages
from tests.parts.require import require
from tests.support.front import Front


@pytest.fixture(scope="session")
def lone(docker_engine: Engine, lab_images: LabImages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lone]:
    """One project for many stories; `service` brings it to its beginning before each."""
    require("compose-v2")
    folder = tmp_path_factory.mktemp("lone")
    signs = folder / "signs"
    signs.mkdir()
    file = folder / "docker-compose.yml"
    file.write_text(SERVICES.format(signs=signs, more=""))
    made = Project(Compose("v2", docker_engine), file, fresh_name("lone"), env=lab_images.env)
    yield Lone(made, signs)
    made.down()


@pytest.fixture
def service(lone: Lone) -> Lone:
    """The service with one healthy container."""
    lone.begin(1)
    return lone


@pytest.fixture
def front(docker_engine: Engine, tmp_path: Path) -> Iterator[Front]:
    """The engine's socket in the test's hand."""
    front = Front(tmp_path / "engine.sock", docker_engine.host)
    front.start()
    yield front
    front.stop()
