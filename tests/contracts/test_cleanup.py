"""A clean-up on a real engine: what it takes away is the project's own, counted from outside before and after."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clock import SystemClock
from autoscaler.loop.board import Board
from autoscaler.loop.cleaner import Cleaner, preview
from autoscaler.loop.keeper import Keeper
from autoscaler.model.policy import Cleanup, Orphans, PlacedCleanup, PolicySet
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.compose import ComposeTarget
from tests.parts.compose import Project
from tests.parts.engine import Engine
from tests.parts.fixtures import ComposeProject
from tests.support.front import Front, documented
from tests.support.wait import until

pytestmark = pytest.mark.docker

SERVICES = """
version: "2.4"
services:
  web:
    image: ${{APP_IMAGE}}
    entrypoint: [sleep, "600"]
    volumes: ["/cache"]
    init: true
    stop_grace_period: 1s
  job:
    image: ${{APP_IMAGE}}
    entrypoint: [sh, -c, "busybox head -c 100000 /dev/zero > /scratch/out"]
    volumes: ["/scratch", "kept:/kept", "{bind}:/bind"]
  held:
    image: ${{APP_IMAGE}}
    entrypoint: [sleep, "600"]
    restart: always
    init: true
volumes: {{kept: {{}}}}
"""


class Yard:
    """A project with rubbish of its own, and others' rubbish beside it."""

    def __init__(self, project: Project, front: Front) -> None:
        self.project = project
        self.docker = project.engine.docker
        self.front = front
        self.stranger = f"{project.name}stranger"
        self.images: list[str] = []

    def image(self, project: str, name: str = "") -> str:
        """A new image that compose built for a project, as its label says."""
        like = self.project.containers("web")[0]
        label = f"LABEL com.docker.compose.project={project}"
        made = self.docker("commit", "--change", label, like, *([name] if name else []))
        self.images.append(made)
        return made

    def volumes_of(self, name: str) -> list[str]:
        return self.docker(
            "inspect", "--format", '{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}', name
        ).split()

    def inventory(self) -> set[str]:
        containers = self.docker("ps", "--all", "--quiet", "--no-trunc").split()
        images = self.docker("images", "--all", "--quiet", "--no-trunc").split()
        return {*containers, *images, *self.docker("volume", "ls", "--quiet").split()}

    def deletions(self) -> list[str]:
        return [call for call in self.front.calls if not call.startswith("GET ")]

    def close(self) -> None:
        self.docker("rm", "--force", "--volumes", self.stranger, check=False)
        for each in self.images:
            self.docker("rmi", "--force", each, check=False)
        self.front.stop()


@pytest.fixture
def yard(compose_project: ComposeProject, docker_engine: Engine, tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "bind").mkdir()
    project = compose_project(SERVICES.format(bind=tmp_path / "bind"))
    project.up()
    front = Front(tmp_path / "engine.sock", docker_engine.host, documented())
    front.start()
    made = Yard(project, front)
    app = project.env["APP_IMAGE"]
    made.docker(
        "run", "--detach", "--name", made.stranger, "--volume", "/data", "--entrypoint", "sh", app, "-c", "true"
    )
    yield made
    made.close()


def cleaner_of(yard: Yard, store: MemoryStore) -> tuple[Cleaner, Board, ComposeTarget]:
    """A daemon's cleaner, as one that starts from this store."""
    clock = SystemClock()
    board, keeper = Board(), Keeper(store, [])
    target = ComposeTarget(DockerEngine(yard.front.host), clock)
    return Cleaner(lambda place: target.stockroom(), keeper, board, clock), board, target


def everything(project: str) -> Cleanup:
    return Cleanup(
        name="all", project=project, cron="0 3 * * *", exited_after=0.001, dangling_images=True, keep_images=1,
        orphan_volumes=Orphans.SEEN,
    )  # fmt: skip


