"""A tiny forward proxy: what it was asked for is written down, the rest is handed on as it is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit


class Proxy:
    """`asked` are the first lines of connections, `authorization` what was said to the proxy itself."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []
        self.authorization: set[str] = set()
        self.serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection: a tunnel for CONNECT, else the request itself goes on."""
        task = asyncio.current_task()
        assert task is not None
        self.serving.add(task)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().splitlines()
            self.asked.append(first)
            named = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
            self.authorization.add(named.get("proxy-authorization", ""))
            method, place, _ = first.split(" ")
            tunnel = method == "CONNECT"
            host, _, port = (place if tunnel else urlsplit(place).netloc).rpartition(":")
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
            if tunnel:
                writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                far_writer.write(head)
            await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@contextlib.asynccontextmanager
async def proxy() -> AsyncIterator[Proxy]:
    """A proxy on a free loopback port."""
    made = Proxy()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*made.serving), 10.0)
