"""Remembered specs: how a container of a service is made, kept for the day on which there is none left to look at.

One file per service and config hash in the data folder. They hold what the container's environment holds, passwords
too, so nobody but the daemon's own user may read them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from autoscaler.errors import Refused

KEPT = 3  # hashes per service; an older one may come back by a rollback

_PARTS = ("Id", "Name", "Created", "Image", "Config", "HostConfig", "Mounts")
_ENDPOINT = ("NetworkID", "Aliases", "Links", "DriverOpts", "IPAMConfig")


class Spec(msgspec.Struct, frozen=True, kw_only=True):
    """A container as inspecting it told, as far as a twin needs it.

    `files` are tars of what compose had copied into it. `since` is when a container was first seen so, `kept` when
    this was written, `zero_at` when our order took the last one away; all in seconds since the epoch.
    """

    project: str
    service: str
    config_hash: str
    record: dict[str, Any]
    files: tuple[bytes, ...] = ()
    since: float
    kept: float
    zero_at: float | None = None

    @property
    def labels(self) -> dict[str, str]:
        """The container's labels."""
        return dict(self.record["Config"].get("Labels") or {})


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Spec).decode


def reduced(record: Mapping[str, Any]) -> dict[str, Any]:
    """Only what a twin needs: nothing that tells how the container fared."""
    networks = (record.get("NetworkSettings") or {}).get("Networks") or {}
    ends = {name: {key: end.get(key) for key in _ENDPOINT} for name, end in networks.items()}
    return {
        **{key: record[key] for key in _PARTS if key in record},
        "State": {"Status": "running"},
        "NetworkSettings": {"Networks": ends},
    }


class Specs:
    """The newest spec of each service; in memory only where there is no folder."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._newest: dict[tuple[str, str], Spec] = {}
        for spec in sorted(_read(folder), key=lambda each: each.kept):
            self._newest[spec.project, spec.service] = spec

    def __iter__(self) -> Iterator[Spec]:
        return iter(list(self._newest.values()))

    def of(self, project: str, service: str) -> Spec | None:
        """The newest spec of a service."""
        return self._newest.get((project, service))

    async def keep(self, spec: Spec) -> None:
        """Remember it, whole or not at all. Raises Refused."""
        if self._folder is not None:
            try:
                await asyncio.to_thread(_write, _place(self._folder, spec), _encode(spec))
            except OSError as error:
                why = f"how {spec.project}/{spec.service} is made cannot be remembered in {self._folder}"
                raise Refused(f"{why}: {error.strerror}") from None
        self._newest[spec.project, spec.service] = spec


def _place(folder: Path, spec: Spec) -> Path:
    word = spec.config_hash if re.fullmatch(r"[0-9a-zA-Z]+", spec.config_hash) else _short(spec.config_hash)
    return folder / _safe(spec.project) / _safe(spec.service) / f"{word}.json"


def _safe(name: str) -> str:
    """A name as a folder: as it is, unless it could mean another place."""
    return name if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name) else _short(name)


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(place: Path, content: bytes) -> None:
    for each in (place.parent.parent.parent, place.parent.parent, place.parent):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = place.with_name(f".{place.stem}.{uuid.uuid4().hex[:8]}")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, place)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    for old in sorted(place.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)


def _read(folder: Path | None) -> Iterator[Spec]:
    for file in sorted(folder.glob("*/*/*.json")) if folder is not None else ():
        try:
            yield _decode(file.read_bytes())
        except (OSError, msgspec.DecodeError):
            continue  # not one of ours: those are always whole
