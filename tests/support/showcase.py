"""A fleet to look at: a real daemon over a simulated platform, its past played on virtual time before its doors open.

`python -m tests.support.showcase 200 13` opens the dashboard of 200 workloads with 13 hours behind them.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
import sys
import tempfile
import zlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from autoscaler.clock import SystemClock
from autoscaler.decide.plan import prepare
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts
from autoscaler.loop.desk import Desk, Word
from autoscaler.loop.foresee import foresee
from autoscaler.loop.gallery import Gallery
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.loop.rehearse import Foresight
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.load import load
from autoscaler.ports import Clock, Revision
from autoscaler.settings import WebSettings
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.naming import named
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from autoscaler.web.doors import Rooms
from autoscaler.web.events import Streams
from autoscaler.web.server import Vitals, serve
from tests.support import virtual
from tests.support.policies import loading
from tests.unit.loop.house import OwnLease

TEAMS = ("shop", "payments", "search", "media", "identity", "logistics", "jobs", "edge")
PARTS_OF = (
    "api",
    "web",
    "worker",
    "gateway",
    "indexer",
    "mailer",
    "renderer",
    "sync",
    "feed",
    "cart",
    "quotes",
    "audit",
)
TOKEN = "showcase-token-of-alice"


class Turned:
    """A clock that is another one from some moment on."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def now(self) -> float:
        return self.clock.now()

    def monotonic(self) -> float:
        return self.clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self.clock.sleep(seconds)


class Onward:
    """Goes on from a time at which another clock stopped."""

    def __init__(self, start: float) -> None:
        self._clock = SystemClock()
        self._ahead = start - self._clock.now()

    def now(self) -> float:
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)


class Waves:
    """Loads that rise and fall, each query in its own way; what is `silent` has no data."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.times: dict[str, float] = {}

    async def read(self, asks: Sequence[Ask], now: float) -> list[Reading]:
        return [self.value(ask.query, now) for ask in asks]

    def value(self, query: str, now: float) -> Reading:
        if query in self.silent:
            return Missing(MissingWhy.EMPTY, "the query gives no series")
        seed = zlib.crc32(query.encode())
        slow = math.sin(now / (2400 + seed % 5000) + seed % 7)
        fast = math.sin(now / (300 + seed % 400) + seed % 11)
        noise = random.Random(seed ^ int(now)).gauss(0, 0.02)
        share = max(0.02, 0.48 + 0.3 * slow + 0.1 * fast + noise) * self.times.get(query, 1.0)
        if query.startswith("cpu"):
            return Series((Point(min(0.98, 0.35 + 0.5 * share)),), 4.0)
        if query.startswith("queue"):
            share = max(0.0, slow - 0.2) * 0.6
        return Series((Point(share * (200 + seed % 1800)),), 3.0)

    async def close(self) -> None:
        pass


class Texts:
    """The policy set as it was last written."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[Revision] = asyncio.Queue()

    async def revisions(self) -> AsyncIterator[Revision]:
        while True:
            yield await self.waiting.get()


