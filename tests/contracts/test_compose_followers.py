"""Containers that live in another one's network follow it, on a real engine: none keeps a network that is gone."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from tests.contracts.test_compose_zero import Shop
from tests.parts.compose import Project
from tests.parts.fixtures import ComposeProject
from tests.support.wait import until

pytestmark = pytest.mark.docker

# `side` is healthy as long as the network it lives in has an interface besides the loopback; `job` has done its work.
SERVICES = """
version: "2.4"
services:
  web:
    image: ${{APP_IMAGE}}
    entrypoint: [sh, -c, "[ -e /flags/hold ] && sleep 600; : > /tmp/well; exec sleep 600"]
    healthcheck: {{test: [CMD, sh, -c, "[ -e /tmp/well ]"], interval: 300ms, retries: 1}}
    volumes: ["{flags}:/flags:ro"]
    stop_grace_period: 1s
    init: true
    {more}
  side:
    image: ${{APP_IMAGE}}
    entrypoint: [sleep, "600"]
    network_mode: service:web
    healthcheck: {{test: [CMD, sh, -c, "[ -e /sys/class/net/eth0 ]"], interval: 300ms, retries: 2}}
    stop_grace_period: 1s
    init: true
  job:
    image: ${{APP_IMAGE}}
    entrypoint: [sh, -c, "exit 0"]
    network_mode: service:web
"""
SURGE = ("join", "quit", "settle")
FIRST = ("make", "join", "settle")


class Family:
    """The service web, who lives in its network, and replacements of it."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.shop = Shop(project, folder)
        self.project = project
        self.flags = folder / "flags"

    def begin(self) -> None:
        """All are there and healthy; the job has ended."""
        self.project.up()
        until(lambda: self.healthy() == 2, what="both are healthy", within=30)

    def healthy(self) -> int:
        """How many are healthy, by the engine."""
        return sum(len(self.project.containers(each, "--filter", "health=healthy")) for each in ("web", "side"))

    def ids(self) -> dict[str, str]:
        """Every container of the project: its name and id."""
        said = self.project.engine.docker(
            "ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}",
            "--filter", f"label=com.docker.compose.project={self.project.name}",
        )  # fmt: skip
        return dict(line.split() for line in said.splitlines())

    def one(self, service: str) -> str:
        """The id of a service's only container."""
        (name,) = self.project.containers(service, "--all")
        return self.ids()[name]

    def told(self, id: str, format: str) -> str:
        return self.project.engine.docker("inspect", "--format", format, id)

    def operation(self, **more: Any) -> Operation:
        now = time.time()
        return Operation(
            id=f"{time.monotonic_ns():012x}"[-12:], kind=OperationKind.REPLACE, ref=self.shop.ref, started=now,
            deadline=now + 60.0, instance=self.one("web"), stop_within_s=1.0, unless_ready=False, **more,
        )  # fmt: skip

    async def twice(self, operation: Operation) -> Outcome:
        """Carry it out, each call made twice from the same stage: the answer to the first one was lost."""
        while True:
            await asyncio.sleep(max(0.0, operation.wait_until - time.time()))
            await self.shop.target.advance(operation)
            after = await self.shop.target.advance(operation)
            if isinstance(after, Outcome):
                return after
            assert isinstance(after, Operation), after
            operation = after

    async def until_stage(self, operation: Operation, stage: str) -> Operation:
        """Carry it out up to this stage, which is not done any more."""
        while operation.stage != stage:
            await asyncio.sleep(max(0.0, operation.wait_until - time.time()))
            after = await self.shop.target.advance(operation)
            assert isinstance(after, Operation), after
            operation = after
        return operation

    def together(self, before: dict[str, str], *, replaced: bool = True) -> None:
        """All have their names, side runs healthy in the network of web, and the job is there and did not run again."""
        until(lambda: self.healthy() == 2, what="both are healthy", within=20)
        there = self.ids()
        assert sorted(there) == sorted(before)
        web = self.one("web")
        assert self.told(self.one("side"), "{{.HostConfig.NetworkMode}}") == f"container:{web}"
        assert self.told(self.one("job"), "{{.HostConfig.NetworkMode}}") == f"container:{web}"
        assert self.told(self.one("job"), "{{.State.Running}}") == "false"
        assert (web not in before.values()) is replaced


@pytest.fixture
def more() -> str:
    return ""


