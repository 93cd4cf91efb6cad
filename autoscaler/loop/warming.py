"""The first days from history: what adaptive would know by now, had it run, read from Prometheus beside the beat.

A server is asked for one query and one hour at a time and rests in between for as long as it took; learning goes in
slices of a few milliseconds. A server that does not answer is left alone for a while; nothing waits for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from autoscaler.decide.explain import span
from autoscaler.decide.plan import Goal, Plan
from autoscaler.decide.taught import HISTORY_S, Pupil, graduated, lessons, teachable, untaught
from autoscaler.errors import SourceError
from autoscaler.loop.board import Board
from autoscaler.loop.cycle import Cycle
from autoscaler.loop.foresee import Past, asks_of
from autoscaler.model.signal import Reading
from autoscaler.ports import Clock

CLASS = 100  # workloads taught together
PART = 240  # cycles asked for at once
REST_S = 0.05  # at least, between two questions
SLICE_S, SLICE_CYCLES = 0.01, 64  # of learning, before the loop may breathe
AGAIN_S = 300.0  # until a server that did not answer is asked again
UNTIL_NEXT_S = 12 * 3600.0  # what history could not tell is lived through by then
FAILURES = 3  # in one round: whoever is still to come waits for the next
MOST_PARTS_LATE = 5  # what comes while the last parts are read; then a line is drawn, or a gap is a gap

Key = tuple[str, str, str]  # a workload, a signal, what it measures


class Warming:
    """Teaches those of whose load too little is known, one class at a time; `ours` says whether this daemon decides."""

    def __init__(
        self, past: Past, cycle: Cycle, board: Board, clock: Clock, cycle_s: float, ours: Callable[[], bool]
    ) -> None:
        self._past = past
        self._cycle = cycle
        self._board = board
        self._clock = clock
        self._cycle_s = cycle_s
        self._ours = ours
        self._next: dict[Key, float] = {}  # when to ask again, on the steady clock

    async def keep(self) -> None:
        """For as long as the daemon lives; each new workload's turn comes within a cycle."""
        while True:
            await self._clock.sleep(self._cycle_s)
            found = self._class() if self._ours() else []
            if found:
                await self._teach(found)

    def _class(self) -> list[Pupil]:
        """Those whose turn it is; all of them have the same time between decisions."""
        found: list[Pupil] = []
        now, keys = self._clock.monotonic(), set[Key]()
        for key, plan in self._cycle.plans.items():
            memory = self._cycle.memories.get(key) if plan.learns else None
            if memory is None:
                continue
            goals = untaught(plan, memory)
            keys.update(_keys(plan, goals))
            due = [goal for goal in goals if self._next.get((key, goal.signal, goal.of), now) <= now]
            if due and len(found) < CLASS and (not found or found[0].plan.every_s == plan.every_s):
                found.append(Pupil(plan, memory, [goal.signal for goal in due]))
        self._next = {each: at for each, at in self._next.items() if each in keys}
        return found

    async def _teach(self, pupils: list[Pupil]) -> None:
        """Part by part up to now; what comes of it takes the place of what was lived through meanwhile."""
        every = pupils[0].plan.every_s or self._cycle_s
        start = math.floor(self._clock.now() - HISTORY_S)
        done, late = 0, 0
        while pupils and self._ours():
            left = self._clock.now() - (start + done * every)
            beats = min(PART, math.floor(left / every) + 1)
            if left < 0 or late > MOST_PARTS_LATE:
                break
            late += beats < PART
            times = [start + (done + beat) * every for beat in range(beats)]
            pupils = await self._read(pupils, times)
            await self._learn(pupils, times)
            done += beats
            self._say(pupils, f"learning from history, {span(done * every)} of {span(HISTORY_S)} read")
        if self._ours():
            self._graduate(pupils)

    async def _read(self, pupils: Sequence[Pupil], times: Sequence[float]) -> list[Pupil]:
        """Their readings at these times, each asked alone; those that could be read."""
        found: list[Pupil] = []
        failures = 0
        for pupil in pupils:
            error = await self._ask(pupil, times) if failures < FAILURES else "the server does not answer others either"
            if not error:
                found.append(pupil)
                continue
            failures += 1
            self._put_off(pupil, AGAIN_S)
            self._say([pupil], f"history cannot be read ({error}); asked again in {span(AGAIN_S)}")
        return found

    async def _ask(self, pupil: Pupil, times: Sequence[float]) -> str:
        """Take up what it needs of these times; why it cannot be had, or nothing."""
        readings: dict[str, Sequence[Reading]] = {}
        vouchers: dict[str, Sequence[Reading]] = {}
        for ask in asks_of(pupil.plan):
            if ask.signal.name not in pupil.names:
                continue
            began = self._clock.monotonic()
            (answer,) = await self._past.read([ask], times)
            if isinstance(answer, SourceError):
                return answer.message
            (vouchers if ask.voucher else readings)[ask.signal.name] = answer
            await self._clock.sleep(max(REST_S, self._clock.monotonic() - began))
        pupil.readings, pupil.vouchers = readings, vouchers
        return ""

    async def _learn(self, pupils: Sequence[Pupil], times: Sequence[float]) -> None:
        began, cycles = self._clock.monotonic(), 0
        for _ in lessons(pupils, times):
            cycles += 1
            took = self._clock.monotonic() - began
            if took >= SLICE_S or cycles >= SLICE_CYCLES:
                await self._clock.sleep(3 * took)
                began, cycles = self._clock.monotonic(), 0

    def _graduate(self, pupils: Sequence[Pupil]) -> None:
        """Into the memories as they are now: a policy may be another meanwhile, or gone."""
        for pupil in pupils:
            key = pupil.plan.key
            plan, memory = self._cycle.plans.get(key), self._cycle.memories.get(key)
            self._put_off(pupil, UNTIL_NEXT_S)
            if plan is None or memory is None:
                continue
            after = graduated(plan, memory, pupil)
            self._cycle.memories[key] = after
            self._say([pupil], "" if after.taught else "history tells nothing of it")

    def _put_off(self, pupil: Pupil, for_s: float) -> None:
        goals = [goal for goal in teachable(pupil.plan) if goal.signal in pupil.names]
        self._next.update(dict.fromkeys(_keys(pupil.plan, goals), self._clock.monotonic() + for_s))

    def _say(self, pupils: Iterable[Pupil], sentence: str) -> None:
        for pupil in pupils:
            entry = self._board.entries.get(pupil.plan.key)
            if entry is not None:
                entry.history = sentence


def _keys(plan: Plan, goals: Iterable[Goal]) -> list[Key]:
    return [(plan.key, goal.signal, goal.of) for goal in goals]
