"""Causes made to happen on a real engine: another image behind the tag, a crash loop, kill -9, no memory left, an old
one; and services of which two cannot run side by side, the daemon killed at every stage.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.e2e.lone import SERVICES, Lone
from tests.parts.compose import Compose, Project, fresh_name
from tests.parts.engine import Engine
from tests.parts.images import LabImages
from tests.parts.require import require
from tests.support.front import Front
from tests.support.wait import never, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

POLICY = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
lifecycle: {{ready_within: {ready_within}}}
recycle: {recycle}
"""
SICK = "{when: {unhealthy_for: 1s}}"
FIXED = "ports: ['127.0.0.1:{port}:80']\n    mem_limit: 64m"


@pytest.fixture(scope="session")
def fixed(docker_engine: Engine, lab_images: LabImages, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lone]:
    """The small service with a port on the host that only one container can have, and an image tag of its own."""
    require("compose-v2")
    folder = tmp_path_factory.mktemp("fixed")
    signs = folder / "signs"
    signs.mkdir()
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port = asked.getsockname()[1]
    file = folder / "docker-compose.yml"
    file.write_text(SERVICES.format(signs=signs, more=FIXED.format(port=port)))
    made = Project(Compose("v2", docker_engine), file, fresh_name("fixed"), env=lab_images.env)
    yield Lone(made, signs)
    made.down()


@pytest.fixture
def alone(fixed: Lone) -> Lone:
    fixed.begin(1)
    return fixed


def daemon(service: Lone, front: Front, folder: Path, recycle: str = SICK, ready: str = "60s") -> DaemonProcess:
    policy = POLICY.format(project=service.project.name, recycle=recycle, ready_within=ready)
    return DaemonProcess(folder, policy, docker={"host": front.host})


def told(service: Lone, format: str) -> str:
    ((name, _),) = service.ids().items()
    return service.engine.docker("inspect", "--format", format, name).strip()


def replaced(service: Lone, before: str) -> None:
    until(service.replaced(before), what=f"a new one in the place of {before[:12]}, and no trace", within=90)


@pytest.mark.parametrize("stage", ["begin", "stop", "make", "start", "wait", "remove", "rename"])
def test_killed_before_a_stage_of_stopping_first_the_next_daemon_finishes_it(
    alone: Lone, front: Front, tmp_path: Path, stage: str
) -> None:
    ((name, before),) = alone.ids().items()
    made = daemon(alone, front, tmp_path)
    try:
        made.start(kill_at=f"replace:{stage}")
        alone.make_sick(name)
        made.died()
        made.start()
        replaced(alone, before)
    finally:
        made.stop()
        print(made.text())


@pytest.mark.parametrize("stage", ["discard", "restore", "restart"])
def test_killed_on_its_way_back_the_old_one_runs_again_under_its_name(
    alone: Lone, front: Front, tmp_path: Path, stage: str
) -> None:
    there = alone.ids()
    (name,) = there
    made = daemon(alone, front, tmp_path, ready="3s")
    try:
        alone.broken()
        made.start(kill_at=f"replace:{stage}")
        alone.make_sick(name)
        made.died()
        made.start()
        until(
            lambda: alone.ids() == there and told(alone, "{{.State.Running}}") == "true", what="the old one", within=30
        )
        assert "the old container is back: not ready within 3 s" in made.cli("history", "app")
    finally:
        made.stop()
        print(made.text())


@pytest.mark.parametrize("stage", ["make", "wait"])
def test_without_the_memory_of_the_dead_one_the_names_tell_what_had_stopped_first(
    alone: Lone, front: Front, tmp_path: Path, stage: str
) -> None:
    (name,) = alone.ids()
    made = daemon(alone, front, tmp_path)
    try:
        made.start(kill_at=f"replace:{stage}")
        alone.make_sick(name)
        made.died()
        for each in (made.folder / "data").iterdir():
            each.unlink() if each.is_file() else None
        made.start()
        until(lambda: alone.settled(1), what="one that is well, under its name", within=60)
    finally:
        made.stop()
        print(made.text())