@pytest.fixture
async def family(compose_project: ComposeProject, tmp_path: Path, more: str) -> AsyncIterator[Family]:
    (tmp_path / "flags").mkdir()
    made = Family(compose_project(SERVICES.format(flags=tmp_path / "flags", more=more)), tmp_path)
    made.begin()
    yield made
    await made.shop.close()


def fixed() -> str:
    """A port on the host: two cannot run side by side."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return f"ports: ['127.0.0.1:{asked.getsockname()[1]}:80']"


@pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)
async def test_they_follow_into_the_new_ones_network_with_every_call_made_twice(family: Family) -> None:
    before = family.ids()
    assert (await family.twice(family.operation())).kind is OutcomeKind.APPLIED
    family.together(before)
    there = family.ids()
    said = family.project.up("--no-deps", "web", "side")
    changed = {name for name, id in family.ids().items() if there[name] != id}
    # The hash that compose v2 keeps of what lives in another's network holds that one's id: it makes it anew, as it
    # does after its own replacement of the other one.
    assert changed == ({f"{family.project.name}-side-1"} if family.project.compose.version == "v2" else set()), said


@pytest.mark.parametrize(("more", "stages"), [("", SURGE), (fixed(), FIRST)], ids=["surge", "stop first"])
async def test_without_the_memory_of_a_dead_daemon_names_and_labels_tell_who_follows(
    family: Family, stages: tuple[str, ...]
) -> None:
    for stage in stages:
        before = family.ids()
        await family.until_stage(family.operation(), stage)
        target = family.shop.another()
        await family.shop.state()
        (left,) = await target.leftovers([family.shop.ref])
        (end,) = await family.shop.drive(left)
        # The old one is well here: without memory that is reason enough to keep it, as long as that can be.
        back = (stage, stages) in (("join", SURGE), ("make", FIRST))
        assert end.kind is (OutcomeKind.CONFLICT if back else OutcomeKind.APPLIED), (stage, end)
        family.together(before, replaced=end.kind is OutcomeKind.APPLIED)


@pytest.mark.parametrize("more", ["", fixed()], ids=["surge", "stop first"])
async def test_where_the_new_one_never_is_ready_all_are_as_they_were(family: Family) -> None:
    before = family.ids()
    (family.flags / "hold").touch()
    (end,) = await family.shop.drive(family.operation(ready_within_s=1.0))
    assert end.kind is OutcomeKind.FAILED, end
    (family.flags / "hold").unlink()
    assert family.ids() == before
    family.together(before, replaced=False)


async def test_one_that_compose_did_not_make_cannot_follow_and_nothing_is_replaced(family: Family) -> None:
    before, web = family.ids(), family.one("web")
    docker, name = family.project.engine.docker, f"{family.project.name}-guest"
    image = family.project.env["APP_IMAGE"]
    docker("run", "--detach", "--init", "--name", name, "--network", f"container:{web}", image, "sleep", "600")
    try:
        (end,) = await family.shop.drive(family.operation())
    finally:
        docker("rm", "--force", "--volumes", name)
    assert end.kind is OutcomeKind.REFUSED
    assert end.detail == f"{name} would lose its network (network_mode), and compose did not make it"
    assert family.ids() == before


async def test_one_that_is_replaced_itself_and_the_one_it_lives_in_wait_for_each_other(family: Family) -> None:
    before, host = family.ids(), family.operation()
    side = msgspec.structs.replace(
        host, id="of-side", ref=msgspec.structs.replace(host.ref, name="side"), instance=family.one("side")
    )
    under_way = await family.until_stage(side, "stop")
    waits = await family.shop.target.advance(host)
    assert isinstance(waits, Operation)
    assert waits.stage == "begin"
    ends = await asyncio.gather(family.shop.drive(under_way), family.shop.drive(waits))
    assert [each.kind for (each,) in ends] == [OutcomeKind.APPLIED, OutcomeKind.APPLIED], ends
    family.together(before)

    under_way = await family.until_stage(family.operation(), "start")
    side = msgspec.structs.replace(side, id="again", instance=family.one("side"))
    ends = await asyncio.gather(family.shop.drive(side), family.shop.drive(under_way))
    assert [each.kind for (each,) in ends] == [OutcomeKind.GONE, OutcomeKind.APPLIED], ends
    family.together(before)
