"""A recorded past in a real Prometheus, read through the real source cycle by cycle, on a clock moved by hand."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from autoscaler.clients.prometheus import PrometheusClient
from autoscaler.clock import ManualClock
from autoscaler.decide.plan import prepare
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.observe import Observer
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.model.decision import Decision
from autoscaler.policy.load import load
from autoscaler.sources.prometheus import PrometheusSource
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.naming import named
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from tests.unit.loop.house import OwnLease

BREATHS = 20  # turns of the event loop in which what was ordered begins


class Then:
    """A door to Prometheus behind which it is always `at`: queries for now are asked for that time of `url`."""

    def __init__(self, url: str) -> None:
        self.url, self.at = url, 0.0
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                asked = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                words = {name: values[0] for name, values in asked.items()} | {"time": repr(door.at)}
                code, body = self._passed_on(urllib.parse.urlencode(words))
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _passed_on(self, words: str) -> tuple[int, bytes]:
                if getattr(self, "url", "") != door.url:
                    self.url = door.url
                    self.server_behind = http.client.HTTPConnection(door.url.removeprefix("http://"), timeout=10)
                form = {"Content-Type": "application/x-www-form-urlencoded"}
                try:
                    self.server_behind.request("POST", self.path, words, form)
                    answer = self.server_behind.getresponse()
                    return answer.status, answer.read()
                except OSError:
                    self.server_behind.close()
                    return 502, b"nobody there"

            def log_message(self, *words: Any) -> None:
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()


class Replay:
    """One policy's workload at `start`, with `count` instances; `play` lets cycles pass as fast as they can be had."""

    def __init__(self, policy: str, url: str, *, start: float, count: int, cycle_s: float = 15.0) -> None:
        (placed,) = load([("policy.yaml", policy)], "r").placed
        self.ref = named(placed.policy)
        self.clock = ManualClock(start)
        self.cycle_s = cycle_s
        self.then = Then(url)
        self.fleet = Fleet(self.clock)
        self.fleet.put(self.ref, count)
        self._client = PrometheusClient(self.then.address)
        targets = Targets({name: lambda: SimulatedTarget(self.fleet, self.clock) for name in PLATFORMS})
        keeper, lease = Keeper(MemoryStore(), []), OwnLease()
        self._actor = Actor(targets, keeper, lease, self.clock)
        source = PrometheusSource(self._client)
        board = Board(started=start, cycle_s=cycle_s)
        self._cycle = Cycle(Observer(targets, {"prometheus": source}), self._actor, keeper, board, self.clock)
        self._cycle.plans = {self.ref.key: prepare(self.ref, placed.policy)}
        self.decisions: list[Decision] = []

    @property
    def count(self) -> int:
        """How many instances serve."""
        return len(self.fleet.workload(self.ref).counted())

    async def play(self, until: float, check: Callable[[float, int, Decision], None] | None = None) -> None:
        """Let cycles pass until a time; `check` is told each: when, the count after it, and the decision."""
        while self.clock.now() + self.cycle_s <= until:
            await self.clock.pass_time(self.cycle_s)
            self.then.at = now = self.clock.now()
            (decision,) = await self._cycle.run(None, cycle_s=self.cycle_s, now=now)
            self.decisions.append(decision)
            for _ in range(BREATHS):
                await asyncio.sleep(0)
            if check is not None:
                check(now, self.count, decision)

    async def close(self) -> None:
        """Let go of everything."""
        await self._actor.close()
        await self._client.close()
        self.then.close()


def samples(start: float, end: float, every_s: float, value: Callable[[float], float | None]) -> Iterator[str]:
    """`requests_total`, a counter that grows by `value` a second, and `load`, a gauge of it; nothing where it is None.

    The counter goes on counting in a hole: the service serves on, nobody writes it down.
    """
    total, counter, gauge = 0.0, ["# TYPE requests counter"], ["# TYPE load gauge"]
    at = start
    last = value(start) or 0.0
    while at <= end:
        now = value(at)
        last = last if now is None else now
        if now is not None:
            counter.append(f"requests_total {total:.3f} {at:.3f}")
            gauge.append(f"load {now} {at:.3f}")
        total += last * every_s
        at += every_s
    yield from (*counter, *gauge, "# EOF\n")


def written(folder: Path, lines: Iterator[str]) -> Path:
    """The samples as a file for promtool."""
    file = folder / "samples.openmetrics"
    file.write_text("\n".join(lines))
    return file
