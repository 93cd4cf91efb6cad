"""A service of compose at zero and back on a real engine: from what is remembered, and by the compose program."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clock import SystemClock
from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.policy import ComposeTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.targets.compose import ComposeTarget
from autoscaler.targets.naming import named
from tests.contracts.test_compose_twin import differences, inspected, shape
from tests.parts.compose import Project
from tests.parts.fixtures import ComposeProject
from tests.parts.images import LabImages
from tests.support.wait import auntil, until

pytestmark = pytest.mark.docker

BOTH = pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)
APPLIED, CONFLICT, REFUSED = OutcomeKind.APPLIED, OutcomeKind.CONFLICT, OutcomeKind.REFUSED

SERVICES = """
version: "2.4"
services:
  db:
    image: ${{APP_IMAGE}}
    entrypoint: [sleep, "600"]
    stop_grace_period: 1s
    init: true
    networks: [front]
  web:
    image: ${{WEB_IMAGE}}
    entrypoint: [sleep, "600"]
    environment: {{PASSWORD: "one of ours", ROUND: "${{ROUND:-1}}"}}
    networks: {{front: {{aliases: [shop]}}, back: {{}}}}
    volumes: ["kept:/kept", "/scratch"]
    stop_grace_period: 1s
    init: true
    {more}
networks: {{front: {{}}, back: {{}}}}
volumes: {{kept: {{}}}}
{top}
"""
INJECTED = 'secrets: [token]\n    configs: [{source: words, target: "/etc/shop/words"}]'
INJECTED_TOP = "secrets: {token: {environment: TOKEN}}\nconfigs: {words: {content: two words}}"


class Shop:
    """The project, a target on it, and another one at will."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project = project
        self.specs = folder / "specs"
        self.policy = Policy(name="web", target=TargetSpec(compose=Named(project=project.name, service="web")))
        self.ref: WorkloadRef = named(self.policy)
        self._made: list[ComposeTarget] = []
        self.target = self.another()

    def another(self) -> ComposeTarget:
        """The target of the next daemon: all it has are the files."""
        host = self.project.engine.host
        self.target = ComposeTarget(DockerEngine(host), SystemClock(), specs=self.specs, host=host)
        self.target.discover([self.policy])
        self._made.append(self.target)
        return self.target

    async def close(self) -> None:
        for each in self._made:
            await each.close()

    async def state(self) -> TargetState:
        (seen,) = await self.target.states([self.ref])
        assert isinstance(seen, TargetState), seen
        return seen

    async def scale(self, count: int, **more: Any) -> list[Outcome]:
        """An order, carried out."""
        now = time.time()
        before = (await self.state()).existing
        order = Operation(
            id=f"{time.monotonic_ns():012x}"[-12:], kind=OperationKind.SCALE, ref=self.ref, started=now,
            deadline=now + 60.0, before=before, count=count, stop_within_s=1.0, **more,
        )  # fmt: skip
        return await self.drive(order)

    async def drive(self, following: Operation) -> list[Outcome]:
        while True:
            await asyncio.sleep(max(0.0, following.wait_until - time.time()))
            after: Advanced = await self.target.advance(following)
            if isinstance(after, Outcome):
                return [after]
            if isinstance(after, Split):
                ends = await asyncio.gather(*map(self.drive, after.parts))
                return [end for each in ends for end in each]
            following = after

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """With the engine's events."""
        heard = asyncio.Event()

        async def listen() -> None:
            async for _ in self.target.wakes():
                heard.set()

        task = asyncio.create_task(listen())
        try:
            await asyncio.wait_for(heard.wait(), 20.0)
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def changed(self, count: int) -> TargetState:
        """Wait until the target counts so many."""

        async def stands() -> TargetState | None:
            seen = await self.state()
            return seen if seen.existing == count else None

        return await auntil(stands, f"{count} counted", within=30.0)  # type: ignore[return-value]


@pytest.fixture
async def shop(compose_project: ComposeProject, lab_images: LabImages, tmp_path: Path) -> AsyncIterator[Shop]:
    env = {"TOKEN": "secret word", "WEB_IMAGE": lab_images.app}
    made = Shop(compose_project(SERVICES.format(more="", top=""), env=env), tmp_path)
    yield made
    await made.close()


def kinds(ends: list[Outcome]) -> set[OutcomeKind]:
    return {each.kind for each in ends}


def rewrite(shop: Shop, more: str, top: str = "") -> None:
    shop.project.file.write_text(SERVICES.format(more=more, top=top))


def kept(shop: Shop) -> Path:
    (file,) = shop.specs.glob("*/web/*.json")
    return file


