"""A whole daemon around simulated surroundings, on virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Sequence

from autoscaler.decide.notify import Route
from autoscaler.decide.plan import Plan
from autoscaler.errors import SourceError
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts, Prove, believe
from autoscaler.loop.desk import Desk
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.notifier import Notifier
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.loop.rehearse import Recalled, rehearse
from autoscaler.loop.warming import Warming
from autoscaler.model.decision import Decision
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.policy import PolicySet
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Messenger, Repository, Revision, Sink, Store
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.simulated import Fleet, SimulatedTarget
from tests.support.policies import loading
from tests.support.virtual import LoopClock

WEB = WorkloadRef("compose", "shop", "service", "web")
POLICY = """
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 1, max: 10}
signals: [{name: load, prometheus: load, per_replica: 100}]
behavior: {down: {stabilization: 0s}}
"""


class Dial:
    """A source whose values a test sets by query; what is not set is empty."""

    def __init__(self) -> None:
        self.values: dict[str, float | Missing] = {}
        self.asked = 0
        self.slow_s = 0.0

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        self.asked += len(asks)
        await asyncio.sleep(self.slow_s)
        return [self._reading(ask.query) for ask in asks]

    def _reading(self, query: str) -> Reading:
        value = self.values.get(query, Missing(MissingWhy.EMPTY, "not set"))
        return value if isinstance(value, Missing) else Series((Point(value),), 1.0)

    async def close(self) -> None:
        pass


class Recorded:
    """A past in which a query had, at each time, what a function tells; while `away` says why, it tells nothing."""

    def __init__(self, told: Callable[[float], Reading], *, takes_s: float = 0.0) -> None:
        self.told = told
        self.takes_s = takes_s
        self.away = ""
        self.asked: list[tuple[float, int]] = []  # when, and for how many cycles
        self.under_way = 0

    async def read(self, asks: Sequence[Ask], times: Sequence[float]) -> list[Sequence[Reading] | SourceError]:
        self.under_way += 1
        assert self.under_way == 1 == len(asks), "one question at a time"
        self.asked.append((asyncio.get_running_loop().time(), len(times)))
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        return [SourceError(self.away) if self.away else [self.told(at) for at in times]]


class Texts:
    """A policy source that a test writes to."""

    def __init__(self, text: str) -> None:
        self._waiting: asyncio.Queue[Revision] = asyncio.Queue()
        self._count = 0
        self.write(text)

    def write(self, *texts: str) -> None:
        self._count += 1
        named = tuple((f"{number}.yaml", text) for number, text in enumerate(texts))
        self._waiting.put_nowait(Revision(f"r{self._count}", named))

    async def revisions(self) -> AsyncIterator[Revision]:
        while True:
            yield await self._waiting.get()


class OwnLease:
    """A lease nobody else wants, unless a test takes it away."""

    def __init__(self) -> None:
        self.left = math.inf

    async def hold(self) -> bool:
        return self.left > 0

    def holder(self) -> str | None:
        return "us" if self.left > 0 else "them"

    def address(self) -> str:
        return ""

    def remaining(self) -> float:
        return self.left

    async def release(self) -> None:
        self.left = 0.0


class House:
    """One daemon; what outlives it (fleet, store) may be handed to the next."""

    def __init__(
        self, policies: str = POLICY, *, count: int = 1, cycle_s: float = 15.0, fleet: Fleet | None = None,
        store: Store | None = None, past: Recorded | None = None, start_s: float = 5.0,
        platform: type[SimulatedTarget] = SimulatedTarget, load_s: float = 0.0,
        texts: Texts | None = None, repository: Repository | None = None, prove: Prove = believe,
        receivers: Sequence[tuple[Route, Messenger]] = (), shared: bool = False,
    ) -> None:  # fmt: skip
        self._load_s = load_s
        self.policies = policies
        self.clock = LoopClock()
        self.dial = Dial()
        self.texts = texts or Texts(policies)
        self.lease = OwnLease()
        self.store = store or MemoryStore()
        self.fleet = fleet or Fleet(self.clock)
        if fleet is None:
            self.web = self.fleet.put(WEB, count, start_s=start_s)
        targets = Targets({name: lambda: platform(self.fleet, self.clock) for name in PLATFORMS})
        self.board = Board(started=self.clock.now(), cycle_s=cycle_s)
        sinks: list[Sink] = []
        self.keeper = Keeper(self.store, sinks)
        self.notifier = Notifier(receivers, self.board, self.keeper, self.clock, lambda: self.lease.remaining() > 0)
        sinks.append(self.notifier)
        self.actor = Actor(targets, self.keeper, self.lease, self.clock)
        self.cycle = Cycle(
            Observer(targets, {"prometheus": self.dial}), self.actor, self.keeper, self.board, self.clock
        )
        parts = Parts(
            targets=targets, cycle=self.cycle, actor=self.actor, keeper=self.keeper, lease=self.lease,
            policies=self.texts, board=self.board, clock=self.clock, load=self._load,
            repository=repository, prove=prove,
            warming=None if past is None else Warming(
                past, self.cycle, self.board, self.clock, cycle_s, lambda: self.lease.remaining() > 0
            ),
            notifier=self.notifier if receivers else None,
        )  # fmt: skip
        self.daemon = Daemon(parts, cycle_s)
        past = Past(self.board, self.keeper, self.retell)
        self.desk = Desk(
            self.board, self.keeper, self.clock, self.daemon.control, past, self.cycle.recollect, shared=shared
        )

    async def _load(self, texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
        await self.clock.sleep(self._load_s)
        return await loading(texts, revision)

    async def retell(self, plan: Plan, state: TargetState, at: float) -> Decision:
        """The past as the dial would tell it: what it says now."""
        asks = [Ask(plan.ref, each, each.prometheus or "") for each in plan.workload.policy.signals]
        seen = Seen(state=state, readings=tuple(await self.dial.read(asks, at)))
        return rehearse(plan, seen, [], Recalled(), now=at, cycle_s=15.0)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[House]:
        """The daemon, running until the block ends; stopped cleanly then."""
        await self.daemon.begin()
        task = asyncio.create_task(self.daemon.run())
        try:
            yield self
        finally:
            self.daemon.stop()
            await task

    def count(self) -> int:
        """How many instances of the service exist, from outside."""
        return sum(not unit.draining for unit in self.fleet.workload(WEB).units.values())

    def reason(self) -> str:
        """The reason on the board."""
        decision = self.board.entries[WEB.key].decision
        return decision.reason.value if decision is not None else ""
