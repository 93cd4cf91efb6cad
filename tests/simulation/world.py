"""One world: a fleet, two daemons over one lease, a story of faults, and the rules watching."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Sequence

from autoscaler.errors import Unreachable
from autoscaler.model.policy import Policy
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.simulated import Fleet
from tests.simulation.calls import Calls
from tests.simulation.daemons import Life, kept, loaded
from tests.simulation.keeping import SharedStore, Truth
from tests.simulation.others import Others
from tests.simulation.process import breathing
from tests.simulation.rules import Rules
from tests.simulation.story import DAY_S, HOUR_S, Event, Told
from tests.simulation.watch import settled, watching
from tests.simulation.wires import ANYBODY
from tests.support.virtual import START, LoopClock

QUIET_S = 2 * HOUR_S
MIN, MAX = 2, 10
CALM_LOAD = 450.0
IDLES, WINDOWED, SLOWLY = 4, 5, 6  # the shapes below that rules look at

SHAPES = (
    "signals: [{name: load, prometheus: load, per_replica: 100}]",
    "signals: [{name: load, prometheus: load, per_replica: 100}, {name: other, prometheus: other, per_replica: 100}]",
    "signals: [{name: load, prometheus: load, per_replica: 100, failed: {last_good: 10m}}]",
    "signals: [{name: load, prometheus: load, per_replica: 100, failed: {at_least: 4}, plausible: {min: 0}}]",
    "idle: {after: 10m}\nsignals: [{name: load, prometheus: load, per_replica: 100, wake_above: 0}]",
    "schedule: [{name: noon, cron: '0 12 * * *', for: 2h, min: 5}]\n"
    "signals: [{name: load, prometheus: load, per_replica: 100}]",
    "behavior: {down: {rates: [{replicas: 1, per: 5m}]}, reversals: {count: 6, per: 1h}}\n"
    "signals: [{name: load, prometheus: load, per_replica: 100}]",
    "every: 2m\nsignals: [{name: load, prometheus: load, per_replica: 100}]",
)
OFTEN = len(SHAPES)  # so many are decided at every beat, the others every five minutes, as in a large fleet
GONE = (0, 0)
EDITS = {"wider": (1, 14), "narrower": (3, 6), "back": (MIN, MAX), "broken": (MAX, MIN), "gone": GONE}


class World:
    """Plays one story. `rules.broken` tells what went wrong; empty is good."""

    def __init__(self, told: Told) -> None:
        self.told = told
        self.over = False
        self.lives: dict[str, Life] = {}
        self.graves: list[Life] = []  # every process there ever was
        self.owners: dict[str, float] = {}  # when the owner changed or said something last, in true time
        self.ambush: Event | None = None
        self.stop = asyncio.Event()
        self.refs = [WorkloadRef("compose", "shop", "service", f"w{who}") for who in range(told.workloads)]
        self.numbers = {ref.key: who for who, ref in enumerate(self.refs)}
        self.fleet = Fleet(LoopClock())
        self.lease = Truth()
        self.store = SharedStore()
        self.rules = Rules(self)
        self.calls = Calls(self)
        self.others = Others(self)
        self.trouble: dict[str, float] = {}  # fault → when it was going on last, in true time
        self._edits = [EDITS["back"]] * told.workloads
        self._active: list[Event] = []
        self.policies: list[Policy] = list(loaded(self.texts(), "r0").policies)  # what they say beside the bounds

    # what the surroundings ask

    def now(self) -> float:
        """True time, in seconds since the epoch."""
        return START + asyncio.get_running_loop().time()

    def since(self) -> float:
        """Seconds since the beginning of the world."""
        return asyncio.get_running_loop().time()

    def number(self, ref: WorkloadRef) -> int:
        """Which of the workloads it is."""
        return self.numbers[ref.key]

    def during(self, what: str, who: int = -1) -> Event | None:
        """The fault of this kind that is going on for this workload, if any."""
        for each in self._active:
            if each.what == what and (each.who in (who, -1) or who == ANYBODY):
                return each
        return None

    def lately(self, *whats: str, within: float) -> bool:
        """True where such a fault is going on, or was within so many seconds."""
        now = self.now()
        return any(
            now - self.trouble.get(what, -math.inf) < within or self.during(what, ANYBODY) is not None for what in whats
        )

    def load(self, who: int, signal: str) -> float:
        """A workload's load now: a day's wave, some noise, what the story adds; calm and constant at the end."""
        event = self.during("load", who)
        if event is not None:
            return 100.0 * event.much * MIN
        if self.since() > self.told.days * DAY_S:
            return CALM_LOAD
        wave = 1.0 + 0.6 * math.sin(2 * math.pi * (self.since() / DAY_S + who / 7))
        noise = ((self.told.seed * 7919 + who * 104729 + int(self.since() // 60) * 31) % 101) / 1000
        asleep = 0.0 if who % len(SHAPES) == IDLES and wave < 0.6 else 1.0
        return asleep * 350.0 * wave * (0.95 + noise) * (0.7 if signal == "other" else 1.0)

    def bounds(self, who: int) -> tuple[int, int]:
        """The bounds in force once the policies of now are."""
        return self._edits[who]

    def readable(self) -> bool:
        """True where the policies as they are written now can be loaded."""
        return all(low <= high for low, high in self._edits)

    def texts(self) -> Sequence[tuple[str, str]]:
        """The policies as files."""
        found = []
        for who in range(self.told.workloads):
            low, high = self._edits[who]
            if (low, high) == GONE:
                continue
            found.append((
                f"w{who}.yaml",
                f"name: w{who}\ntarget: {{compose: {{project: shop, service: w{who}}}}}\n"
                f"replicas: {{min: {low}, max: {high}}}\nrecycle: {{when: {{unhealthy_for: 30s}}}}\n"
                f"lifecycle: {{ready_within: 60s, drain: 5s, stop_within: 10s}}\n{SHAPES[who % len(SHAPES)]}\n"
                + ("every: 5m\n" if who >= OFTEN and "every" not in SHAPES[who % len(SHAPES)] else ""),
            ))  # fmt: skip
        return found

    def edit(self, who: int, how: str) -> None:
        """The owner writes other bounds."""
        self._edits[who] = EDITS[how]
        self.owners[self.refs[who].key] = self.now()
        for life in self.lives.values():
            life.files.write(self.texts())

    def holder(self) -> Life | None:
        """The daemon that acts."""
        return next((each for each in self.lives.values() if each.process.runs and each.lease.remaining() > 0), None)

    # playing

    async def play(self) -> None:
        """The whole story, then a quiet while, then the last look."""
        asyncio.get_running_loop().set_task_factory(breathing)
        for who, ref in enumerate(self.refs):
            self.fleet.put(ref, MIN, start_s=2.0 + 2 * (who % 5))
        self.fleet.before, self.fleet.after = self._before, self._after
        beside = [asyncio.create_task(each) for each in (kept(self, "a"), kept(self, "b"), watching(self))]
        try:
            await self._events()
            if not self.stop.is_set():
                beside.append(asyncio.create_task(self.others.resume_all()))
                await self._until(self.since() + QUIET_S)
            if not self.stop.is_set():
                await settled(self)
            for each in beside:
                if each.done() and not each.cancelled() and each.exception() is not None:
                    raise each.exception() or AssertionError
        finally:
            self.over = True
            for task in beside:
                task.cancel()
            for life in self.graves:
                life.process.kill()

    async def _events(self) -> None:
        begin = self.since()
        ends: list[tuple[float, Event]] = []
        for event in (*self.told.events, Event(self.told.days * DAY_S, "calm")):
            while ends and ends[0][0] <= event.at:
                at, over = ends.pop(0)
                await self._until(begin + at)
                self._end(over)
            if not await self._until(begin + event.at):
                return
            if event.what == "calm":
                break
            if event.lasts:
                self._active.append(event)
                ends.append((event.at + event.lasts, event))
                ends.sort(key=lambda each: each[0])
            await self.others.begin(event)
        for _, over in ends:
            self._end(over)
        self.ambush = None
        for life in self.lives.values():
            life.process.dies_at = math.inf
            life.process.go_on()

    def _end(self, event: Event) -> None:
        self._active.remove(event)
        self.trouble[event.what] = self.now()
        self.others.end(event)

    async def _until(self, at: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), max(0.0, at - self.since()))
        return not self.stop.is_set()

    def _before(self, word: str, ref: WorkloadRef) -> None:
        """Some calls get lost on their way."""
        if word != "list" and self.during("call lost", self.number(ref)) is not None:
            raise Unreachable("connection reset before the call arrived")

    def _after(self, word: str, ref: WorkloadRef) -> None:
        """Some answers get lost on their way back."""
        if word != "list" and self.during("answer lost", self.number(ref)) is not None:
            raise Unreachable("connection reset after the call was made")