def test_another_image_behind_the_tag_brings_its_own_settings(service: Lone, front: Front, tmp_path: Path) -> None:
    ((_, before),) = service.ids().items()
    tag, made = told(service, "{{.Config.Image}}"), daemon(service, front, tmp_path, "{when: {image_changed: true}}")
    engine, old = service.engine, told(service, "{{.Image}}")
    engine.docker("create", "--name", "retag", tag)
    try:
        made.start()
        never(service.replaced(before), what="a replacement while the tag stays", for_s=2)
        engine.docker("commit", "--change", "ENV FRESH=yes", "--change", "LABEL fresh=yes", "retag", tag)
        replaced(service, before)
        new = engine.docker("image", "inspect", "--format", "{{.Id}}", tag).strip()
        assert told(service, "{{.Image}}") == new != old
        assert "FRESH=yes" in told(service, "{{json .Config.Env}}")
        assert json.loads(told(service, "{{json .Config.Labels}}"))["fresh"] == "yes"
    finally:
        made.stop()
        engine.docker("rm", "--force", "retag")
        engine.docker("tag", old, tag)
        service.remove(*service.ids())
        print(made.text())


def test_an_old_one_is_replaced_while_it_serves(service: Lone, front: Front, tmp_path: Path) -> None:
    ((_, before),) = service.ids().items()
    made = daemon(service, front, tmp_path, "{when: {older_than: 5s}, budget: {count: 1, per: 1h}}")
    try:
        made.start()
        replaced(service, before)
        now = service.ids()
        never(lambda: service.ids() != now, what="another within the budget's hour", for_s=8)
        assert "recycle_budget" in made.cli("explain", "app")
    finally:
        made.stop()
        print(made.text())


def test_restarts_by_the_engine_are_left_alone_until_there_are_too_many(
    service: Lone, front: Front, tmp_path: Path
) -> None:
    ((name, before),) = service.ids().items()
    made = daemon(service, front, tmp_path, "{when: {restarts: {count: 2, per: 5m}}}")
    kill = ("exec", name, "sh", "-c", "kill -TERM 1")
    try:
        made.start()
        service.engine.docker(*kill, check=False)  # may end with the container
        until(lambda: told(service, "{{.RestartCount}}") == "1", what="the engine restarted it", within=20)
        until(lambda: service.settled(1), what="well again", within=30)
        assert list(service.ids().values()) == [before]
        service.engine.docker(*kill, check=False)
        replaced(service, before)
    finally:
        made.stop()
        print(made.text())


def test_one_that_runs_out_of_memory_is_replaced(alone: Lone, front: Front, tmp_path: Path) -> None:
    ((name, before),) = alone.ids().items()
    made = daemon(alone, front, tmp_path, "{when: {oom_kills: {count: 1, per: 5m}}}")
    try:
        made.start()
        eat = "x=$(head -c 200000000 /dev/zero | tr '\\0' x)"
        alone.engine.docker("exec", name, "sh", "-c", eat, check=False)
        replaced(alone, before)
        assert "ran out of memory" in made.cli("history", "app")
    finally:
        made.stop()
        print(made.text())


def test_one_whose_memory_grows_and_grows_is_replaced(alone: Lone, front: Front, tmp_path: Path) -> None:
    ((name, before),) = alone.ids().items()
    made = daemon(alone, front, tmp_path, "{when: {memory_growth: {percent: 100, per: 16s}}}")
    try:
        made.start()
        leak = "x=; while :; do x=$x$(head -c 200000 /dev/zero | tr '\\0' x); sleep 0.3; done"
        alone.engine.docker("exec", "--detach", name, "sh", "-c", leak)
        replaced(alone, before)
        assert "of memory in 16s, steadily" in made.cli("history", "app")
    finally:
        made.stop()
        print(made.text())
