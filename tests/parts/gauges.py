"""A small exporter: gauges that a test sets and takes away, for a real Prometheus to scrape."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from typing import Any


class GaugeServer:
    """Serves `/metrics` on a free loopback port."""

    def __init__(self) -> None:
        self._gauges: dict[str, float | Callable[[], float]] = {}
        gauges = self._gauges

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                now = {name: value() if callable(value) else value for name, value in list(gauges.items())}
                body = "".join(f"# TYPE {name} gauge\n{name} {value}\n" for name, value in now.items())
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Begin to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10.0)

    def set(self, name: str, value: float | Callable[[], float]) -> None:
        """From the next scrape on the gauge has this value, or what it gives then."""
        self._gauges[name] = value

    def drop(self, name: str) -> None:
        """From the next scrape on there is no such gauge."""
        self._gauges.pop(name, None)
