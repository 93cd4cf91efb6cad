"""The daemons of a world: how one is put together, and the supervisor that starts the next one when it is gone."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from autoscaler.clock import SystemClock
from autoscaler.errors import AutoscalerError, LeaseError
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts
from autoscaler.loop.desk import Desk
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.observe import Observer
from autoscaler.loop.orders import Orders
from autoscaler.loop.past import Past
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.model.decision import Decision
from autoscaler.model.policy import PolicySet
from autoscaler.policy.load import load
from autoscaler.ports import Fact, Revision
from autoscaler.targets.simulated import SimulatedTarget
from tests.simulation.keeping import FailingStore, SharedLease
from tests.simulation.process import Process
from tests.simulation.wires import FailingSource, FailingTarget

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")

RENEW_S = 20.0
BEGIN_AGAIN_S = 30.0
ANSWER_S = 30.0  # what a person waits for an answer
STOPS_WITHIN_S = 60.0


class SetClock(SystemClock):
    """The product's clock over a wall clock that somebody sets, and virtual time."""

    def __init__(self, world: World) -> None:
        self.step = 0.0
        super().__init__(lambda: world.now() + self.step, world.since)


class Files:
    """A policy source: what its owner writes is a revision."""

    def __init__(self, texts: Sequence[tuple[str, str]]) -> None:
        self._waiting: asyncio.Queue[Revision] = asyncio.Queue()
        self._count = itertools.count(1)
        self.write(texts)

    def write(self, texts: Sequence[tuple[str, str]]) -> None:
        self._waiting.put_nowait(Revision(f"r{next(self._count)}", tuple(texts)))

    async def revisions(self) -> AsyncIterator[Revision]:
        while True:
            yield await self._waiting.get()


@dataclass
class Life:
    """One process: a daemon and what it stands on.

    `restored` is when it took up what was kept (by its own clock; `since` by the true one), `clean` whether that was
    left by a clean stop, `turned` when its last cycle was decided.
    """

    name: str
    process: Process
    clock: SetClock
    daemon: Daemon
    cycle: Cycle
    desk: Desk
    board: Board
    files: Files
    lease: SharedLease
    source: FailingSource
    gone_s: float = 5.0  # until the supervisor starts the next one
    restored: float = math.inf
    since: float = math.inf
    clean: bool = False
    turned: float = -math.inf
    told_to_stop: float | None = None
    began: float = field(default=-math.inf)

    async def asked(self, request: Coroutine[Any, Any, T]) -> T | BaseException | None:
        """A person's request, answered by the process itself, or its error; None where nobody answers in time."""
        answer = self.process.spawn(request)
        done, _ = await asyncio.wait({answer}, timeout=ANSWER_S)
        if not done:
            return None
        return answer.exception() or answer.result()


def born(world: World, name: str, number: int) -> Life:
    """A new process, not running yet."""
    process = Process(f"{name}{number}", world.told.seed)
    clock, ids = SetClock(world), itertools.count(1)
    targets = Targets({
        platform: lambda: FailingTarget(world, process, SimulatedTarget(world.fleet, clock), name)
        for platform in PLATFORMS
    })  # fmt: skip
    keeper = Keeper(FailingStore(world, process, name), [])
    lease, source = SharedLease(world, process, name), FailingSource(world, process)
    board = Board(started=clock.now(), cycle_s=world.told.cycle_s)
    actor = Actor(targets, keeper, lease, clock)
    cycle = Cycle(
        Observer(targets, {"prometheus": source}), actor, keeper, board, clock,
        orders=Orders(lambda: f"{process.mark}.{next(ids)}"),
    )  # fmt: skip
    files = Files(world.texts())
    parts = Parts(
        targets=targets, cycle=cycle, actor=actor, keeper=keeper, lease=lease, policies=files, board=board, clock=clock,
        load=loading, lease_s=RENEW_S,
    )  # fmt: skip
    daemon = Daemon(parts, world.told.cycle_s)
    desk = Desk(board, keeper, clock, daemon.control, Past(board, keeper, _untold), cycle.recollect)
    life = Life(name, process, clock, daemon, cycle, desk, board, files, lease, source)
    _watch(world, life)
    return life


def _watch(world: World, life: Life) -> None:
    """Have the rules look at every decision, and know from which facts they are made."""
    run, restore = life.cycle.run, life.cycle.restore

    async def watched(
        keys: Iterable[str] | None, *, cycle_s: float, wake: bool = False, now: float | None = None
    ) -> list[Decision]:
        plans = dict(life.cycle.plans)
        decisions = await run(keys, cycle_s=cycle_s, wake=wake, now=now)
        if not wake:
            life.turned = world.now()
        world.rules.decided(life, plans, decisions)
        return decisions

    def taken_up(facts: Sequence[Fact], *, clean: bool) -> None:
        life.restored, life.since, life.clean = life.clock.now(), world.now(), clean
        restore(facts, clean=clean)

    life.cycle.run, life.cycle.restore = watched, taken_up  # type: ignore[method-assign]


async def kept(world: World, name: str) -> None:
    """The supervisor of one daemon: starts it whenever there is none, again and again."""
    for number in itertools.count(1):
        life = born(world, name, number)
        world.lives[name] = life
        world.graves.append(life)
        running = life.process.spawn(_live(world, life))
        gone = asyncio.ensure_future(life.process.gone.wait())
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        defect = running.exception() if running.done() else None
        if defect is not None and not isinstance(defect, AutoscalerError):
            world.rules.say("no daemon dies of a defect", f"{life.process.mark}: {defect!r}")
        life.process.kill()
        del world.lives[name]
        await asyncio.sleep(life.gone_s)


async def _live(world: World, life: Life) -> None:
    while True:
        try:
            await life.daemon.begin()
            break
        except LeaseError:
            if life.told_to_stop is not None:
                return
            await life.clock.sleep(BEGIN_AGAIN_S)
    life.began = world.now()
    await life.daemon.run()


_FILES: dict[tuple[str, str], PolicySet] = {}


async def loading(texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
    """What the daemon loads by; no thread is at work where time is virtual."""
    return loaded(texts, revision)


def loaded(texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
    """The loader, a file at a time; what it made of a file before is used again, because that is most of its time."""
    if len(_FILES) > 10_000:
        _FILES.clear()
    fresh = [text for text in texts if text not in _FILES]
    _FILES.update({text: load([text], revision) for text in fresh})
    return PolicySet(revision, tuple(each for text in texts for each in _FILES[text].placed))


async def _untold(plan: object, state: object, at: float) -> Decision:
    raise AutoscalerError("nobody asks here")
