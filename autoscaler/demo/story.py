"""The story of the demo: load rises, one worker turns sick, load falls; and whether all that follows was seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import aiohttp

from autoscaler.clock import SystemClock
from autoscaler.demo.around import Around
from autoscaler.demo.load import Load
from autoscaler.demo.screen import Look, Screen
from autoscaler.errors import AutoscalerError
from autoscaler.loop.answers import WorkloadDetail

LOOK_S = 0.25
FEW, MANY = 2, 20
PEAK = 5  # replicas that MANY users must bring at least
CALM_S = 5.0
STEADY_S = 4.0


class NotSeen(Exception):
    """An act did not end in what it should."""


class Story:
    """Plays the acts one after the other and keeps what was seen."""

    def __init__(self, folder: Path, screen: Screen) -> None:
        self._clock = SystemClock()
        self._around = Around(folder)
        self._load = Load(self._clock)
        self._screen = screen
        self._act = "starting"
        self._began = self._clock.monotonic()
        self._detail: WorkloadDetail | None = None
        self.seen: list[str] = []

    async def play(self) -> None:
        """Every act. Raises NotSeen with the sentence for the one that failed."""
        around = self._around
        where = f"a real Prometheus ({around.prometheus})" if around.prometheus else "direct scrape of every worker"
        self._screen.say(f"Load is measured by {where}. The policy: 1 to 6 replicas, one per 4 requests in flight.")
        try:
            await around.start()
            await self._until("one worker serves", lambda: self._ready() >= 1, 30.0)
            await self._calm()
            await self._rise()
            await self._sick()
            await self._fall()
        finally:
            await self._load.close()
            await around.stop()

    async def _calm(self) -> None:
        self._act = "a quiet hour"
        await self._load.set_users(FEW)
        quiet_until = self._clock.monotonic() + CALM_S
        await self._until("time passes", lambda: self._clock.monotonic() >= quiet_until, CALM_S + 5.0)
        if self._existing() != 1:
            raise NotSeen(f"{self._existing()} workers run although one is enough")
        self._saw(f"{FEW} users: one replica serves {self._load.rate:.0f} requests a second")

    async def _rise(self) -> None:
        self._act = "load rises"
        alone = self._load.rate
        await self._load.set_users(MANY)
        await self._until(f"{PEAK} replicas serve", lambda: self._ready() >= PEAK, 45.0)
        full_from = self._clock.monotonic() + STEADY_S
        await self._until("they serve for a while", lambda: self._clock.monotonic() >= full_from, STEADY_S + 5.0)
        rate = self._load.rate
        if rate < 2 * alone:
            raise NotSeen(f"more replicas do not serve more: {rate:.0f} requests a second after {alone:.0f}")
        self._saw(f"{MANY} users: {self._ready()} replicas serve {rate:.0f} requests a second")

    async def _sick(self) -> None:
        self._act = "a worker is sick"
        assert self._detail is not None
        victim = next(each for each in self._detail.instances if each.ready and not each.draining)
        failed = self._load.failed
        async with aiohttp.ClientSession() as session, session.post(f"http://{victim.address}/sick"):
            pass

        def replaced() -> bool:
            assert self._detail is not None
            ids = {each.id for each in self._detail.instances}
            return victim.id not in ids and self._ready() >= PEAK and self._ready() == self._existing()

        await self._until("the sick worker is replaced", replaced, 30.0)
        history = await self._around.history()
        lines = history.lines if history is not None else ()
        if not any(
            each.kind == "outcome" and each.text.startswith("replace") and each.reason == "applied" for each in lines
        ):
            raise NotSeen("the sick worker went, but not by a replacement")
        self._saw(
            f"{victim.name} turned sick: a new worker took its place, {self._load.failed - failed} requests failed"
        )

    async def _fall(self) -> None:
        self._act = "load falls"
        await self._load.set_users(FEW)
        await self._until("one replica is left", lambda: self._existing() == 1, 45.0)
        self._saw(f"{FEW} users again: back to one replica")

    # looking

    def _ready(self) -> int:
        return self._detail.workload.ready or 0 if self._detail is not None else 0

    def _existing(self) -> int:
        return self._detail.workload.existing or 0 if self._detail is not None else 0

    def _saw(self, sentence: str) -> None:
        self.seen.append(sentence)
        self._screen.say(f"  ✓ {sentence}")

    async def _until(self, what: str, done: Callable[[], bool], within_s: float) -> None:
        deadline = self._clock.monotonic() + within_s
        while True:
            await self._look()
            if done():
                return
            if self._around.daemon.ended:
                raise NotSeen(f"the daemon ended:\n{self._around.daemon.said()}")
            if self._clock.monotonic() > deadline:
                last = "\n".join(self._detail.lines) if self._detail is not None else self._around.daemon.said()
                raise NotSeen(f"waited {within_s:.0f} s in vain: {what}\n{last}")
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        detail = await self._around.detail()
        if detail is None:
            return
        self._detail = detail
        able = [each for each in detail.instances if each.ready and not each.draining]
        self._load.workers = [each.address for each in able]
        self._around.scrape(sorted(each.address for each in detail.instances if each.running and each.address))
        workload = detail.workload
        self._screen.show(
            Look(
                at_s=self._clock.monotonic() - self._began,
                act=self._act,
                users=self._load.users,
                rate=self._load.rate,
                failed=self._load.failed,
                ready=workload.ready or 0,
                existing=workload.existing or 0,
                desired=workload.desired or 0,
                reason=workload.reason,
                because=workload.because or workload.trouble,
                workers=tuple(
                    (each.name, "draining" if each.draining else "ready" if each.ready else _unready(each.was_ready))
                    for each in detail.instances
                ),
            )
        )


def _unready(was_ready: bool) -> str:
    return "sick" if was_ready else "starting"


async def tell(folder: Path, screen: Screen, within_s: float) -> int:
    """Play the story; the exit status: 0 only if all of it was seen."""
    story = Story(folder, screen)
    clock = SystemClock()
    began = clock.monotonic()
    try:
        await asyncio.wait_for(story.play(), within_s)
    except (NotSeen, AutoscalerError) as error:
        screen.say(f"  ✗ {error}")
        return 1
    except TimeoutError:
        screen.say(f"  ✗ not done within {within_s:.0f} s")
        return 1
    screen.say(f"\nAll of it was seen to happen, in {clock.monotonic() - began:.0f} s:")
    for sentence in story.seen:
        screen.say(f"  · {sentence}")
    return 0
