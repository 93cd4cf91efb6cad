"""The compose program: which one is taken, what it is told, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.clients.compose_program import ComposeProgram
from autoscaler.errors import Refused

PROGRAM = """#!/bin/sh
case "$*" in
  *"version --short") echo "{version}"; exit {asked} ;;
esac
echo "$DOCKER_HOST $*" >> {log}
[ {code} = 0 ] || {{ echo "reading"; echo "password=hunter2 is wrong"; exit {code}; }}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin/none")
    return tmp_path


def put(folder: Path, name: str, version: str, *, asked: int = 0, code: int = 0) -> None:
    """A program of this name that says so, and ends with these codes when asked for its version and when run."""
    file = folder / name
    file.write_text(PROGRAM.format(version=version, asked=asked, code=code, log=f"{file}.log"))
    file.chmod(0o755)


async def scale(*, first: bool = False) -> None:
    program = ComposeProgram("unix:///there.sock")
    files = ["/srv/a.yml", "/srv/b.yml"]
    await program.scale("web", 3, project="shop", files=files, folder="/srv", environment=["/srv/.env"], first=first)


async def test_it_is_told_to_touch_nothing_else(folder: Path) -> None:
    put(folder, "docker-compose", "2.26.1")
    put(folder, "docker", "x", asked=1)
    await scale()
    assert (folder / "docker-compose.log").read_text().strip() == (
        "unix:///there.sock --project-name shop --project-directory /srv --file /srv/a.yml --file /srv/b.yml "
        "--env-file /srv/.env up --detach --no-deps --no-recreate --scale web=3 web"
    )


async def test_the_plugin_comes_first_and_each_generation_knows_its_own(folder: Path) -> None:
    put(folder, "docker", "v2.30.0")
    put(folder, "docker-compose", "1.29.2")
    await scale()
    await scale(first=True)
    assert (folder / "docker.log").read_text().startswith("unix:///there.sock compose --project-name")
    assert (folder / "docker-compose.log").exists()


async def test_without_the_right_generation_it_is_refused(folder: Path) -> None:
    put(folder, "docker-compose", "1.29.2")
    put(folder, "docker", "x", asked=1)
    with pytest.raises(
        Refused, match=r"docker compose \(2 or newer\) is not on the daemon's PATH; here is docker-comp"
    ):
        await scale()


async def test_what_it_says_when_it_fails_is_told_without_secrets(folder: Path) -> None:
    put(folder, "docker-compose", "2.26.1", code=3)
    put(folder, "docker", "x", asked=1)
    with pytest.raises(Refused) as error:
        await scale()
    assert error.value.message == "docker-compose failed: reading / password=[redacted] is wrong"