@BOTH
async def test_to_zero_and_back_by_the_next_daemon_and_compose_finds_everything_up_to_date(shop: Shop) -> None:
    v2 = shop.project.compose.version == "v2"
    if v2:
        rewrite(shop, INJECTED, INJECTED_TOP)
    shop.project.up("--scale", "web=2")
    first, *_ = inspected(shop.project)
    assert kinds(await shop.scale(0)) == {APPLIED}
    assert (await shop.state()).existing == 0
    assert shop.project.containers("web", "--all") == []
    assert kept(shop).stat().st_mode & 0o777 == 0o600
    assert kept(shop).parent.stat().st_mode & 0o077 == 0
    shop.another()
    ends = await shop.scale(2)
    assert kinds(ends) == {APPLIED}, ends
    assert "made as remembered from" in ends[0].detail
    made = inspected(shop.project)
    assert [differences(shape(each), shape(first)) for each in made] == [{}, {}]
    if v2:
        for each in made:
            words = ("exec", each["Name"].lstrip("/"), "cat", "/run/secrets/token", "/etc/shop/words")
            assert shop.project.engine.docker(*words) == "secret wordtwo words"
    there = {each["Name"]: each["Id"] for each in made}
    shop.project.up("--scale", "web=2")
    assert {each["Name"]: each["Id"] for each in inspected(shop.project)} == there, "compose found something to do"


async def test_a_clone_has_what_compose_had_copied_into_the_other_and_it_is_told(shop: Shop) -> None:
    rewrite(shop, INJECTED, INJECTED_TOP)
    shop.project.up()
    (end,) = await shop.scale(2)
    assert end.kind is APPLIED
    assert "/run/secrets" in end.detail
    assert "/etc/shop/words" in end.detail
    clone = inspected(shop.project)[1]["Name"].lstrip("/")
    told = shop.project.engine.docker("exec", clone, "cat", "/run/secrets/token", "/etc/shop/words")
    assert told == "secret wordtwo words"


async def test_networks_that_were_made_again_are_found_by_their_names(shop: Shop) -> None:
    shop.project.up()
    assert kinds(await shop.scale(0)) == {APPLIED}
    shop.project.run("down", "--timeout", "1")
    (refused,) = await shop.scale(1)
    assert refused.kind is REFUSED
    assert refused.detail.endswith("is not there: the project was taken down")
    shop.project.up("--scale", "web=0")
    (end,) = await shop.scale(1)
    assert end.kind is APPLIED, end
    (made,) = inspected(shop.project)
    networks = shop.project.engine.docker("network", "ls", "--no-trunc", "--format", "{{.ID}}").split()
    assert {each["NetworkID"] for each in made["NetworkSettings"]["Networks"].values()} <= set(networks)


async def test_of_two_networks_of_one_name_it_is_the_projects_own(shop: Shop) -> None:
    shop.project.up()
    assert kinds(await shop.scale(0)) == {APPLIED}
    name = f"{shop.project.name}_front"
    docker = shop.project.engine.docker
    (own,) = docker("network", "ls", "--no-trunc", "--quiet", "--filter", f"name={name}").split()
    label = f"--label=com.docker.compose.project={shop.project.name}"  # so that it goes with the project; then it is
    other = docker("network", "create", name, check=False)  # refused by engines that allow each name only once
    try:
        (end,) = await shop.scale(1)
        assert end.kind is APPLIED, (end, label)
        (made,) = inspected(shop.project)
        assert own in {each["NetworkID"] for each in made["NetworkSettings"]["Networks"].values()}
    finally:
        if other:
            docker("network", "rm", other, check=False)


async def test_once_the_tag_has_moved_it_is_the_image_that_was_and_the_tag_is_kept_in_a_label(shop: Shop) -> None:
    docker, app = shop.project.engine.docker, shop.project.env["APP_IMAGE"]
    tag = f"{shop.project.name}:latest"
    docker("tag", app, tag)
    shop.project.env["WEB_IMAGE"] = tag
    try:
        shop.project.up()
        (before,) = inspected(shop.project)
        assert kinds(await shop.scale(0)) == {APPLIED}
        docker("tag", shop.project.env["HAPROXY_IMAGE"], tag)
        assert kinds(await shop.scale(1)) == {APPLIED}
        (made,) = inspected(shop.project)
        assert made["Image"] == before["Image"]
        assert made["Config"]["Labels"]["io.autoscaler.image"] == tag
        docker("tag", app, tag)
        assert kinds(await shop.scale(2)) == {APPLIED}
        again = inspected(shop.project)[1]
        assert again["Config"]["Image"] == tag
        assert "io.autoscaler.image" not in again["Config"]["Labels"]
    finally:
        docker("rmi", tag, check=False)


