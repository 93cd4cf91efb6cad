"""What a project's compose file says about a service, where the daemon can read it: things no container tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from autoscaler.policy.nodes import plain
from autoscaler.targets.compose.container import PREFIX

FILES, FOLDER, ENVIRONMENT = (
    f"{PREFIX}project.config_files", f"{PREFIX}project.working_dir", f"{PREFIX}project.environment_file",
)  # fmt: skip
SECRETS = "/run/secrets"  # where compose puts secrets that have no other place
MOST_BYTES = 1_000_000


class Place(msgspec.Struct, frozen=True):
    """Where a project's compose files are, by a container's labels."""

    files: tuple[str, ...]
    folder: str
    environment: tuple[str, ...] = ()


class Declared(msgspec.Struct, frozen=True):
    """What the files say: since when (the newest file's time), hooks by name, and what is copied into containers."""

    place: Place
    changed: float
    hooks: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()


def place(labels: Mapping[str, str]) -> Place | None:
    """Where the files are; None where the labels do not tell. Compose v1 tells them as they were typed."""
    folder = labels.get(FOLDER, "")
    files = tuple(_near(folder, each) for each in labels.get(FILES, "").split(",") if each)
    if not files or not all(map(_absolute, files)):
        return None
    environment = tuple(_near(folder, each) for each in labels.get(ENVIRONMENT, "").split(",") if each)
    return Place(files, folder or str(Path(files[0]).parent), environment)


async def declared(labels: Mapping[str, str], service: str) -> Declared | None:
    """What the project's files say about a service now; None where they cannot be read."""
    where = place(labels)
    if where is None:
        return None
    try:
        return await asyncio.to_thread(_read, where, service)
    except (OSError, ValueError):
        return None


def _read(where: Place, service: str) -> Declared:
    hooks: dict[str, None] = {}
    tops: dict[str, dict[str, Any]] = {"configs": {}, "secrets": {}}
    used: list[tuple[str, Any]] = []
    changed = 0.0
    for name in where.files:
        file = Path(name)
        if file.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        changed = max(changed, file.stat().st_mtime)
        whole = _map(plain(file.read_text(encoding="utf-8-sig")))
        for kind, top in tops.items():
            top.update(_map(whole.get(kind)))
        one = _map(_map(whole.get("services")).get(service))
        hooks |= dict.fromkeys(each for each in ("post_start", "pre_stop") if one.get(each))
        used += [(kind, each) for kind in tops for each in one.get(kind) or ()]
    copied = dict.fromkeys(_copied(used, tops))
    return Declared(where, changed, tuple(hooks), tuple(copied))


def _copied(used: list[tuple[str, Any]], tops: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The paths in a container of what is not mounted from a file: compose copies that in before the start."""
    for kind, each in used:
        name = str(each if isinstance(each, str) else _map(each).get("source", ""))
        source = _map(tops[kind].get(name))
        if "content" not in source and "environment" not in source:
            continue
        told = None if isinstance(each, str) else _map(each).get("target")
        base = SECRETS if kind == "secrets" else ""
        target = str(told or name)
        yield target if _absolute(target) else f"{base}/{target}"


def _map(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _absolute(path: str) -> bool:
    return path.startswith("/")


def _near(folder: str, path: str) -> str:
    return path if _absolute(path) or not folder else str(Path(folder, path))
