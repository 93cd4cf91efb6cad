"""Debian packages: installed from the machine's own mirrors, or unpacked from a newer release beside it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class InstallError(Exception):
    """A part did not get installed; the sentence says why."""


class NotThisMachine(InstallError):
    """This machine is not one we install parts on: not Debian, not root, or without Go."""


def installed(package: str) -> bool:
    """Whether dpkg has the package configured."""
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True, text=True, check=False).stdout == "installed"


def install(packages: Sequence[str]) -> None:
    """Install those of the packages that are missing; the package lists are fetched only then."""
    missing = [package for package in packages if not installed(package)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise NotThisMachine(f"installing {', '.join(missing)} needs root")
    if not shutil.which("apt-get"):
        raise NotThisMachine(f"no apt-get here; install {', '.join(missing)} by this machine's own means")
    _refresh()
    _apt("install", "--yes", "--no-install-recommends", *missing)


def unpack(package: str, release: str, folder: Path) -> None:
    """Unpack a package of another Debian release into the folder; nothing of the machine is changed.

    A private package list and state are used, so the machine's own apt never hears of that release.
    """
    if not shutil.which("apt-get"):
        raise NotThisMachine(f"no apt-get here; install {package} by this machine's own means")
    with tempfile.TemporaryDirectory() as work:
        source = Path(work, "sources.list")
        source.write_text(f"deb [signed-by={KEYRING}] {_mirror()} {release} main\n")
        lists, archives = Path(work, "lists"), Path(work, "cache")
        (lists / "partial").mkdir(parents=True)
        (archives / "archives" / "partial").mkdir(parents=True)
        private = [
            f"Dir::Etc::sourcelist={source}",
            "Dir::Etc::sourceparts=-",
            f"Dir::State::lists={lists}",
            f"Dir::Cache={archives}",
            "Acquire::Languages=none",
            "APT::Sandbox::User=root",
        ]
        options = [word for option in private for word in ("-o", option)]
        _apt("update", *options, cwd=work)
        _apt("download", *options, f"{package}/{release}", cwd=work)
        (archive,) = Path(work).glob("*.deb")
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)


@functools.cache
def _refresh() -> None:
    """Fetch the machine's package lists, once in a run."""
    _apt("update")


def _mirror() -> str:
    """The mirror this machine already takes Debian from."""
    fields = ["--format", "$(ORIGIN)|$(LABEL)|$(REPO_URI)", "Created-By: Packages"]
    found = subprocess.run(["apt-get", "indextargets", *fields], capture_output=True, text=True, check=True).stdout
    for line in found.splitlines():
        origin, label, uri = line.split("|")
        if origin == label == "Debian":
            return uri
    raise InstallError("no Debian mirror among this machine's package sources (after apt-get update)")


def _apt(command: str, *words: str, cwd: str | None = None) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=120", command, *words],
        env=env,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise InstallError(f"apt-get {command} failed:\n{done.stdout[-2000:]}")
