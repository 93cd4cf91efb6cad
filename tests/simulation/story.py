"""What happens in one world, told before it begins: events made from a seed, each of which can be left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

DAY_S = 86_400.0
HOUR_S = 3_600.0


@dataclass(frozen=True)
class Event:
    """Something that happens `at` seconds after the beginning, for `lasts` seconds, to one workload or to all (-1)."""

    at: float
    what: str
    who: int = -1
    lasts: float = 0.0
    how: str = ""
    much: float = 0.0

    def __str__(self) -> str:
        days, rest = divmod(self.at, DAY_S)
        clock = f"day {days:.0f} {rest // 3600:02.0f}:{rest % 3600 // 60:02.0f}:{rest % 60:04.1f}"
        words = [self.what, self.how, f"({self.much:g})" if self.much else ""]
        whom = f"w{self.who}" if self.who >= 0 else "all"
        return f"{clock}  {' '.join(word for word in words if word):<34} {whom:<5} for {self.lasts:.0f} s"


@dataclass(frozen=True)
class Told:
    """A world's story: its seed, how many workloads and days, and the events in their order."""

    seed: int
    workloads: int
    days: float
    events: tuple[Event, ...]

    def without(self, left_out: Sequence[Event]) -> Told:
        """The same story with some events left out."""
        gone = set(left_out)
        return Told(self.seed, self.workloads, self.days, tuple(each for each in self.events if each not in gone))


MISSING = ("failed", "empty", "nan", "stale", "partial", "uncovered")


def tell(seed: int, *, workloads: int, days: float, per_day: float = 60.0) -> Told:
    """The story of a seed: about so many events a day, the last hour of it quiet."""
    dice = random.Random(seed)
    count = max(3, round(per_day * days))
    times = sorted(dice.uniform(0.0, days * DAY_S) for _ in range(count))
    return Told(seed, workloads, days, tuple(_event(dice, at, workloads) for at in times))


def _event(dice: random.Random, at: float, workloads: int) -> Event:
    who = dice.randrange(workloads)
    short, long = dice.uniform(5, 120), dice.uniform(120, 2 * HOUR_S)
    span = dice.choice((short, short, long))
    makers: list[tuple[int, Callable[[], Event]]] = [
        (12, lambda: Event(at, "source", dice.choice((who, -1)), span, dice.choice(MISSING))),
        (4, lambda: Event(at, "source slow", -1, span, much=round(dice.uniform(0.5, 20), 1))),
        (5, lambda: Event(at, "platform away", -1, short)),
        (6, lambda: Event(at, "answer lost", who, short)),
        (4, lambda: Event(at, "call repeated", who, short)),
        (4, lambda: Event(at, "platform slow", -1, short, much=round(dice.uniform(0.1, 3.5), 1))),
        (8, lambda: Event(at, "sick", who)),
        (5, lambda: Event(at, "crash", who)),
        (6, lambda: Event(at, "removed by others", who)),
        (7, lambda: Event(at, "count by others", who, much=dice.randrange(1, 14))),
        (2, lambda: Event(at, "zero by owner", who, long)),
        (3, lambda: Event(at, "never ready", who, span)),
        (3, lambda: Event(at, "limit", who, span, much=dice.randrange(1, 6))),
        (3, lambda: Event(at, "rollout", who, short)),
        (5, lambda: Event(at, "store fails", -1, span)),
        (8, lambda: Event(at, "kill", -1, dice.uniform(1, 200), dice.choice("ab"))),
        (4, lambda: Event(at, "restart", -1, dice.uniform(1, 200), dice.choice("ab"))),
        (5, lambda: Event(at, "lease away", -1, span)),
        (3, lambda: Event(at, "wall clock", -1, 0.0, dice.choice("ab"), dice.choice((-HOUR_S, HOUR_S, -30.0, 30.0)))),
        (4, lambda: Event(at, "policy", who, 0.0, dice.choice(("wider", "narrower", "broken", "back")))),
        (3, lambda: Event(at, "pause", who, span)),
        (3, lambda: Event(at, "override", who, span, much=dice.randrange(0, 9))),
        (6, lambda: Event(at, "load", who, long, much=round(dice.uniform(0.0, 4.0), 2))),
    ]
    weights = [weight for weight, _ in makers]
    return dice.choices([make for _, make in makers], weights)[0]()
