"""A stand-in for Prometheus's query API that gives one value, or fails in the way the test says."""

from __future__ import annotations

import http.server
import json
import threading
import time
import urllib.parse
from types import TracebackType

SLOW_S = 8.0


class Oracle:
    """Answers every query with `value`, and those about the age of data with one second; `fault` spoils the answers.

    Faults: `error` (a 500 of Prometheus), `page` (a proxy's 502), `slow`, `empty`, `nan`.
    """

    def __init__(self) -> None:
        self.value = "0"
        self.fault = ""
        oracle = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                told = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                status, kind, body = oracle.answer(told["query"][0])
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *words: object) -> None:
                """Say nothing."""

        self._ended = threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Oracle:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10.0)

    def answer(self, query: str) -> tuple[int, str, bytes]:
        """Status, content type and body for one query."""
        if self.fault == "slow":
            self._ended.wait(SLOW_S)
        if self.fault == "page":
            return 502, "text/html", b"<html>Bad Gateway</html>"
        if self.fault == "error":
            said = {"status": "error", "errorType": "internal", "error": "the disk is on fire"}
            return 500, "application/json", json.dumps(said).encode()
        value = "1" if query.startswith("time()") else "NaN" if self.fault == "nan" else self.value
        samples = [] if self.fault == "empty" else [{"metric": {}, "value": [time.time(), value]}]
        told = {"status": "success", "data": {"resultType": "vector", "result": samples}}
        return 200, "application/json", json.dumps(told).encode()
