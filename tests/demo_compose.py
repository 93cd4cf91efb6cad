"""`make demo-compose`: the story of the demo with containers, on a real Docker engine, HAProxy and Prometheus.

The engine, the images and the stack are those of the tests. What it says of containers is looked at with the `docker`
program, past the daemon.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from _pytest.outcomes import Failed, Skipped

from autoscaler.demo.__main__ import main
from autoscaler.demo.around import POLICY, Scene
from autoscaler.model.target import Instance
from tests.parts.compose import Compose, Stack, fresh_name
from tests.parts.engine import HOST_VARIABLE, MACHINE_SOCKET, Engine, open_engine
from tests.parts.images import LabImages, lab_images
from tests.parts.require import require

NEEDED = ("docker", "compose-v2", "busybox", "haproxy", "prometheus")
WITHIN_S = 180.0
SLOW = (
    2.5  # a container takes longer than a process: made, started, checked, seen by DNS, by the balancer, by Prometheus
)
WORK_S = "0.2"  # long beside what a request spends before and behind the container, which nobody counts as in flight
TARGET = """
  compose: {{project: {project}, service: app}}"""
QUERY = 'prometheus: sum(http_requests_in_flight{job="app"})\n    max_age: 10s'


class Containers(Scene):
    """A compose project with the application, HAProxy before it and Prometheus beside it."""

    noun = "container"
    patience = SLOW

    def __init__(self, folder: Path, engine: Engine, images: LabImages) -> None:
        super().__init__(folder)
        self._stack = Stack(Compose("v2", engine), images, fresh_name("demo"), env={"WORK": WORK_S})
        self._begun = False

    def introduction(self) -> str:
        version = self._stack.engine.docker("version", "--format", "{{.Server.Version}}")
        urls = f"HAProxy: {self._stack.lb_url}, its page: {self._stack.haproxy_stats_url}"
        return f"Docker engine {version}. {urls}, Prometheus: {self._stack.prometheus_url}"

    def policy(self) -> str:
        return POLICY.format(target=TARGET.format(project=self._stack.name), source=QUERY)

    async def start(self) -> None:
        self._begun = True
        await asyncio.to_thread(self._stack.begin, 1)
        await self.run(
            self.policy(),
            prometheus={"url": self._stack.prometheus_url},
            docker={"host": self._stack.engine.host},
        )

    async def stop(self) -> None:
        """Stop the daemon, then take the project down."""
        await self.daemon.stop()
        if self._begun:
            await asyncio.to_thread(self._stack.down)

    def doors(self, instances: Sequence[Instance]) -> list[str]:
        return [self._stack.lb_url.removeprefix("http://")]

    def answers_as(self, instance: Instance) -> str:
        """The host name the engine gives a container unless told otherwise."""
        return instance.id[:12]

    async def make_sick(self, instance: Instance) -> None:
        words = ("exec", instance.name, "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/sick")
        await asyncio.to_thread(self._stack.engine.docker, *words)

    async def runs(self, instance: Instance) -> bool:
        words = ("ps", "--quiet", "--no-trunc", "--filter", f"id={instance.id}")
        return bool(await asyncio.to_thread(self._stack.engine.docker, *words))


def opened() -> Engine:
    """The machine's own engine where one runs, or else one of the tests' own; raises Skipped or Failed if none."""
    if Engine(f"unix://{MACHINE_SOCKET}").answers():
        os.environ.setdefault(HOST_VARIABLE, f"unix://{MACHINE_SOCKET}")
    require(*NEEDED)
    return open_engine()


def play() -> int:
    """The exit status: 0 if all was seen, 1 if not, 2 where there is no Docker to show it on."""
    try:
        engine = opened()
    except (Skipped, Failed, AssertionError) as none:
        sys.stderr.write(
            f"demo-compose needs a real Docker engine, compose, HAProxy and Prometheus: {getattr(none, 'msg', none)}\n"
            "  hint: on Debian, `make parts` as root installs them; `make demo` needs nothing but Python\n"
        )
        return 2
    try:
        images = lab_images(engine)
        return main(lambda folder: Containers(folder, engine, images), WITHIN_S)
    finally:
        engine.close()


if __name__ == "__main__":
    sys.exit(play())
