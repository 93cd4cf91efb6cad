"""The compose program, for what cannot be had through the engine: `docker compose` or `docker-compose`, if one is here.

It reads the compose file with the daemon's own environment. Where whoever ran compose first had other variables set,
what it makes differs from what is there, and compose does not notice.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Sequence

from autoscaler.errors import Refused, Unreachable
from autoscaler.log import redact

WITHIN_S = 120.0
ASK_S = 10.0
LINES = 3  # of what it says last, when it fails


class ComposeProgram:
    """Runs compose against the engine at `host`, or at DOCKER_HOST or the usual socket."""

    def __init__(self, host: str | None = None) -> None:
        self._host = host
        self._versions: dict[tuple[str, ...], int | None] = {}

    async def scale(
        self,
        service: str,
        count: int,
        *,
        project: str,
        files: Sequence[str],
        folder: str,
        environment: Sequence[str] = (),
        first: bool = False,
    ) -> None:
        """Have `count` containers of a service; those that are there stay as they are, and its dependencies too.

        `first` asks for compose v1, whose containers a newer one does not know as its own. Raises Refused with what
        the program said, Unreachable where it does not end.
        """  # fmt: skip
        program = await self._program(first=first)
        words = ["--project-name", project, "--project-directory", folder]
        words += [word for file in files for word in ("--file", file)]
        words += [word for file in environment for word in ("--env-file", file)]
        words += ["up", "--detach", "--no-deps", "--no-recreate", "--scale", f"{service}={count}", service]
        status, said = await self._run([*program, *words], WITHIN_S)
        if status:
            raise Refused(f"{' '.join(program)} failed: {said}")

    async def _program(self, *, first: bool) -> list[str]:
        """The program of the right generation. Raises Refused."""
        found: list[str] = []
        for words in (("docker", "compose"), ("docker-compose",)):
            if words not in self._versions:
                self._versions[words] = await self._version(words)
            version = self._versions[words]
            if version is not None and (version == 1) is first:
                return list(words)
            if version is not None:
                found.append(f"{' '.join(words)} {version}")
        wanted = "docker-compose 1" if first else "docker compose (2 or newer)"
        here = f"; here is {' and '.join(found)}" if found else ""
        raise Refused(f"{wanted} is not on the daemon's PATH{here}")

    async def _version(self, words: Sequence[str]) -> int | None:
        if shutil.which(words[0]) is None:
            return None
        status, said = await self._run([*words, "version", "--short"], ASK_S)
        major = re.search(r"(\d+)\.\d+", said)
        return int(major[1]) if major and not status else None

    async def _run(self, words: Sequence[str], within_s: float) -> tuple[int, str]:
        environment = {**os.environ, **({"DOCKER_HOST": self._host} if self._host else {})}
        try:
            running = await asyncio.create_subprocess_exec(
                *words,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # it finishes what it began when the daemon ends
            )
        except OSError as error:
            raise Refused(f"{words[0]} cannot be started: {error.strerror}") from None
        try:
            async with asyncio.timeout(within_s):
                told, _ = await running.communicate()
        except TimeoutError:
            running.kill()
            await running.wait()
            raise Unreachable(f"{' '.join(words[:2])} did not end within {within_s:g} s") from None
        lines = [line.strip() for line in redact(told.decode(errors="replace")).splitlines() if line.strip()]
        return running.returncode or 0, " / ".join(lines[-LINES:])[:300]