async def test_a_file_that_was_changed_since_is_told(shop: Shop) -> None:
    shop.project.up()
    assert kinds(await shop.scale(0)) == {APPLIED}
    later = time.time() + 5
    os.utime(shop.project.file, (later, later))
    (end,) = await shop.scale(1)
    assert end.detail.endswith("the compose file was changed since")


async def test_what_only_one_container_can_have_comes_back_from_zero_and_never_twice(shop: Shop) -> None:
    rewrite(shop, f"container_name: {shop.project.name}-alone")
    shop.project.up()
    assert kinds(await shop.scale(0)) == {APPLIED}
    (end, refused) = await shop.scale(2)
    assert (end.kind, refused.kind) == (APPLIED, REFUSED)
    assert "container_name" in refused.detail
    assert [each["Name"] for each in inspected(shop.project)] == [f"/{shop.project.name}-alone"]


# the compose program


@pytest.fixture
def program(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The project's own compose on PATH, and only that one."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker-compose").symlink_to(shop.project.compose.program)
    python = Path(shutil.which("python3", path="/usr/bin") or "/usr/bin/python3")
    (folder / "python3").symlink_to(python)
    monkeypatch.setenv("PATH", str(folder))
    for name, value in shop.project.env.items():
        monkeypatch.setenv(name, value) if name != "PATH" else None


@BOTH
@pytest.mark.usefixtures("program")
async def test_with_nothing_to_be_like_and_nothing_remembered_the_compose_program_makes_it(shop: Shop) -> None:
    shop.project.up("--scale", "web=0")
    db = shop.project.containers("db")
    async with shop.listening():
        (end,) = await shop.scale(2)
        assert end.kind is APPLIED, end
        assert "made by the compose program: there is no container left to make another one like" in end.detail
        assert "the daemon's environment" in end.detail
        stands = await shop.changed(2)
        assert [each.name for each in stands.instances] == sorted(shop.project.containers("web"))
        assert shop.project.containers("db") == db
        assert not [at for at in (shop.target._hands.changed.get((shop.project.name, "web")),) if at], "it is our doing"


@pytest.mark.usefixtures("program")
async def test_hooks_in_the_file_are_composes_own_business(shop: Shop) -> None:
    shop.project.up("--scale", "web=2")
    rewrite(shop, "post_start: [{command: [sleep, '0']}]\n    pre_stop: [{command: [sleep, '0']}]")
    (grown,) = await shop.scale(3)
    assert grown.kind is APPLIED
    assert "made by the compose program: its compose file has post_start and pre_stop" in grown.detail
    assert len(shop.project.containers("web")) == 3
    (shrunk,) = await shop.scale(1)
    assert shrunk.kind is REFUSED
    assert "pre_stop, which only compose itself runs" in shrunk.detail
    id = inspected(shop.project)[0]["Id"]
    now = time.time()
    replace = Operation(
        id="op", kind=OperationKind.REPLACE, ref=shop.ref, started=now, deadline=now + 60, instance=id
    )  # fmt: skip
    (replaced,) = await shop.drive(replace)
    assert replaced.kind is REFUSED
    assert "post_start and pre_stop, which only compose itself runs" in replaced.detail


async def test_without_a_sibling_a_memory_and_a_file_nothing_is_made_and_one_sentence_says_why(shop: Shop) -> None:
    shop.project.up("--scale", "web=0")
    shop.project.file.rename(shop.project.file.with_name("gone"))
    try:
        (end,) = await shop.scale(1)
    finally:
        shop.project.file.with_name("gone").rename(shop.project.file)
    assert end.kind is REFUSED
    assert end.detail == (
        "there is no container left to make another one like, and none is remembered; "
        "the project's compose file cannot be read here"
    )


async def test_without_a_compose_program_that_is_told(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.project.up("--scale", "web=0")
    monkeypatch.setenv("PATH", str(tmp_path))
    (end,) = await shop.scale(1)
    assert end.kind is REFUSED
    assert end.detail == "docker compose (2 or newer) is not on the daemon's PATH"


# what cannot be, on the engine


@BOTH
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("network_mode: 'service:db'", "it uses another container's network"),
        ("networks: {front: {ipv4_address: 10.231.250.9}}", "address 10.231.250.9 on network"),
    ],
)
async def test_what_the_engine_would_only_refuse_at_the_start_is_refused_with_its_reason(
    shop: Shop, more: str, why: str
) -> None:
    text = SERVICES.format(more=more, top="").replace("    networks: {front: {aliases: [shop]}, back: {}}\n", "")
    subnet = "front: {ipam: {config: [{subnet: 10.231.250.0/24}]}}"
    shop.project.file.write_text(text.replace("networks: {front: {}, back: {}}", f"networks: {{{subnet}, back: {{}}}}"))
    shop.project.up()
    (end,) = await shop.scale(2)
    assert end.kind is REFUSED
    assert end.detail.startswith(f"the service cannot have another container: {why}")
    assert len(shop.project.containers("web", "--all")) == 1


