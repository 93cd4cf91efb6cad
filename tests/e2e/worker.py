"""A worker for tests: its share of the load written in a file, readiness that can be taken away, and a mark of itself.

`python -m tests.e2e.worker FOLDER` listens on PORT. `FOLDER/load` holds the load of all; each living worker carries
an even share of it. POST /sick makes `/ready` answer 503 for ever.
"""

from __future__ import annotations

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def alive(folder: Path) -> list[int]:
    """The pids of the workers that run, oldest mark first."""
    marks = sorted((folder / "here").glob("[0-9]*"), key=lambda each: each.stat().st_mtime)
    return [int(each.name) for each in marks if _runs(int(each.name))]


def port_of(folder: Path, pid: int) -> int:
    """The port a worker listens on."""
    return int((folder / "here" / str(pid)).read_text())


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


class Answers(BaseHTTPRequestHandler):
    """`/ready`, `/metrics` and `/sick`."""

    folder: Path
    sick = False

    def do_GET(self) -> None:
        if self.path == "/metrics":
            share = float((self.folder / "load").read_text()) / max(1, len(alive(self.folder)))
            self._say(200, f"# TYPE load gauge\nload {share}\n")
        else:
            self._say(503 if Answers.sick else 200, "sick\n" if Answers.sick else "ready\n")

    def do_POST(self) -> None:
        Answers.sick = True
        self._say(200, "sick from now on\n")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(text.encode())


def main() -> None:
    Answers.folder = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answers)
    mark = Answers.folder / "here" / str(os.getpid())
    mark.parent.mkdir(exist_ok=True)
    mark.write_text(os.environ["PORT"])
    server.serve_forever()


if __name__ == "__main__":
    main()
