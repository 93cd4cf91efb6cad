"""Bounded load: `wrk` for throughput, and a small steady client that keeps every answer's status."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

from tests.parts.catalogue import program
from tests.parts.process import quiet_env
from tests.parts.require import require


@dataclass(frozen=True)
class WrkResult:
    """What one run of wrk saw."""

    requests: int
    rps: float
    non_2xx: int
    socket_errors: int
    output: str

    @property
    def failed(self) -> int:
        """Requests without a good answer."""
        return self.non_2xx + self.socket_errors


class Wrk:
    """wrk running beside the test. It ends by itself after `seconds`."""

    def __init__(self, url: str, *, connections: int = 24, threads: int = 1, seconds: int = 5) -> None:
        require("wrk")
        self._seconds = seconds
        shape = [f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
        self._process = subprocess.Popen(
            [str(program("wrk")), *shape, url],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=quiet_env(),
        )

    def running(self) -> bool:
        """Whether load still goes out."""
        return self._process.poll() is None

    def result(self) -> WrkResult:
        """Wait for its end and return what it saw."""
        output, _ = self._process.communicate(timeout=self._seconds + 30)
        assert self._process.returncode == 0, output
        return parse_wrk(output)

    def end(self) -> WrkResult:
        """End it early and return what it saw until then."""
        self._process.send_signal(signal.SIGINT)
        return self.result()

    def stop(self) -> None:
        """End it early, if it still runs; there is no result then."""
        self._process.terminate()
        self._process.communicate(timeout=10)


def wrk(url: str, *, connections: int = 24, threads: int = 1, seconds: int = 5) -> WrkResult:
    """Run wrk to its end and return what it saw."""
    return Wrk(url, connections=connections, threads=threads, seconds=seconds).result()


def parse_wrk(output: str) -> WrkResult:
    """The numbers in wrk's report; lines it leaves out when all went well count as zero."""
    done = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s*([\d.]+)", output)
    assert done, f"not a report of wrk:\n{output}"
    assert rate, f"not a report of wrk:\n{output}"
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(r"Socket errors: (.*)", output)
    return WrkResult(
        requests=int(done[1]),
        rps=float(rate[1]),
        non_2xx=int(bad[1]) if bad else 0,
        socket_errors=sum(map(int, re.findall(r"\d+", errors[1]))) if errors else 0,
        output=output,
    )


class SteadyLoad:
    """A few clients that each send one request after another until told to stop, or until a bound is reached.

    `statuses` counts answers by status code, and by exception name where there was no answer. A new connection per
    request, so that no failure hides behind a connection that was closed while idle. `url` may be a function: it is
    asked for each request, as a balancer would choose.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        clients: int = 2,
        every: float = 0.1,
        most: int = 20_000,
        within: float = 240.0,
    ):
        self._url = url if callable(url) else lambda: url
        self._every = every
        self._left = most
        self._end = time.monotonic() + within
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.statuses: Counter[int | str] = Counter()
        self._clients = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self) -> SteadyLoad:
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> Counter[int | str]:
        """Let each client finish its request; the counts are final then."""
        self._stop.set()
        for client in self._clients:
            client.join(30.0)
        return self.statuses

    @property
    def sent(self) -> int:
        """Requests answered or failed so far."""
        with self._lock:
            return sum(self.statuses.values())

    @property
    def failed(self) -> dict[int | str, int]:
        """What was not a 2xx answer, by status or exception."""
        with self._lock:
            return {what: n for what, n in self.statuses.items() if not (isinstance(what, int) and 200 <= what < 300)}

    def _run(self) -> None:
        while self._may_go_on():
            seen = self._once()
            with self._lock:
                self.statuses[seen] += 1
            self._stop.wait(self._every)

    def _may_go_on(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0 and not self._stop.is_set() and time.monotonic() < self._end

    def _once(self) -> int | str:
        parts = urlsplit(self._url())
        assert parts.hostname, parts
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=15.0)
        try:
            connection.request("GET", parts.path or "/", headers={"Connection": "close"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        except (OSError, http.client.HTTPException) as error:
            return type(error).__name__
        finally:
            connection.close()
