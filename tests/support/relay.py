"""A unix socket in front of another one, which can go away."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path


class Relay:
    """Hands on what comes, both ways, until it is stopped: then nobody answers at its socket any more."""

    def __init__(self, path: Path, to: Path) -> None:
        self.path = path
        self._to = to
        self._server: asyncio.Server | None = None
        self._streams: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def stop(self) -> None:
        """Cut every connection and refuse new ones."""
        if self._server is None:
            return
        self._server.close()
        self.path.unlink(missing_ok=True)
        for stream in list(self._streams):
            stream.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await asyncio.open_unix_connection(self._to)
            self._streams |= {writer, far_writer}
            for source, sink in ((reader, far_writer), (far_reader, writer)):
                task = asyncio.create_task(self._hand_on(source, sink))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _hand_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                while data := await source.read(1 << 16):
                    sink.write(data)
                    await sink.drain()
                if sink.can_write_eof():
                    sink.write_eof()
                    return
        finally:
            self._streams.discard(sink)
        sink.close()
