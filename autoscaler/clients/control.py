"""The other end of the daemon's unix socket, for commands: one request, one answer."""

from __future__ import annotations

import http.client
import socket
from pathlib import Path

from autoscaler.errors import Unreachable

TIMEOUT_S = 10.0


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
    connection = _Unix(path)
    try:
        connection.request(method, target, body, {"Content-Type": "application/json"} if body else {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unreachable(
            f"no daemon answers at {path}: {why}",
            hint="start one with `autoscaler run`, or name its settings with --config",
        ) from None
    finally:
        connection.close()