async def test_one_in_whose_network_another_lives_is_not_removed(shop: Shop) -> None:
    text = SERVICES.format(more="", top="").replace("networks: [front]\n", "network_mode: 'service:web'\n")
    shop.project.file.write_text(text)
    shop.project.up()
    (web,) = inspected(shop.project)
    assert kinds(await shop.scale(2)) == {APPLIED}
    assert kinds(await shop.scale(1)) == {APPLIED}
    assert [each["Id"] for each in inspected(shop.project)] == [web["Id"]]
    (end,) = await shop.scale(0)
    assert end.kind is REFUSED
    assert "would lose its network with" in end.detail


@BOTH
async def test_links_to_containers_of_nobodys_project_are_kept(shop: Shop) -> None:
    docker, name = shop.project.engine.docker, f"{shop.project.name}-outside"
    rewrite(shop, f'external_links: ["{name}:cache"]')
    shop.project.up("--scale", "web=0")
    image = shop.project.env["APP_IMAGE"]
    run = ("run", "--detach", "--init", "--name", name, "--network", f"{shop.project.name}_front")
    docker(*run, "--entrypoint", "sleep", image, "600")
    try:
        shop.project.up()
        assert kinds(await shop.scale(2)) == {APPLIED}
        first, clone = inspected(shop.project)
        assert differences(shape(clone), shape(first)) == {}
        told = docker("exec", clone["Name"].lstrip("/"), "nslookup", "cache")
        address = json.loads(docker("inspect", name))[0]["NetworkSettings"]["Networks"]
        assert next(iter(address.values()))["IPAddress"] in told
    finally:
        docker("rm", "--force", name)


# other hands


async def test_what_other_hands_did_is_known_with_its_time_and_what_we_did_is_not(shop: Shop) -> None:
    shop.project.up("--scale", "web=2")
    async with shop.listening():
        made = (await shop.state()).foreign_at
        assert made is not None
        assert time.time() - made < 60, "they were made by compose just now"
        assert kinds(await shop.scale(0)) == {APPLIED}
        assert (await shop.state()).foreign_at == pytest.approx(made, abs=1.0)
        began = time.time()
        shop.project.engine.docker("rm", "--force", *shop.project.containers("db"))

        async def told() -> bool:
            return ((await shop.state()).foreign_at or 0.0) >= began

        await auntil(told, "a container of the project was taken away by somebody")
        shop.another()
    async with shop.listening():
        await auntil(told, "the next daemon knows it from the engine's memory")


async def test_a_project_taken_down_while_nobody_listened_is_known_by_its_networks(shop: Shop) -> None:
    shop.project.up()
    assert kinds(await shop.scale(0)) == {APPLIED}
    began = time.time()
    shop.project.run("down", "--timeout", "1")
    shop.another()
    assert ((await shop.state()).foreign_at or 0.0) >= began


async def test_nothing_is_made_while_somebody_takes_the_project_down(shop: Shop) -> None:
    deaf = '[sh, -c, "trap : TERM; sleep 600; sleep 600"]'
    slow = SERVICES.format(more="", top="").replace('[sleep, "600"]', deaf)
    shop.project.file.write_text(slow.replace("stop_grace_period: 1s", "stop_grace_period: 4s"))
    shop.project.up("--scale", "web=3")
    async with shop.listening():
        await asyncio.sleep(2.1)  # they were made just now, which is a reason to wait as well
        down = asyncio.create_task(asyncio.to_thread(shop.project.run, "down"))
        key = shop.project.name, "web"
        await auntil(lambda: shop.target._hands.busy(key, time.time()), "they were told to end")
        assert (await shop.state()).existing == 3, "they have not ended yet"
        (end,) = await shop.scale(4)
        assert end.kind is CONFLICT, end
        assert "took all its containers away" in end.detail
        await down
    until(lambda: not [each for each in shop.project.leavings() if "volume" not in each], what="nothing is left")
