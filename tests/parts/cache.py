"""Where installed parts live: one folder per name and version under the user's cache."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """The folder of all parts, made if absent."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    root = Path(base, "autoscaler-parts")
    root.mkdir(parents=True, exist_ok=True)
    return root


def cached(name: str, version: str) -> Path:
    """The folder of one part in one version; it exists only once the part is whole."""
    return cache_root() / f"{name}-{version}"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Held by one process at a time, and freed by the kernel if that process dies."""
    with (cache_root() / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def whole(folder: Path, make: Callable[[Path], None]) -> None:
    """Make a folder's contents aside and move them into place in one step, so a killed install leaves no half."""
    with tempfile.TemporaryDirectory(dir=cache_root(), prefix="making-") as aside:
        made = Path(aside, "part")
        made.mkdir()
        make(made)
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def drop_older(folder: Path, name: str) -> None:
    """Remove a part's other versions, where each is large and only the newest is ever asked for."""
    for other in cache_root().glob(f"{name}-*"):
        if other != folder:
            shutil.rmtree(other)