async def test_only_what_is_the_projects_own_goes_and_a_restart_forgets_nothing(yard: Yard) -> None:
    project, docker = yard.project, yard.docker
    (web,), (job,) = project.containers("web"), project.containers("job", "--all")
    docker("stop", *project.containers("held"))
    lost = yard.volumes_of(web)
    scratch, kept = sorted(yard.volumes_of(job), key=lambda name: "kept" in name)
    foreign = yard.volumes_of(yard.stranger)
    dangling, theirs = yard.image(project.name), yard.image("other")
    old = yard.image(project.name, f"{project.name}/web:1")
    second = int(time.time())
    until(lambda: int(time.time()) > second, "a later image is newer: the engine tells whole seconds")
    newest = yard.image(project.name, f"{project.name}/web:2")
    cleanup, store = everything(project.name), MemoryStore()
    loaded = PolicySet("r1", cleanups=(PlacedCleanup(cleanup, "clean.yaml", 1),))

    first, _, target = cleaner_of(yard, store)
    first.follow(loaded)
    await first.look("default")
    await target.close()
    gone = docker("inspect", "--format", "{{.Id}}", job)
    docker("rm", "--force", web)  # without its volumes: as a compose that makes a container anew leaves them
    docker("rm", "--force", yard.stranger)

    again, board, target = cleaner_of(yard, store)
    again.restore(await store.facts())
    again.follow(loaded)
    before = await asyncio.to_thread(yard.inventory)
    told = await preview(cleanup, target.stockroom(), await store.facts(), SystemClock().now())
    assert yard.deletions() == []
    assert await asyncio.to_thread(yard.inventory) == before
    await again.sweep("all")
    after = await asyncio.to_thread(yard.inventory)
    await target.close()

    entry = board.cleanups["all"]
    assert not entry.trouble
    assert [each.trouble for each in entry.freed] == [""] * 4
    assert [each.item.id for each in entry.freed] == [each.id for each in told.goes]
    assert {gone, scratch, *lost, dangling, old} <= before - after
    assert sorted(call.partition("?")[0].rpartition("/")[2] for call in yard.deletions()) == sorted(
        [gone, *lost, dangling, old]
    ), "the engine was told to remove these, and nothing else"
    assert {kept, newest, theirs, *foreign} <= after
    assert [(each.name, each.why.value) for each in entry.sweep.stays] == [
        (project.containers("held", "--all")[0], "stopped_by_hand")
    ]
    assert sum(each.size for each in entry.freed) >= 100_000, "what the job wrote went with it"
    lines = await store.history(None, until=SystemClock().now(), limit=10)
    assert sorted(line.reason for line in lines) == ["dangling_image", "exited", "old_image", "orphan_volume"]
    assert board.freed["all"] == sum(each.size for each in entry.freed)


async def test_what_is_used_again_meanwhile_stays_and_is_told_as_refused(yard: Yard) -> None:
    cleanup = Cleanup(name="all", project=yard.project.name, cron="0 3 * * *", exited_after=0.001)
    cleaner, board, target = cleaner_of(yard, MemoryStore())
    cleaner.follow(PolicySet("r1", cleanups=(PlacedCleanup(cleanup, "clean.yaml", 1),)))
    (job,) = yard.project.containers("job", "--all")
    yard.docker("rm", job)
    again = ("run", "--detach", "--name", job, "--label", f"com.docker.compose.project={yard.project.name}")
    yard.docker(*again, "--entrypoint", "sh", yard.project.env["APP_IMAGE"], "-c", "test -e /on && exec sleep 60")
    yard.docker("wait", job)
    (Path(yard.front.path).parent / "on").touch()
    yard.docker("cp", str(Path(yard.front.path).parent / "on"), f"{job}:/on")
    yard.front.before("DELETE", lambda: yard.docker("start", job))
    await cleaner.sweep("all")
    await target.close()
    (one,) = board.cleanups["all"].freed
    assert "running" in one.trouble
    assert one.size == 0
    assert yard.docker("inspect", "--format", "{{.State.Running}}", job) == "true"
