"""The story of the demo: load rises, one instance turns sick, load falls; and whether all that follows was seen.

What the daemon says is not enough: an instance counts as serving once it answered users, and as gone once the scene
(`around.py`), which looks past the daemon, sees it run no more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from autoscaler.clock import SystemClock
from autoscaler.demo.around import Scene
from autoscaler.demo.load import Load
from autoscaler.demo.screen import Look, Row, Screen
from autoscaler.errors import AutoscalerError
from autoscaler.loop.answers import Line, WorkloadDetail
from autoscaler.model.decision import Reason
from autoscaler.model.operation import OperationKind
from autoscaler.model.target import Instance

LOOK_S = 0.25
FEW, SOME, MANY = 2, 10, 20
PEAK = 5  # replicas that MANY users must bring at least
CALM_S = 4.0
STEADY_S = 4.0
STAY_S = 30.0  # users come or go every so many seconds, once the story is over


class NotSeen(Exception):
    """An act did not end in what it should."""


class Story:
    """Plays the acts one after the other and keeps what was seen."""

    def __init__(self, scene: Scene, screen: Screen, *, keep: bool = False) -> None:
        self._clock = SystemClock()
        self._around = scene
        self._noun = scene.noun
        self._keep = keep
        self._load = Load(self._clock)
        self._screen = screen
        self._act = "starting"
        self._began = self._clock.monotonic()
        self._detail: WorkloadDetail | None = None
        self._known: dict[str, str] = {}  # what each worker did at the last look, by id
        self._told_at = 0.0
        self._ended: set[tuple[str, str]] = set()  # kinds of operations that ended, and how
        self.seen: list[str] = []

    async def play(self) -> None:
        """Every act. Raises NotSeen with the sentence for the one that failed."""
        around = self._around
        self._screen.say("The policy, and a daemon that follows it once a second:\n")
        self._screen.say(f"{_indented(around.policy())}\n", "2")
        self._screen.say(f"{around.introduction()}\n")
        try:
            await around.start()
            await self._until(f"one {self._noun} serves", lambda: self._ready() >= 1, 30.0)
            await self._calm()
            await self._rise()
            await self._sick()
            await self._fall()
            if self._keep:
                await self._go_on()
        finally:
            await self._load.close()
            await around.stop()

    # acts

    async def _go_on(self) -> None:
        """Users come and go until somebody stops it."""
        self._act = "as long as you like"
        while True:
            for users in (SOME, MANY, SOME, FEW):
                await self._load.set_users(users)
                await self._pass(STAY_S)

    async def _calm(self) -> None:
        self._act = "a quiet hour"
        await self._load.set_users(FEW)
        await self._pass(CALM_S)
        if self._existing() != 1:
            raise NotSeen(f"{self._existing()} {self._noun}s run although one is enough")
        self._saw(f"{FEW} users: one {self._noun} serves {self._rate():.0f} requests a second")

    async def _rise(self) -> None:
        self._act = "load rises"
        alone = self._rate()
        for users in (SOME, MANY):
            await self._load.set_users(users)
            self._happened(f"{users} users now")
            enough = 2 if users < MANY else PEAK
            await self._until(f"{enough} {self._noun}s are ready", lambda least=enough: self._ready() >= least, 30.0)  # type: ignore[misc]
        await self._pass(STEADY_S)
        rate, busy = self._rate(), len(self._load.rates)
        if busy < PEAK:
            raise NotSeen(f"only {busy} {self._noun}s answer users")
        if rate < 2 * alone:
            raise NotSeen(f"more {self._noun}s do not serve more: {rate:.0f} requests a second after {alone:.0f}")
        self._saw(
            f"{MANY} users: {busy} {self._noun}s serve {rate:.0f} requests a second, {rate / alone:.0f} times as many"
        )

    async def _sick(self) -> None:
        self._act = f"a {self._noun} is sick"
        # What shrinks takes the sick one and replaces none.
        await self._until("the count has settled", self._settled, 20.0)
        assert self._detail is not None
        before = {each.id for each in self._detail.instances}
        victim = next(each for each in self._detail.instances if _doing(each) == "ready")
        failed = self._load.failed
        await self._around.make_sick(victim)
        self._happened(f"{victim.name} is told to be sick")

        def replaced() -> bool:
            now = self._instances()
            there = any(e.id not in before and self._around.answers_as(e) in self._load.rates for e in now)
            gone = victim.id not in {each.id for each in now}
            return gone and there and self._ready() >= PEAK and ("replace", "applied") in self._ended

        await self._until(f"{victim.name} is sick", lambda: self._known.get(victim.id) == "sick", 10.0)
        await self._until(f"a new {self._noun} serves in place of the sick one, by a replacement", replaced, 20.0)
        if await self._around.runs(victim):
            raise NotSeen(f"{victim.name} was replaced but goes on running")
        lost = self._load.failed - failed
        self._saw(f"{victim.name} turned sick: a new {self._noun} took its place, {lost} requests failed")

    async def _fall(self) -> None:
        self._act = "load falls"
        many = self._instances()
        await self._load.set_users(FEW)
        self._happened(f"{FEW} users now")
        await self._until(
            f"one {self._noun} is left", lambda: self._existing() == 1 and len(self._instances()) == 1, 40.0
        )
        left = {each.id for each in self._instances()}
        if any([await self._around.runs(each) for each in many if each.id not in left]):
            raise NotSeen(f"a {self._noun} that should be gone goes on running")
        self._saw(f"{FEW} users again: the others were drained and stopped, one {self._noun} is left")

    # looking

    def _instances(self) -> tuple[Instance, ...]:
        return self._detail.instances if self._detail is not None else ()

    def _ready(self) -> int:
        return self._detail.workload.ready or 0 if self._detail is not None else 0

    def _settled(self) -> bool:
        """Nothing is on its way, and no fewer are about to be enough."""
        if self._detail is None:
            return False
        told = self._detail.workload
        return told.ready == told.existing == told.desired and told.reason != Reason.STABILIZED_DOWN.value

    def _existing(self) -> int:
        return self._detail.workload.existing or 0 if self._detail is not None else 0

    def _rate(self) -> float:
        return sum(self._load.rates.values())

    async def _lines(self) -> tuple[Line, ...]:
        """The history so far, newest first."""
        history = await self._around.history()
        return history.lines if history is not None else ()

    def _saw(self, sentence: str) -> None:
        self.seen.append(sentence)
        self._screen.happened(self._at(), f"✓ {sentence}", "1;32")

    def _happened(self, sentence: str, color: str = "") -> None:
        self._screen.happened(self._at(), f"· {sentence}", color)

    def _at(self) -> float:
        return self._clock.monotonic() - self._began

    async def _pass(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        await self._until("time passes", lambda: self._clock.monotonic() >= until, seconds + 5.0)

    async def _until(self, what: str, done: Callable[[], bool], within_s: float) -> None:
        within_s *= self._around.patience
        deadline = self._clock.monotonic() + within_s
        while True:
            await self._look()
            if done():
                return
            if self._around.daemon.ended:
                raise NotSeen(f"the daemon ended:\n{self._around.daemon.said()}")
            if self._clock.monotonic() > deadline:
                last = "\n".join(self._detail.lines) if self._detail is not None else self._around.daemon.said()
                raise NotSeen(f"not within {within_s:.0f} s: {what}\n{last}")
            await self._clock.sleep(LOOK_S)

    async def _look(self) -> None:
        detail = await self._around.detail()
        if detail is None:
            return
        self._detail = detail
        self._load.doors = self._around.doors(detail.instances)
        self._around.look(detail.instances)
        await self._tell_changes(detail)
        workload, rates = detail.workload, self._load.rates
        self._screen.show(
            Look(
                at_s=self._at(),
                act=self._act,
                users=self._load.users,
                rate=sum(rates.values()),
                failed=self._load.failed,
                ready=workload.ready or 0,
                existing=workload.existing or 0,
                desired=workload.desired or 0,
                reason=workload.reason,
                because=workload.because or workload.trouble,
                instances=tuple(
                    Row(e.name, _doing(e), rates.get(self._around.answers_as(e), 0.0)) for e in detail.instances
                ),
                underway=tuple(
                    f"a new {self._noun} for {self._name(each.instance)}: {each.stage}"
                    for each in workload.doing
                    if each.kind == OperationKind.REPLACE.value
                ),
            )
        )

    async def _tell_changes(self, detail: WorkloadDetail) -> None:
        """Say what is new since the last look: another count, a sick worker, a replacement begun."""
        for line in reversed(await self._lines()):
            if line.kind == "outcome":
                self._ended.add((line.text.partition(":")[0], line.reason))
            if line.kind == "decision" and line.at > self._told_at:
                self._told_at = line.at
                why, _, replaced = line.text.partition("; ")
                if line.before != line.after:
                    self._happened(f"{line.before} → {line.after}  {line.reason}: {why}", "36")
                if replaced:
                    self._happened(replaced, "36")
        doing = {each.id: _doing(each) for each in detail.instances}
        for each in detail.instances:
            if doing[each.id] == "sick" and self._known.get(each.id) != "sick":
                self._happened(f"{each.name} is sick: it gets no more requests", "31")
        self._known = doing

    def _name(self, id: str) -> str:
        return next((each.name for each in self._instances() if each.id == id), id)


def _doing(instance: Instance) -> str:
    if instance.draining:
        return "draining"
    return "ready" if instance.ready else "sick" if instance.was_ready else "starting"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.rstrip().split("\n"))


async def tell(scene: Scene, screen: Screen, within_s: float, *, keep: bool = False) -> int:
    """Play the story within so many seconds; the exit status: 0 only if all of it was seen.

    With `keep` it goes on until it is cancelled, however long that takes.
    """
    story = Story(scene, screen, keep=keep)
    clock = SystemClock()
    began = clock.monotonic()
    trouble = ""
    try:
        await asyncio.wait_for(story.play(), None if keep else within_s)
    except (NotSeen, AutoscalerError) as error:
        trouble = str(error)
    except TimeoutError:
        trouble = f"the story was not over within {within_s:.0f} s"
    took = clock.monotonic() - began
    if trouble:
        screen.say(f"\nNot seen, after {took:.0f} s: {trouble}", "1;31")
    else:
        screen.say(f"\nAll of it was seen to happen, in {took:.0f} s:", "1;32")
    screen.say("\n".join(f"  ✓ {sentence}" for sentence in story.seen) or "  nothing of the story was seen")
    return 1 if trouble else 0
