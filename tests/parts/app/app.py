"""A web application of known capacity: each copy serves SLOTS / WORK requests a second and no more.

With the defaults that is 80, whatever the machine, so a second copy really doubles what gets through even on two
cores. `/metrics` counts; `/sick`, `/crash` and `/leak` break it; SIGTERM makes it unhealthy, lets it serve for DRAIN
seconds more, then finish what it has begun.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SLOTS = int(os.environ.get("SLOTS", "4"))  # requests worked on at the same time; the rest queue
WORK = float(os.environ.get("WORK", "0.05"))  # seconds each takes
DRAIN = float(os.environ.get("DRAIN", "0"))  # seconds it goes on serving after SIGTERM
PORT = int(os.environ.get("PORT", "8000"))
LONGEST_REQUEST = 30.0

METRICS = """\
# TYPE http_requests_total counter
http_requests_total{{code="200"}} {served}
# TYPE http_requests_in_flight gauge
http_requests_in_flight {in_flight}
"""


class State:
    """What this copy has done and how it feels."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.slots = threading.Semaphore(SLOTS)
        self.served = 0
        self.in_flight = 0
        self.sick = False
        self.ending = False
        self.leaked: list[bytearray] = []

    def work(self, seconds: float) -> None:
        """Wait for a slot and hold it."""
        with self.lock:
            self.in_flight += 1
        with self.slots:
            time.sleep(seconds)
        with self.lock:
            self.in_flight -= 1
            self.served += 1

    def end(self) -> None:
        """Serve on for DRAIN seconds, finish what is in flight, exit."""
        time.sleep(DRAIN)
        latest = time.monotonic() + LONGEST_REQUEST
        while self.in_flight and time.monotonic() < latest:
            time.sleep(0.02)
        os._exit(0)


STATE = State()
NAME = socket.gethostname()


class Handler(BaseHTTPRequestHandler):
    """Each path is a knob; any other is a request that costs WORK."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer one request."""
        url = urlsplit(self.path)
        ask = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/healthz":
            well = not (STATE.sick or STATE.ending)
            self.answer("ok\n" if well else "no\n", code=200 if well else 503)
        elif url.path == "/metrics":
            self.answer(
                METRICS.format(served=STATE.served, in_flight=STATE.in_flight), kind="text/plain; version=0.0.4"
            )
        elif url.path == "/sick":
            STATE.sick = True
            self.answer(f"{NAME}\n")
        elif url.path == "/crash":
            self.answer("bye\n")
            os._exit(int(ask.get("code", "3")))
        elif url.path == "/leak":
            STATE.leaked.append(bytearray(b"\1") * (int(ask.get("mb", "10")) << 20))  # written to, so that it counts
            self.answer("ok\n")
        else:
            STATE.work(float(ask.get("t", WORK)))
            self.answer(f"{NAME}\n")

    def answer(self, text: str, *, code: int = 200, kind: str = "text/plain") -> None:
        """Send one response; connections are closed once this copy is ending, so that clients move on."""
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Replica", NAME)
        if STATE.ending:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Requests are counted, not logged."""


class Server(ThreadingHTTPServer):
    """One thread per connection; the queue holds what a load test opens at once."""

    request_queue_size = 512
    daemon_threads = True


def main() -> None:
    """Serve until SIGTERM."""

    def terminate(*_: object) -> None:
        if not STATE.ending:
            STATE.ending = True
            threading.Thread(target=STATE.end).start()

    signal.signal(signal.SIGTERM, terminate)
    Server(("", PORT), Handler).serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
