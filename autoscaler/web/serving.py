"""Applications on sockets of ours: what is opened is closed again, and what cannot be opened says so."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from autoscaler.errors import SettingsError

SHUTDOWN_S = 2.0


@contextlib.asynccontextmanager
async def running(
    application: web.Application, listening: socket.socket, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Serve on this socket until the end of the block."""
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        await web.SockSite(runner, listening, ssl_context=tls).start()
        yield
    finally:
        await runner.cleanup()


def unix(path: Path) -> socket.socket:
    """A listening socket that only its owner may open, from its first moment on. Raises SettingsError."""
    listening = socket.socket(socket.AF_UNIX)
    with contextlib.suppress(OSError):  # the bind below says what is wrong
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = os.umask(0o177)
    try:
        path.unlink(missing_ok=True)  # of a daemon that was killed: the lease says that it is not alive
        listening.bind(str(path))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"the socket {path} cannot be opened: {error.strerror or error}", hint="see socket:"
        ) from None
    finally:
        os.umask(before)
    return listening


def tcp(host: str, port: int, *, key: str) -> socket.socket:
    """A listening socket; `key` of the settings says where. Raises SettingsError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        why = error.strerror or str(error)
        raise SettingsError(f"{host}:{port} cannot be listened on: {why}", hint=f"see {key}:") from None
    return listening
