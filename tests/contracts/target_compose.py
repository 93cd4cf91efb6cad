"""The contract suite's surroundings for compose: a service on a real engine, disturbed by compose and docker.

The target reaches the engine through a front, so that the engine can be away for it. The front refuses every call that
the documentation does not list.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clock import SystemClock
from autoscaler.model.policy import ComposeTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.ports import Target
from autoscaler.targets.compose import ComposeTarget
from autoscaler.targets.naming import named
from tests.contracts.harness import REFUSE, VERSION
from tests.parts.compose import Project, fresh_name
from tests.parts.fixtures import ComposeProject
from tests.support.front import Front, documented
from tests.support.wait import until

# A container that starts while /flags/hold is there runs, and never becomes healthy.
SERVICE = """
version: "2.4"
services:
  web:
    image: ${{APP_IMAGE}}
    entrypoint: ["sh", "-c", "test -e /flags/hold && exec sleep 600; exec python3 -u /app/app.py"]
    volumes: ["{flags}:/flags:ro"]
    environment: {{WORK: "0.01", DRAIN: "0"}}
    healthcheck: {{test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/healthz"],
      interval: 500ms, timeout: 3s, retries: 2}}
    stop_grace_period: 1s
    init: true
    labels: {{scaled: "{project}"}}
"""


class ComposeHarness:
    """The service `web` of a project of its own."""

    cannot: Mapping[str, str] = {
        VERSION: "the engine keeps no count that could be compared; the names of replicas are the fence",
        REFUSE: "a service whose port is fixed refuses from the start; see the tests of clone.cannot",
    }
    absent = "off"
    greets = True

    def __init__(self, project: Project, flags: Path, front: Front) -> None:
        self._project = project
        self._flags = flags
        self._specs = flags.parent / "specs"
        self._front = front
        self.clock = SystemClock()
        self._targets: list[ComposeTarget] = []
        self.target: Target = self._another()
        self.policy = Policy(name="web", target=TargetSpec(compose=Named(project=project.name, service="web")))
        every = Named(project="*", selector={"scaled": project.name})
        self.selecting = Policy(name="every", target=TargetSpec(compose=every))
        self.ref = named(self.policy)

    async def begin(self, count: int) -> None:
        self.target.discover([self.policy])
        await asyncio.to_thread(self._up, count)

    async def instances(self) -> Mapping[str, str]:
        return await asyncio.to_thread(self._ids)

    async def make_sick(self, name: str) -> None:
        words = ("exec", name, "wget", "-q", "-O", "-", "http://127.0.0.1:8000/sick")
        await asyncio.to_thread(self._project.engine.docker, *words)

    async def remove(self, name: str) -> None:
        await asyncio.to_thread(self._project.engine.docker, "rm", "--force", "--volumes", name)

    async def hold(self) -> None:
        (self._flags / "hold").touch()

    async def another_writer(self, count: int) -> None:
        await asyncio.to_thread(self._up, count)

    async def refuse(self) -> None:
        raise AssertionError(self.cannot[REFUSE])

    async def again(self) -> Target:
        return self._another()

    async def away(self) -> Target:
        self._front.stop()
        return self.target

    async def close(self) -> None:
        for each in self._targets:
            await each.close()

    def _another(self) -> ComposeTarget:
        made = ComposeTarget(DockerEngine(self._front.host), self.clock, specs=self._specs)
        self._targets.append(made)
        return made

    def _up(self, count: int) -> None:
        self._project.up("--no-recreate", "--scale", f"web={count}")
        until(lambda: len(self._ids("--filter", "health=healthy")) == count, f"{count} healthy containers", within=60.0)

    def _ids(self, *words: str) -> dict[str, str]:
        filters = [f"label=com.docker.compose.{key}={value}" for key, value in
                   (("project", self._project.name), ("service", "web"))]  # fmt: skip
        command = ["ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}", *words]
        listed = self._project.engine.docker(*command, *(word for each in filters for word in ("--filter", each)))
        return dict(line.split() for line in listed.splitlines())


@contextlib.asynccontextmanager
async def compose_harness(compose_project: ComposeProject, folder: Path) -> AsyncIterator[ComposeHarness]:
    """A project of its own, not up yet; the maker takes it down."""
    flags = folder / "flags"
    flags.mkdir()
    name = fresh_name()
    project = compose_project(SERVICE.format(flags=flags, project=name), name)
    front = Front(folder / "engine.sock", project.engine.host, documented())
    front.start()
    harness = ComposeHarness(project, flags, front)
    try:
        yield harness
    finally:
        await harness.close()
        front.stop()
