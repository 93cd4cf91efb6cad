"""One world: a fleet, two daemons over one lease, a story of faults, and the rules watching."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from autoscaler.errors import AutoscalerError, LeaseError
from autoscaler.loop.act import Actor
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.daemon import Daemon, Parts
from autoscaler.loop.desk import Desk
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.observe import Observer
from autoscaler.loop.past import Past
from autoscaler.loop.registry import PLATFORMS, Targets
from autoscaler.model.decision import Decision
from autoscaler.model.policy import Policy
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.load import load
from autoscaler.store.memory import MemoryStore
from autoscaler.targets.simulated import Fleet
from tests.simulation.rules import Rules
from tests.simulation.story import DAY_S, HOUR_S, Event, Told
from tests.simulation.surroundings import (
    FailingSource,
    FailingStore,
    FailingTarget,
    Mortal,
    MortalClock,
    SharedLease,
    Truth,
)
from tests.support.virtual import START, LoopClock
from tests.unit.loop.house import Texts

QUIET_S = 3 * HOUR_S
MIN, MAX = 2, 10

SHAPES = (
    "signals: [{name: load, prometheus: load, per_replica: 100}]",
    "signals: [{name: load, prometheus: load, per_replica: 100}, {name: other, prometheus: other, per_replica: 100}]",
    "signals: [{name: load, prometheus: load, per_replica: 100, failed: {last_good: 10m}}]",
    "signals: [{name: load, prometheus: load, per_replica: 100, failed: {at_least: 4}}]",
    "idle: {after: 10m}\nsignals: [{name: load, prometheus: load, per_replica: 100, wake_above: 0}]",
    "schedule: [{name: noon, cron: '0 12 * * *', for: 2h, min: 5}]\n"
    "signals: [{name: load, prometheus: load, per_replica: 100}]",
    "behavior: {down: {rates: [{replicas: 1, per: 5m}]}, reversals: {count: 6, per: 1h}}\n"
    "signals: [{name: load, prometheus: load, per_replica: 100}]",
)
EDITS = {"wider": (1, 14), "narrower": (3, 6), "back": (MIN, MAX), "broken": (MAX, MIN)}


@dataclass
class Hand:
    """What other hands did to one workload last."""

    raised_to: int = 0
    raised_at: float = -math.inf
    count_at: int = 0  # the count as they left it
    most: int = 0
    most_at: float = -math.inf
    off: bool = False


@dataclass
class Life:
    """One process: a daemon, what it stands on, and whether it knew the past when it began."""

    name: str
    mark: str
    mortal: Mortal
    clock: MortalClock
    daemon: Daemon
    cycle: Cycle
    desk: Desk
    board: Board
    texts: Texts
    lease: SharedLease
    began: float
    knows_past: bool
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    gone_s: float = 5.0  # until the supervisor starts the next one


@dataclass
class World:
    """Plays one story. `rules.broken` tells what went wrong; empty is good."""

    told: Told
    cycle_s: float = 60.0
    down_window_s: float = 300.0
    over: bool = False
    lives: dict[str, Life] = field(default_factory=dict)
    hands: dict[str, Hand] = field(default_factory=dict)
    edited: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules = Rules(self)
        self.lease = Truth()
        self.store = MemoryStore(lines=2_000)
        self.stop = asyncio.Event()
        self.refs = [WorkloadRef("compose", "shop", "service", f"w{who}") for who in range(self.told.workloads)]
        self._numbers = {ref.key: who for who, ref in enumerate(self.refs)}
        self._edits = [EDITS["back"]] * self.told.workloads
        self._active: list[Event] = []
        self._births = 0
        self.policies: list[Policy] = list(load(self._texts(), "r0").policies)

    # what the surroundings ask

    def now(self) -> float:
        return START + asyncio.get_running_loop().time()

    def since(self) -> float:
        return asyncio.get_running_loop().time()

    def number(self, ref: WorkloadRef) -> int:
        return self._numbers[ref.key]

    def during(self, what: str, who: int = -1) -> Event | None:
        """The fault of this kind that is going on for this workload, if any."""
        return next((each for each in self._active if each.what == what and each.who in (who, -1)), None)

    def load(self, who: int, signal: str) -> float:
        """A workload's load now: a day's wave, some noise, what the story adds; calm and constant at the end."""
        event = self.during("load", who)
        if event is not None:
            return 100.0 * event.much * MIN
        if self.since() > self.told.days * DAY_S:
            return 450.0
        wave = 1.0 + 0.8 * math.sin(2 * math.pi * (self.since() / DAY_S + who / 7))
        noise = ((self.told.seed * 7919 + who * 104729 + int(self.since() // 60) * 31) % 101) / 500
        asleep = 0.0 if who % len(SHAPES) == 4 and wave < 0.6 else 1.0
        return asleep * 350.0 * wave * (0.9 + noise) * (0.7 if signal == "other" else 1.0)

    def most(self, key: str) -> int:
        """More than this may never exist: the policy's maximum of late, or what other hands made."""
        hand = self.hands.get(key)
        recent = hand.most if hand is not None and self.now() - hand.most_at < 4 * HOUR_S else 0
        return max(14, recent)

    def wanted(self, who: int) -> tuple[int, int]:
        """What should run at the end: 450 of load, 100 per replica, the tolerance either way, the bounds."""
        low, high = self._edits[who] if self._edits[who] != EDITS["broken"] else EDITS["back"]
        return min(max(low, 5), high), min(max(low, 5), high)

    def why(self, ref: WorkloadRef) -> str:
        """What the acting daemon says of a workload."""
        for life in self.lives.values():
            entry = life.board.entries.get(ref.key)
            if life.lease.remaining() > 0 and entry is not None and entry.decision is not None:
                return f"{life.name}: {entry.decision.reason.value} at {entry.decision.at - START:.0f} s"
        return "nobody acts"

    # playing

    async def play(self) -> None:
        """The whole story, then a quiet while, then the last look."""
        self.fleet = Fleet(LoopClock())
        for who, ref in enumerate(self.refs):
            self.fleet.put(ref, MIN, start_s=5.0 + 3 * (who % 5))
        self.fleet.after = self._after
        for name in ("a", "b"):
            self._keepers = [*getattr(self, "_keepers", []), asyncio.create_task(self._keep(name))]
        try:
            await self._events()
            if not self.stop.is_set():
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), QUIET_S)
            if not self.stop.is_set():
                self.rules.settled()
        finally:
            self.over = True
            for task in self._keepers:
                task.cancel()

    async def _events(self) -> None:
        begin = self.since()
        ends: list[tuple[float, Event]] = []
        moments = [*self.told.events, Event(self.told.days * DAY_S, "calm")]
        for event in moments:
            while ends and ends[0][0] <= event.at:
                at, over = ends.pop(0)
                await self._until(begin + at)
                self._end(over)
            if not await self._until(begin + event.at):
                return
            if event.what == "calm":
                break
            await self._begin(event)
            if event.lasts:
                ends.append((event.at + event.lasts, event))
                ends.sort(key=lambda each: each[0])
        for _, over in ends:
            self._end(over)

    async def _until(self, at: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), max(0.0, at - self.since()))
        return not self.stop.is_set()

    async def _begin(self, event: Event) -> None:
        if event.lasts:
            self._active.append(event)
        ref = self.refs[event.who]
        workload = self.fleet.workload(ref)
        units = [each for each in workload.counted() if each.ready(self.now())]
        match event.what:
            case "platform away":
                self.fleet.away = "connection refused"
            case "sick" if units:
                self.fleet.make_sick(ref, units[0].id)
            case "crash" if units:
                self.fleet.crash(ref, units[-1].id)
            case "removed by others" if units:
                self._other(ref, len(workload.counted()) - 1)
                self.fleet.remove(ref, units[0].id)
            case "count by others" if not self._hand(ref).off and workload.counted():
                self._other(ref, int(event.much))
                self.fleet.set_count(ref, int(event.much))
            case "zero by owner":
                self._hand(ref).off = True
                for unit in workload.counted():
                    self.fleet.remove(ref, unit.id)
            case "never ready":
                workload.start_s = math.inf
            case "limit":
                workload.limit = int(event.much)
            case "rollout":
                workload.rollout = True
            case "kill":
                self._kill(event)
            case "restart":
                life = self.lives.get(event.how)
                if life is not None:
                    life.gone_s = event.lasts
                    life.daemon.stop()
            case "wall clock":
                life = self.lives.get(event.how)
                if life is not None:
                    life.clock.step += event.much
            case "policy":
                self._edit(event)
            case "pause" | "override":
                await self._word(event)

    def _end(self, event: Event) -> None:
        self._active.remove(event)
        workload = self.fleet.workload(self.refs[event.who])
        match event.what:
            case "platform away":
                self.fleet.away = "" if self.during("platform away") is None else "connection refused"
            case "never ready":
                workload.start_s = 5.0
                for unit in workload.units.values():
                    if unit.running() and unit.ready_at == math.inf:
                        unit.ready_at = self.now()
            case "limit":
                workload.limit = None
            case "rollout":
                workload.rollout = False
            case "zero by owner":
                self._hand(workload.ref).off = False
                if not workload.counted():
                    self._other(workload.ref, 1)
                    self.fleet.set_count(workload.ref, 1)

    def _after(self, word: str, ref: WorkloadRef) -> None:
        """Some answers of the platform get lost on their way back."""
        from autoscaler.errors import Unreachable

        if word != "list" and self.during("answer lost", self.number(ref)) is not None:
            raise Unreachable("connection reset after the call was made")

    # hands, words and policies

    def _hand(self, ref: WorkloadRef) -> Hand:
        return self.hands.setdefault(ref.key, Hand())

    def _other(self, ref: WorkloadRef, count: int) -> None:
        hand, before = self._hand(ref), len(self.fleet.workload(ref).counted())
        if count > before:
            hand.raised_to, hand.raised_at = count, self.now()
        hand.count_at = count
        hand.most, hand.most_at = max(count, hand.most if self.now() - hand.most_at < 4 * HOUR_S else 0), self.now()

    def _texts(self) -> Sequence[tuple[str, str]]:
        found = []
        for who in range(self.told.workloads):
            low, high = self._edits[who]
            found.append((
                f"w{who}.yaml",
                f"name: w{who}\ntarget: {{compose: {{project: shop, service: w{who}}}}}\n"
                f"replicas: {{min: {low}, max: {high}}}\nrecycle: {{when: {{unhealthy_for: 30s}}}}\n"
                f"lifecycle: {{ready_within: 60s, drain: 5s, stop_within: 10s}}\n{SHAPES[who % len(SHAPES)]}\n",
            ))  # fmt: skip
        return found

    def _edit(self, event: Event) -> None:
        self._edits[event.who] = EDITS[event.how]
        self.edited[self.refs[event.who].key] = self.now()
        if event.how != "broken":
            with contextlib.suppress(AutoscalerError):
                self.policies = list(load(self._texts(), "r").policies)
        for life in self.lives.values():
            life.texts.write(*(text for _, text in self._texts()))

    async def _word(self, event: Event) -> None:
        life = next((each for each in self.lives.values() if each.lease.remaining() > 0), None)
        if life is None:
            return
        with contextlib.suppress(AutoscalerError):
            if event.what == "pause":
                await life.desk.pause(f"w{event.who}", for_s=event.lasts)
            else:
                await life.desk.override(f"w{event.who}", int(event.much), for_s=event.lasts)
                hand = self._hand(self.refs[event.who])
                hand.raised_at = -math.inf
        self.edited[self.refs[event.who].key] = self.now() + event.lasts

    # daemons

    def _kill(self, event: Event) -> None:
        """The process freezes at its next await, wherever that is; its supervisor sees that it is gone."""
        life = self.lives.pop(event.how, None)
        if life is not None:
            life.mortal.dead = True
            life.gone_s = event.lasts
            life.ended.set()

    async def _keep(self, name: str) -> None:
        """A supervisor: starts the daemon whenever there is none, again and again."""
        clean = False
        while not self.over:
            life = self._born(name, clean=clean)
            self.lives[name] = life
            running = asyncio.create_task(self._live(life))
            ended = asyncio.create_task(life.ended.wait())
            await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            defect = running.exception() if running.done() else None
            if defect is not None and not isinstance(defect, AutoscalerError):
                self.rules.say("no daemon dies of a defect", f"{name}: {defect!r}")
                return
            clean = running.done() and defect is None
            self.lives.pop(name, None)
            await asyncio.sleep(life.gone_s)

    async def _live(self, life: Life) -> None:
        while True:
            try:
                await life.daemon.begin()
                break
            except LeaseError:
                await life.clock.sleep(15.0)
        life.began = self.now()
        life.knows_past = False
        await life.daemon.run()

    def _born(self, name: str, *, clean: bool) -> Life:
        self._births += 1
        mortal = Mortal(self)
        clock = MortalClock(mortal)
        targets = Targets({platform: lambda: FailingTarget(mortal, clock, name) for platform in PLATFORMS})
        keeper = Keeper(FailingStore(mortal, self.store), [])
        lease = SharedLease(mortal, name)
        board = Board(started=clock.now(), cycle_s=self.cycle_s)
        actor = Actor(targets, keeper, lease, clock)
        cycle = Cycle(Observer(targets, {"prometheus": FailingSource(mortal)}), actor, keeper, board, clock)
        texts = Texts("")
        texts.write(*(text for _, text in self._texts()))
        parts = Parts(
            targets=targets, cycle=cycle, actor=actor, keeper=keeper, lease=lease, policies=texts, board=board,
            clock=clock, load=load, lease_s=20.0,
        )  # fmt: skip
        daemon = Daemon(parts, self.cycle_s)
        desk = Desk(board, keeper, clock, daemon.control, Past(board, keeper, _untold))
        life = Life(
            name, f"{name}{self._births}", mortal, clock, daemon, cycle, desk, board, texts, lease, self.now(), clean
        )
        run = cycle.run

        async def watched(
            keys: object, *, cycle_s: float, wake: bool = False, now: float | None = None
        ) -> list[Decision]:
            decisions = await run(keys, cycle_s=cycle_s, wake=wake, now=now)  # type: ignore[arg-type]
            self.rules.decided(life, decisions)
            return decisions

        cycle.run = watched  # type: ignore[method-assign, assignment]
        return life


async def _untold(plan: object, state: object, at: float) -> Decision:
    raise AutoscalerError("nobody asks here")
