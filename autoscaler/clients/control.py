"""The other end of the daemon's API, for commands: one request, one answer, by its unix socket or over HTTP."""

from __future__ import annotations

import http.client
import socket
import urllib.parse
from pathlib import Path

from autoscaler.errors import Unreachable, UsageError

TIMEOUT_S = 10.0
API = "/api/v1"  # where the daemon answers


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("autoscaler", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def ask(path: Path, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Status and body of the daemon's answer. Raises Unreachable when no daemon answers there."""
    hint = "start one with `autoscaler run`, or name its settings with --config"
    return _answer(_Unix(path), str(path), method, target, body, {}, hint)


def ask_server(server: str, token: str, method: str, target: str, body: bytes | None = None) -> tuple[int, bytes]:
    """The same of the daemon at a URL, as whoever the token belongs to. Raises Unreachable, UsageError."""
    found = urllib.parse.urlsplit(server)
    try:
        port = found.port
    except ValueError:
        port = -1
    if found.scheme not in ("http", "https") or not found.hostname or port == -1 or found.path.strip("/"):
        raise UsageError(f"--server: expected a URL such as https://autoscaler.example.com:8730, got {server}")
    kind = http.client.HTTPSConnection if found.scheme == "https" else http.client.HTTPConnection
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    hint = "is that its `listen`?"
    return _answer(kind(found.hostname, port, timeout=TIMEOUT_S), server, method, target, body, headers, hint)


def _answer(
    connection: http.client.HTTPConnection,
    place: str,
    method: str,
    target: str,
    body: bytes | None,
    headers: dict[str, str],
    hint: str,
) -> tuple[int, bytes]:
    try:
        connection.request(method, target, body, {**headers, "Content-Type": "application/json"} if body else headers)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(f"no daemon answers at {place}: {why}", hint=hint) from None
    finally:
        connection.close()
