"""Cron lines checked without a scheduler: five fields become sets, and starts that overlap are found by counting.

Cron readers disagree about a few lines; those are refused with the reason, so that a window opens when its owner
thinks it does.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo

import msgspec

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_SPAN = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]{1,4}))?")
_LONGEST = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Starts are counted through these two years, whenever a policy is read: the answer must not depend on the day. They
# hold a leap day, and each weekday's turn of the year.
_FIRST, _DAYS = date(2027, 12, 25), 740

_CHANGE_S = 7200  # no clock is set forward by more than this


class Field(msgspec.Struct, frozen=True):
    """What may stand in one field: numbers from `least` to `most`, or names that count from `least`."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS),
    Field("weekday", 0, 7, WEEKDAYS),
)


class Cron(msgspec.Struct, frozen=True):
    """The times a line names. Weekdays count from Sunday, which is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def on(self, day: date) -> bool:
        """True for a date on which it starts."""
        return day.month in self.months and day.day in self.days and day.isoweekday() % 7 in self.weekdays

    @property
    def times(self) -> list[int]:
        """Its starts within a day, in minutes from midnight."""
        return sorted(hour * 60 + minute for hour in self.hours for minute in self.minutes)


class BadCron(ValueError):
    """What is wrong with a line, and a way out."""

    def __init__(self, sentence: str, hint: str = "") -> None:
        super().__init__(sentence)
        self.hint = hint


@functools.lru_cache(maxsize=4096)
def parse(line: str) -> Cron:
    """The sets of a line: minute hour day month weekday. Raises BadCron.

    >>> sorted(parse("0 8 * * fri-mon").weekdays), sorted(parse("*/20 0 * * 7").minutes)
    ([0, 1, 5, 6], [0, 20, 40])
    """
    words = line.lower().split()
    if len(words) != len(FIELDS):
        got = f"one word {line.strip()}" if len(words) == 1 else f"{len(words)} fields"
        raise BadCron(f"expected five fields, minute hour day month weekday, got {got}", "0 8 * * mon-fri")
    minutes, hours, days, months, weekdays = (_field(word, field) for word, field in zip(words, FIELDS, strict=True))
    if words[2] != "*" and words[4] != "*":
        raise BadCron(
            "day of month and weekday are both restricted: to some cron readers that means both, to others either",
            "restrict one of them, and write two windows for either",
        )
    if all(_LONGEST[month - 1] < min(days) for month in months):
        names = ", ".join(MONTHS[month - 1] for month in sorted(months))
        raise BadCron(f"this date never comes: {names} has no day {min(days)}")
    return Cron(minutes, hours, days, months, frozenset(each % 7 for each in weekdays))


def overlap(cron: Cron, lasts_s: float, zone: tzinfo) -> tuple[datetime, datetime] | None:
    """Two starts in a row the second of which comes before the end of the first; None where there are none."""
    if lasts_s <= _closest(cron) * 60 - (0 if zone is UTC else _CHANGE_S):
        return None
    for before, after in _neighbours(cron, zone):
        if (after - before).total_seconds() < lasts_s:
            return before, after
    return None


def _closest(cron: Cron) -> int:
    """No two starts are fewer minutes apart than this, as long as no clock changes."""
    times = cron.times
    return min([*(after - before for before, after in itertools.pairwise(times)), 1440 - times[-1] + times[0]])


def starts(cron: Cron, day: date, zone: tzinfo) -> list[datetime]:
    """The starts of a date, in UTC. A local time that is skipped comes an hour later, one that repeats counts once."""
    return sorted({_at(day, minute, zone) for minute in cron.times}) if cron.on(day) else []


def _neighbours(cron: Cron, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Starts in a row that could be closest to each other: a day's own ones once, and where its offset changes."""
    times = cron.times
    last: datetime | None = None
    usual = True  # an ordinary day's own starts have not been told yet
    for number in range(_DAYS):
        day = _FIRST + timedelta(days=number)
        if not cron.on(day):
            continue
        odd = _at(day + timedelta(days=1), 0, zone) - _at(day, 0, zone) != timedelta(days=1)
        if odd or usual:
            own = starts(cron, day, zone)
            yield from itertools.pairwise(own)
            usual = usual and odd
        else:
            own = [_at(day, times[0], zone), _at(day, times[-1], zone)]
        if last is not None:
            yield last, own[0]
        last = own[-1]


def _at(day: date, minute: int, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone).astimezone(UTC)


def _field(text: str, field: Field) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        found.update(_part(part, field))
    return frozenset(found)


def _part(part: str, field: Field) -> range | set[int]:
    match = _SPAN.fullmatch(part)
    if match is None or (match[1] == "*" and match[2]):
        raise BadCron(f"{field.name}: cannot read {part or 'an empty item'}", "numbers, names, 1-5, */15 and lists")
    least, most = field.least, field.most - (field.name == "weekday")
    first, last = (least, most) if match[1] == "*" else (_number(match[1], field), -1)
    if match[2]:
        last = _number(match[2], field)
    elif match[1] != "*":
        if match[3]:
            raise BadCron(
                f"{field.name}: to some cron readers {part} is one time, to others a beginning",
                f"write {match[1]}-{most}/{match[3]}",
            )
        return {first}
    return _ranged(part, field, first, last, int(match[3] or 1))


def _ranged(part: str, field: Field, first: int, last: int, step: int) -> range | set[int]:
    wraps = field.name == "weekday" and last < first
    if last < first and not wraps:
        raise BadCron(f"{field.name}: {part} goes backwards", f"write {first}-{field.most},{field.least}-{last}")
    length = last + 7 - first if wraps else last - first
    if not 1 <= step <= max(length, 1):
        raise BadCron(f"{field.name}: the step of {part} does not fit into its range")
    steps = range(first, first + length + 1, step)
    return {each % 7 for each in steps} if wraps else steps


def _number(word: str, field: Field) -> int:
    if word in field.names:
        return field.names.index(word) + field.least
    if not word.isdigit() or not field.least <= int(word[:6]) <= field.most:
        named = f" or {field.names[0]}-{field.names[-1]}" if field.names else ""
        raise BadCron(f"{field.name}: expected {field.least}-{field.most}{named}, got {word}")
    return int(word)
