"""Policies from files and folders, now and whenever they change.

A ConfigMap volume works too: its entries are links that all move to a new folder at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from autoscaler.errors import PolicyError, SettingsError
from autoscaler.ports import Clock, Revision

SUFFIXES = (".yaml", ".yml")
TEST_SUFFIXES = (".test.yaml", ".test.yml")
LOOKING_SHARE = 50.0  # of thousands of files one look takes long: it may take a fiftieth of the time

# What a change is told by: path, device and inode (a file put in another's place), size, time of the last write.
Look = tuple[tuple[str, int, int, int, int], ...]


class FolderSource:
    """Files, and folders with all below them, looked at every `every` seconds. Raises SettingsError for absent ones."""

    def __init__(self, paths: Sequence[Path], clock: Clock, *, every: float = 1.0) -> None:
        self._paths = tuple(paths)
        self._clock = clock
        self._every = every
        self._took = 0.0
        look(self._paths)

    async def revisions(self) -> AsyncIterator[Revision]:
        """The revision that is there now, then each later one, once no file has changed for `every` seconds.

        Raises SettingsError when a path stays away and PolicyError for a file that is not text.
        """
        seen, revision = await asyncio.to_thread(self._read)
        yield revision
        while True:
            await self._nap()
            if await self._look() == seen:
                continue
            seen, newer = await self._settled()
            if newer.id != revision.id:
                revision = newer
                yield newer

    async def _settled(self) -> tuple[Look, Revision]:
        """Read once two looks in a row agree: until then a file may be half written, or about to be put in place."""
        before = await self._look()
        while True:
            await self._nap()
            after = await self._look()
            if after == before:
                seen, revision = await asyncio.to_thread(self._read)
                after = await self._look()
                if after == seen:
                    return seen, revision
            before = after

    async def _nap(self) -> None:
        await self._clock.sleep(max(self._every, LOOKING_SHARE * self._took))

    async def _look(self) -> Look | None:
        """None while a path is absent: an editor may be putting a new file in its place."""
        began = self._clock.monotonic()
        try:
            return await asyncio.to_thread(look, self._paths)
        except SettingsError:
            return None
        finally:
            self._took = self._clock.monotonic() - began

    def _read(self) -> tuple[Look, Revision]:
        seen = look(self._paths)
        texts = read(self._paths)
        return seen, Revision(identity(texts), tuple(texts))


def files(paths: Sequence[Path]) -> list[Path]:
    """The policy files at these places, each once, named as given. Raises SettingsError for an absent place.

    A file is taken whatever its name. In folders those that end in .yaml or .yml count, but not hidden ones and not
    policy tests (`*.test.yaml`).
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path, frozenset())))
        elif path.exists():
            found[path] = None
        else:
            raise SettingsError(f"no policies at {path}: there is no such file or folder")
    return list(found)


def read(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """Names and texts of the policy files at these places. Raises SettingsError and PolicyError."""
    texts: list[tuple[str, str]] = []
    problems: list[str] = []
    for path in files(paths):
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            texts.append((str(path), data.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            line, column = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
            problems.append(f"{path}:{line}:{column}: this is not UTF-8 text")
    if problems:
        raise PolicyError(tuple(problems))
    return texts


def look(paths: Sequence[Path]) -> Look:
    """What the files look like from outside; equal as long as nothing changes. Raises SettingsError."""
    marks = []
    for path in files(paths):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # gone since the folder was listed: the next look shows it
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}") from None
        marks.append((str(path), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(marks)


def identity(texts: Sequence[tuple[str, str]]) -> str:
    """A short word for these names and texts, the same wherever and whenever they are read."""
    digest = hashlib.sha256()
    for part in (part for text in texts for part in text):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:12]


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back up
        return
    try:
        names = sorted(each for each in os.listdir(folder) if not each.startswith("."))
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be read: {error.strerror}") from None
    for name in names:
        path = folder / name
        if path.is_dir():
            yield from _below(path, above | {real})
        elif name.endswith(SUFFIXES) and not name.endswith(TEST_SUFFIXES):
            yield path
