"""Where installed parts live: one folder per name and version under the user's cache."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
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
