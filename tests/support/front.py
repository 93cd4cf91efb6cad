"""A unix socket in front of a Docker engine's, in the test's hand: it goes away, falls silent, cuts in, refuses."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

_REQUEST = re.compile(rb"(GET|POST|PUT|DELETE|HEAD) (/\S*) HTTP/1\.1\r\n")


_REFUSAL = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 37\r\nConnection: close\r\n\r\n"
    b'{"message": "not on the allow-list"}\n'
)
_PAGE = Path(__file__).parents[2] / "docs" / "compose.md"
_LIST = re.compile(r"^```text\n(# to look\n.*?)^```$", re.MULTILINE | re.DOTALL)


def documented() -> list[re.Pattern[str]]:
    """The calls that the documentation says a socket proxy must let through."""
    found = _LIST.search(_PAGE.read_text())
    assert found is not None
    return [re.compile(line) for line in found[1].splitlines() if line and not line.startswith("#")]


class Front:
    """Hands bytes on both ways, one thread each, and watches the requests go by.

    `calls` holds each request's method and path. A hook is called once, either `before` a request that matches is
    handed on, or `after` the engine's answer came and before the client gets it. With `allowed` patterns of `METHOD
    /path` it is a socket proxy: any other call gets 403, and the engine never hears of it.
    """

    def __init__(self, path: Path, engine: str, allowed: Sequence[re.Pattern[str]] | None = None) -> None:
        self._allowed = allowed
        self.path = path
        self.host = f"unix://{path}"
        self.calls: list[str] = []
        self._engine = engine.removeprefix("unix://")
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._talking = threading.Event()
        self._talking.set()
        self._before: tuple[re.Pattern[str], Callable[[], object]] | None = None
        self._after: tuple[re.Pattern[str], Callable[[], object]] | None = None

    def start(self) -> None:
        """Listen."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.path))
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def stop(self) -> None:
        """Cut every connection and be gone from the file system."""
        self.thaw()
        if self._listener is not None:
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        with self._lock:
            ending, self._open = self._open, set()
        for each in ending:
            _end(each)

    def freeze(self) -> None:
        """Take what comes and answer nothing."""
        self._talking.clear()

    def thaw(self) -> None:
        """Go on from where it was."""
        self._talking.set()

    def before(self, pattern: str, hook: Callable[[], object]) -> None:
        """Call `hook` before the next request that matches `METHOD /path?query` is handed on."""
        self._before = re.compile(pattern), hook

    def after(self, pattern: str, hook: Callable[[], object]) -> None:
        """Call `hook` when the engine has answered the next request that matches."""
        self._after = re.compile(pattern), hook

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                far.connect(self._engine)
            except OSError:
                _end(near)
                continue
            with self._lock:
                self._open |= {near, far}
            asked: list[str] = []
            for source, sink, look in ((near, far, self._asked), (far, near, self._answered)):
                threading.Thread(target=self._hand_on, args=(source, sink, look, asked), daemon=True).start()

    def _hand_on(
        self,
        source: socket.socket,
        sink: socket.socket,
        look: Callable[[bytes, list[str]], None],
        asked: list[str],
    ) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._talking.wait()
                look(data, asked)
                if self._refuses(data):
                    source.sendall(_REFUSAL)
                    break
                sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _end(source)
        _end(sink)

    def _asked(self, data: bytes, asked: list[str]) -> None:
        found = _REQUEST.match(data)
        if found is None:
            return
        call = f"{found[1].decode()} {re.sub(r'^/v[0-9.]+', '', found[2].decode())}"
        self.calls.append(call)
        asked[:] = [call]
        hook, self._before = _due(self._before, call)
        hook()

    def _refuses(self, data: bytes) -> bool:
        """True for the beginning of a call that is not on the list; answers of the engine never look like one."""
        found = _REQUEST.match(data)
        if found is None or self._allowed is None:
            return False
        path = re.sub(r"^/v[0-9.]+", "", found[2].decode()).partition("?")[0]
        return not any(each.fullmatch(f"{found[1].decode()} {path}") for each in self._allowed)

    def _answered(self, data: bytes, asked: list[str]) -> None:
        hook, self._after = _due(self._after, asked[0] if asked else "")
        hook()


_Hook = tuple[re.Pattern[str], Callable[[], object]]


def _due(kept: _Hook | None, call: str) -> tuple[Callable[[], object], _Hook | None]:
    """The hook to call now, and the one that goes on waiting."""
    if kept is not None and kept[0].search(call):
        return kept[1], None
    return (lambda: None), kept


def _end(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
