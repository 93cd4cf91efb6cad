"""A small compose service for stories about operations and faults: no load, no Prometheus, quick health checks.

Health follows files: `/tmp/sick` in a container makes that one sick, `broken` in the shared folder keeps every
container that is not healthy yet from becoming so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.parts.compose import PROJECT, SERVICE, Project
from tests.support.wait import until

# Two networks, so that a clone is connected as well as created. PID 1 is a shell that ends at once on SIGTERM.
SERVICES = """
version: "2.4"
services:
  app:
    image: ${{APP_IMAGE}}
    entrypoint: ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 600 & wait; done"]
    healthcheck:
      test: [CMD, sh, -c, "! [ -e /tmp/sick ] && {{ [ -e /tmp/well ] || ! [ -e /signs/broken ]; }} && : > /tmp/well"]
      interval: 1s
      timeout: 10s
      retries: 1
    stop_grace_period: 5s
    restart: unless-stopped
    networks: [one, two]
    volumes: ["{signs}:/signs:ro"]
    {more}
networks: {{one: {{}}, two: {{}}}}
"""


class Service:
    """The service `app` of a project, looked at from outside."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.engine = project.engine

    def ids(self, *words: str) -> dict[str, str]:
        """Names and ids of its containers in any state."""
        told = ("--filter", f"label={PROJECT}={self.project.name}", "--filter", f"label={SERVICE}=app")
        listed = self.engine.docker("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.ID}}", *told, *words)
        return dict(line.split() for line in listed.splitlines())

    def healthy(self) -> int:
        """How many of its containers the engine calls healthy."""
        return len(self.ids("--filter", "health=healthy"))

    def well(self, count: int) -> bool:
        """True when exactly `count` containers exist, all healthy, each under a name that compose would give.

        Their numbers may have gaps: that of a container still being removed is not given again.
        """
        there = self.ids()
        named = [re.fullmatch(rf"{self.project.name}[-_]app[-_]\d+", name) for name in there]
        return len(there) == count and all(named) and self.healthy() == count and self.ids() == there

    def settled(self, count: int) -> bool:
        """As `well`, numbered 1…count."""
        return self.well(count) and sorted(self.ids()) == self.names(count)

    def names(self, count: int) -> list[str]:
        """The names compose gives the first `count`."""
        return sorted(f"{self.project.name}-app-{n}" for n in range(1, count + 1))

    def make_sick(self, name: str) -> None:
        """The next health checks of this container fail."""
        self.engine.docker("exec", name, "sh", "-c", ": > /tmp/sick")

    def remove(self, *names: str) -> None:
        """Somebody takes containers away."""
        if names:
            self.engine.docker("rm", "--force", "--volumes", *names, check=False)

    def replaced(self, before: str, count: int = 1) -> Callable[[], bool]:
        """Whether `count` healthy containers exist under their final names, and the one with id `before` is gone."""
        return lambda: before not in self.ids().values() and self.settled(count)


class Lone(Service):
    """A project of one such service, brought to a known beginning before each story."""

    def __init__(self, project: Project, signs: Path) -> None:
        super().__init__(project)
        self._signs = signs

    def begin(self, count: int = 1) -> None:
        """`count` healthy containers under their final names, whatever was there before."""
        self.broken(False)
        well = self.ids("--filter", "health=healthy")
        self.remove(*(name for name in self.ids() if name not in self.names(count) or name not in well))
        if len(self.ids()) != count:
            self.remove(*self.ids())
            self.project.up("--scale", f"app={count}")
        until(lambda: self.settled(count), what=f"{count} healthy containers", within=60)

    def broken(self, broken: bool = True) -> None:
        """From now on no new container becomes healthy; or it does again."""
        sign = self._signs / "broken"
        sign.touch() if broken else sign.unlink(missing_ok=True)
