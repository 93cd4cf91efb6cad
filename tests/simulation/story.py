"""What happens in one world, told before it begins: events made from a seed, each of which can be left out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

DAY_S = 86_400.0
HOUR_S = 3_600.0
MISSING = ("failed", "empty", "nan", "stale", "partial", "uncovered")
LIES = ("zero", "huge", "negative")
DAEMONS = ("a", "b", "holder", "holder")
STAGES = (
    "scale:begin", "create:begin", "create:start", "create:wait", "remove:begin", "remove:stop", "remove:remove",
    "replace:begin", "replace:start", "replace:wait", "replace:drain", "replace:stop", "replace:remove",
)  # fmt: skip
CYCLES_S = {7: 30.0, 15: 15.0}  # by what is left of the seed divided by 16; all others turn once a minute


@dataclass(frozen=True)
class Event:
    """Something that happens `at` seconds after the beginning, for `lasts` seconds, to one workload or to all (-1).

    `number` is its place in the whole story, by which it is kept or left out.
    """

    at: float
    what: str
    who: int = -1
    lasts: float = 0.0
    how: str = ""
    much: float = 0.0
    number: int = -1

    def __str__(self) -> str:
        days, rest = divmod(self.at, DAY_S)
        clock = f"day {days:.0f} {rest // 3600:02.0f}:{rest % 3600 // 60:02.0f}:{rest % 60:04.1f}"
        words = [self.what, self.how, f"({self.much:g})" if self.much else ""]
        whom = f"w{self.who}" if self.who >= 0 else "all"
        lasts = f"for {self.lasts:.0f} s" if self.lasts else ""
        return f"{self.number:>4}  {clock}  {' '.join(word for word in words if word):<34} {whom:<5} {lasts}".rstrip()


@dataclass(frozen=True)
class Told:
    """A world's story: its seed, how many workloads and days, the time between two cycles, the events in order."""

    seed: int
    workloads: int
    days: float
    events: tuple[Event, ...]
    cycle_s: float = 60.0

    def without(self, left_out: Sequence[Event]) -> Told:
        """The same story with some events left out."""
        gone = set(left_out)
        return replace(self, events=tuple(each for each in self.events if each not in gone))

    def cut(self, *, days: float | None = None, workloads: int | None = None) -> Told:
        """The same story for fewer days or workloads; what would happen later, or to others, is left out."""
        days = self.days if days is None else min(days, self.days)
        most = self.workloads if workloads is None else min(workloads, self.workloads)
        kept = tuple(each for each in self.events if each.at < days * DAY_S and each.who < most)
        return replace(self, days=days, workloads=most, events=kept)

    def keeping(self, numbers: Sequence[int]) -> Told:
        """The same story with these events only."""
        return replace(self, events=tuple(each for each in self.events if each.number in numbers))


def tell(seed: int, *, workloads: int, days: float, per_day: float = 60.0) -> Told:
    """The story of a seed: about so many events a day."""
    dice = random.Random(seed)
    count = max(3, round(per_day * days))
    times = sorted(dice.uniform(0.0, days * DAY_S) for _ in range(count))
    events = tuple(replace(_event(dice, at, workloads), number=number) for number, at in enumerate(times))
    return Told(seed, workloads, days, events, CYCLES_S.get(seed % 16, 60.0))


def _event(dice: random.Random, at: float, workloads: int) -> Event:
    who = dice.randrange(workloads)
    short, long = dice.uniform(5, 120), dice.uniform(120, 2 * HOUR_S)
    span = dice.choice((short, short, long))
    which, gone = dice.choice(DAEMONS), dice.uniform(1, 200)
    makers: list[tuple[int, Callable[[], Event]]] = [
        # what is measured: away, in part, late, or a lie
        (12, lambda: Event(at, "source", dice.choice((who, -1)), span, dice.choice(MISSING))),
        (4, lambda: Event(at, "source", dice.choice((who, who, -1)), span, dice.choice(LIES))),
        (4, lambda: Event(at, "source slow", -1, span, much=round(dice.uniform(0.5, 20), 1))),
        (6, lambda: Event(at, "load", who, long, much=round(dice.uniform(0.0, 4.0), 2))),
        # the platform and the way there
        (5, lambda: Event(at, "platform away", -1, short)),
        (3, lambda: Event(at, "platform partly", -1, span)),
        (3, lambda: Event(at, "states frozen", who, span)),
        (4, lambda: Event(at, "platform slow", -1, short, much=round(dice.uniform(0.1, 3.5), 1))),
        (6, lambda: Event(at, "answer lost", who, short)),
        (4, lambda: Event(at, "call lost", who, short)),
        (4, lambda: Event(at, "call repeated", who, short)),
        (3, lambda: Event(at, "limit", who, span, much=dice.randrange(1, 6))),
        (3, lambda: Event(at, "never ready", who, span)),
        # instances
        (8, lambda: Event(at, "sick", who, dice.choice((0.0, 0.0, short)))),
        (5, lambda: Event(at, "crash", who)),
        (3, lambda: Event(at, "rollout", who, short)),
        # other hands
        (6, lambda: Event(at, "removed by others", who)),
        (3, lambda: Event(at, "stopped by others", who, span)),
        (7, lambda: Event(at, "count by others", who, much=dice.randrange(1, 14))),
        (2, lambda: Event(at, "fight", who, dice.uniform(300, 3600), much=dice.randrange(1, 12))),
        (2, lambda: Event(at, "zero by owner", who, long)),
        # the house
        (5, lambda: Event(at, "store fails", -1, span, dice.choice(("full", "away", "unsure")))),
        (5, lambda: Event(at, "lease away", -1, span, dice.choice(("silent", "refuses")))),
        (7, lambda: Event(at, "kill", -1, gone, which, dice.randrange(1, 300))),
        (4, lambda: Event(at, "kill at call", -1, gone, dice.choice(STAGES), dice.choice((0, 1)))),
        (4, lambda: Event(at, "restart", -1, gone, which)),
        (4, lambda: Event(at, "stopped", -1, dice.choice((short, gone, long)), which)),
        (3, lambda: Event(at, "wall clock", -1, 0.0, which, dice.choice((-HOUR_S, HOUR_S, -30.0, 30.0)))),
        # people and policies
        (4, lambda: Event(at, "policy", who, 0.0, dice.choice(("wider", "narrower", "back")))),
        (1, lambda: Event(at, "policy broken", who, span)),
        (2, lambda: Event(at, "policy gone", who, span)),
        (3, lambda: Event(at, "pause", who, span)),
        (3, lambda: Event(at, "override", who, span, much=dice.randrange(0, 9))),
        (2, lambda: Event(at, "resume", who)),
    ]
    weights = [weight for weight, _ in makers]
    return dice.choices([make for _, make in makers], weights)[0]()