def policy(number: int) -> tuple[str, str]:
    """File and text of one policy of many, no two alike."""
    team = TEAMS[number % len(TEAMS)]
    part = PARTS_OF[number // len(TEAMS) % len(PARTS_OF)]
    name = f"{team}-{part}" + (f"-{number // 96 + 1}" if number >= 96 else "")
    service = name.removeprefix(f"{team}-")
    most = (6, 12, 20, 40)[number % 4]
    load_ = f"{'queue' if number % 12 == 11 else 'load'}_{name.replace('-', '_')}"
    peak = 200 + zlib.crc32(load_.encode()) % 1800
    per = max(5, round(peak / most / (0.9 if number % 9 else 1.6)))
    target = f"compose: {{project: {team}, service: {service}}}"
    if number % 3 == 1:
        target = f"kubernetes: {{namespace: {team}, name: {service}}}"
    lines = [
        f"name: {name}",
        f"target: {{{target}}}",
        f"replicas: {{min: {1 + number % 3}, max: {most}}}",
        f"labels: {{team: {team}}}",
        "signals:",
        "  - name: requests",
        f"    prometheus: {load_}",
        f"    per_replica: {per}",
    ]
    if number % 12 == 11:
        lines += [f"  - {{name: waiting, prometheus: {load_}, wake_above: 5}}", "idle: {after: 10m}"]
    elif number % 6 == 4:
        lines.append(f"    capacity: {round(per * 1.3)}")
        lines.append("algorithm: adaptive")
    elif number % 2:
        lines += ["  - name: cpu", f"    prometheus: cpu_{name.replace('-', '_')}", "    utilization: 70%"]
    if number % 5 == 2:
        lines += ["schedule:", f"  - {{name: office hours, cron: 0 {7 + number % 3} * * mon-fri, for: 9h, min: 4}}"]
    if number % 10 == 7:
        lines += ["  - {name: night, cron: 0 22 * * *, for: 7h, max: 4}"]
    if number % 17 == 5:
        lines += ["mode: observe"]
    if number % 3 == 0:
        lines += ["recycle: {when: {unhealthy_for: 30s}}"]
    return f"policies/{team}.yaml", "\n".join(lines) + "\n"


class Showcase:
    """One daemon with its past; `texts` are the files of its policies."""

    def __init__(self, count: int, cycle_s: float) -> None:
        self.clock = Turned(SystemClock())
        self.cycle_s = cycle_s
        files: dict[str, list[str]] = {}
        for number in range(count):
            file, text = policy(number)
            files.setdefault(file, []).append(text)
        self.texts = tuple((file, "---\n".join(each)) for file, each in sorted(files.items()))
        self.policies = load(self.texts, "r").policies
        self.refs = {each.name: named(each) for each in self.policies}
        self.waves = Waves()
        self.fleet = Fleet(self.clock)
        self.store = MemoryStore()
        self.board = Board(started=0.0, cycle_s=cycle_s)
        self.streams = Streams(self.board)
        self.revisions = Texts()
        self.keeper: Keeper
        self.daemon: Daemon
        self.desk: Desk
        self.gallery: Gallery

    def born(self) -> Daemon:
        """A daemon over all that outlives one."""
        targets = Targets({name: lambda: SimulatedTarget(self.fleet, self.clock) for name in PLATFORMS})
        self.keeper = Keeper(self.store, [self.streams])
        self.revisions = Texts()
        self.write(*self.texts)
        lease, observer = OwnLease(), Observer(targets, {"prometheus": self.waves})
        actor = Actor(targets, self.keeper, lease, self.clock)
        cycle = Cycle(observer, actor, self.keeper, self.board, self.clock)
        parts = Parts(
            targets=targets, cycle=cycle, actor=actor, keeper=self.keeper, lease=lease, policies=self.revisions,
            board=self.board, clock=self.clock, load=loading,
        )  # fmt: skip
        self.daemon = Daemon(parts, self.cycle_s)
        past = Past(self.board, self.keeper, _untold)
        self.desk = Desk(self.board, self.keeper, self.clock, self.daemon.control, past, cycle.recollect)
        self.gallery = Gallery(self.board, self.desk, self.clock, self._attempt)
        self._observer = observer
        return self.daemon

    def write(self, *texts: tuple[str, str]) -> None:
        """A new state of the policy files."""
        mark = zlib.crc32("".join(text for _, text in texts).encode())
        self.revisions.waiting.put_nowait(Revision(f"{mark:08x}4c1e", tuple(texts)))

    def play(self, hours: float, end: float) -> None:
        """The past, up to `end`."""

        async def story() -> None:
            self.clock.clock = virtual.LoopClock(end - hours * 3600.0)
            self.board.started = self.clock.now()
            for each in self.policies:
                self.fleet.put(self.refs[each.name], 2, start_s=20.0)
            daemon = self.born()
            await daemon.begin()
            running = asyncio.create_task(daemon.run())
            await asyncio.sleep(hours * 3600.0 - 900.0)
            await self.happen()
            await asyncio.sleep(900.0)
            daemon.stop()
            await running

        virtual.run(story())
        self.clock.clock = Onward(end)

    async def happen(self) -> None:
        """What a person would want to see: missing data, a pause, an override, other hands."""
        names = [each.name for each in self.policies]
        self.waves.silent |= {f"load_{name.replace('-', '_')}" for name in names[4::41]}
        self.waves.times |= {f"load_{name.replace('-', '_')}": 2.2 for name in names[2::67]}
        if len(names) > 3:
            await self.desk.pause(names[3], word=Word("bo", "database migration"))
        if len(names) > 8:
            await self.desk.override(names[8], 5, for_s=7200.0, word=Word("alice", "sale starts at noon"))

    def make_sick(self, policy: str) -> None:
        """One instance of a workload is not ready any more."""
        ref: WorkloadRef = self.refs[policy]
        units = self.fleet.workload(ref).units
        self.fleet.make_sick(ref, next(iter(units)))

    @contextlib.asynccontextmanager
    async def open(self, folder: Path, port: int) -> AsyncIterator[str]:
        """The daemon goes on, with its doors open; gives the URL."""
        tokens = folder / "tokens"
        tokens.write_text(f"alice write {TOKEN}\n")
        vitals = Vitals(self.board, self.clock.now, leading=lambda: True, store_failing=lambda: False)
        daemon = self.born()
        await daemon.begin()
        running = asyncio.create_task(daemon.run())
        rooms = Rooms(self.desk, self.gallery, self.streams)
        web = WebSettings(tokens=str(tokens))
        async with serve(rooms, vitals, folder / "autoscaler.sock", ("127.0.0.1", port), web):
            try:
                yield f"http://127.0.0.1:{port}"
            finally:
                daemon.stop()
                await running

    async def _attempt(self, texts: Sequence[tuple[str, str]], file: str | None, current: int | None) -> Foresight:
        """A dry run over the same waves and the same fleet."""
        placed = [each.policy for each in load(texts, "what-if").placed if file in (None, each.file)]
        plans = [prepare(named(each), each) for each in placed]
        told, notes = await foresee(plans, self._observer, _Silent(), self.clock, self.cycle_s)
        return Foresight(
            at=self.clock.now(), cycle_s=self.cycle_s, prometheus="waves", pretended=current, notes=tuple(notes),
            workloads=tuple(told),
        )  # fmt: skip


class _Silent:
    """Nobody tells of the past."""

    async def read(self, asks: Sequence[Ask], times: Sequence[float]) -> list[Sequence[Reading]]:
        return [[Missing(MissingWhy.EMPTY, "")] * len(times) for _ in asks]


async def _untold(*words: object) -> object:
    from autoscaler.errors import SourceError

    raise SourceError("nobody tells of that time")


async def _main(count: int, hours: float, port: int) -> None:
    """Play the past in a thread of its own (a virtual loop cannot run inside this one), then stay open."""
    showcase = Showcase(count, 15.0 if hours < 2 else 30.0)
    await asyncio.to_thread(showcase.play, hours, SystemClock().now())
    showcase.make_sick(showcase.policies[0].name)
    with tempfile.TemporaryDirectory() as folder:
        async with showcase.open(Path(folder), port) as url:
            print(url, TOKEN, flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    numbers = [float(each) for each in sys.argv[1:]]
    many, past, door = [*numbers, *(200.0, 7.0, 8799.0)[len(numbers) :]]
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_main(int(many), past, int(door)))
