"""The shortest story that still breaks the same rule, and the command that plays it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tests.simulation.play import Result, play
from tests.simulation.story import DAY_S, Told

SECONDS = 240.0  # what looking for a shorter story may take


class Shortening:
    """Tries shorter stories for as long as `seconds` allow; `best` is the shortest so far."""

    def __init__(self, result: Result, *, seconds: float = SECONDS, again: Callable[[Told], Result] = play) -> None:
        self.best = result
        self.tried = 0
        self._rule = result.rule
        self._until = time.monotonic() + seconds
        self._again = again

    def shortest(self) -> Result:
        """Fewer days, fewer workloads, fewer events, and once more fewer days: until nothing more can be left out."""
        self._days()
        self._workloads()
        self._events()
        self._days()
        return self.best

    def _still(self, told: Told) -> bool:
        """Play it; keep it if it breaks the same rule."""
        self.tried += 1
        result = self._again(told)
        if result.rule == self._rule:
            self.best = result
        return result.rule == self._rule

    def _late(self) -> bool:
        return time.monotonic() > self._until

    def _days(self) -> None:
        """Nothing after the broken rule matters; what is broken in the quiet end may be broken in an earlier one."""
        told = self.best.told
        last = max((each.at + 1.0 for each in told.events), default=0.0)
        for end in (self.best.at_s + 1.0, last):
            if end < self.best.told.days * DAY_S and not self._late():
                self._still(told.cut(days=end / DAY_S))

    def _workloads(self) -> None:
        """Half as many, as often as it goes."""
        while self.best.told.workloads > 1 and not self._late():
            if not self._still(self.best.told.cut(workloads=self.best.told.workloads // 2)):
                break
        most = max((each.who for each in self.best.told.events), default=0) + 1
        if most < self.best.told.workloads and not self._late():
            self._still(self.best.told.cut(workloads=most))

    def _events(self) -> None:
        """Halves are left out first, then quarters, then single ones."""
        size = max(1, len(self.best.told.events) // 2)
        while not self._late():
            shorter, start = False, 0
            while start < len(self.best.told.events) and not self._late():
                left_out = self.best.told.events[start : start + size]
                if self._still(self.best.told.without(left_out)):
                    shorter = True
                else:
                    start += size
            if not shorter and size == 1:
                return
            size = size if shorter and size == 1 else max(1, size // 2)


def command(asked: Told, told: Told, *, per_day: float) -> str:
    """How to play `told`, which was cut out of the story `asked` for."""
    words = [
        f"python -m tests.simulation --seeds {asked.seed} --days {asked.days:g} --workloads {asked.workloads}",
        f"--per-day {per_day:g}",
    ]
    if told.workloads < asked.workloads:
        words.append(f"--only-workloads {told.workloads}")
    if told.days < asked.days:
        words.append(f"--only-days {told.days!r}")
    if len(told.events) < len(asked.events):
        words.append(f"--keep {_numbers([each.number for each in told.events])}")
    return " ".join(words)


def _numbers(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers)) or "none"


def report(asked: Told, result: Result, *, per_day: float) -> str:
    """The broken rule, the events that break it, and how to play it again."""
    told = result.told
    size = f"{told.workloads} workloads, {told.days:.3g} days, a cycle of {told.cycle_s:g} s"
    lines = [f"seed {told.seed}, {size}: {result.broken[0]}", *map(str, told.events)]
    return "\n  ".join([*lines, f"again: {command(asked, told, per_day=per_day)}"])
