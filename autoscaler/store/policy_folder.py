"""Policies from files and folders, now and whenever they change.

A ConfigMap volume works too: its entries are links that all move to a new folder at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from autoscaler.errors import SettingsError
from autoscaler.ports import Clock, Revision
from autoscaler.store.policy_files import Look, identity, look, read

LOOKING_SHARE = 50.0  # of thousands of files one look takes long: it may take a fiftieth of the time


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
