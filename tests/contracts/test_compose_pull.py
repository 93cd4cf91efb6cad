"""Images pulled from a real registry by a real engine: a tag that means another image by then, and a registry away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.model.policy import Recycle, When
from tests.contracts.test_compose_zero import SERVICES, Shop
from tests.parts.catalogue import program
from tests.parts.compose import fresh_name
from tests.parts.fixtures import ComposeProject
from tests.parts.process import Process, free_port
from tests.parts.require import require
from tests.support.wait import until

pytestmark = pytest.mark.docker

CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {folder}/images}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


class Registry:
    """Images on this machine's loopback, in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        config = folder / "registry.yml"
        config.write_text(CONFIG.format(folder=folder, port=self.port))
        self.process = Process("registry", [program("docker-registry"), "serve", config], log=folder / "registry.log")

    def start(self) -> None:
        self.process.start()
        until(self._listens, f"the registry listens on {self.port}")

    def _listens(self) -> bool:
        self.process.check()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    require("registry")
    made = Registry(tmp_path)
    made.start()
    yield made
    made.process.stop()


async def test_a_pull_moves_the_tag_and_one_that_fails_says_why_and_changes_nothing(
    compose_project: ComposeProject, registry: Registry, tmp_path: Path
) -> None:
    tag = f"127.0.0.1:{registry.port}/{fresh_name()}:stable"
    project = compose_project(SERVICES.format(more="", top=""))
    docker, project.env["WEB_IMAGE"] = project.engine.docker, tag
    docker("tag", project.env["APP_IMAGE"], tag)
    docker("push", "--quiet", tag)
    project.up()
    shop = Shop(project, tmp_path)
    when = Recycle(when=When(image_changed=True))
    shop.target.discover([type(shop.policy)(name="web", target=shop.policy.target, recycle=when)])
    try:
        assert await shop.target.pull(shop.ref) == ([], [])
        assert not (await shop.state()).instances[0].newer_image

        (web,) = project.containers("web")
        docker("commit", "--change", "ENV FRESH=yes", web, tag)  # somebody else builds and pushes
        new = docker("image", "inspect", "--format", "{{.Id}}", tag)
        docker("push", "--quiet", tag)
        docker("tag", project.env["APP_IMAGE"], tag)
        docker("rmi", new)
        assert await shop.target.pull(shop.ref) == ([tag], [])
        (seen,) = (await shop.state()).instances
        assert seen.newer_image == docker("image", "inspect", "--format", "{{.Id}}", tag)

        registry.process.stop()
        newer, (why,) = await shop.target.pull(shop.ref)
        assert newer == []
        assert why.startswith(f"{tag} cannot be pulled: ")
        assert "connection refused" in why
    finally:
        await shop.close()
        docker("rm", "--force", "--volumes", *project.containers("web"))
        docker("rmi", "--force", tag, check=False)
