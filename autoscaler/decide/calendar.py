"""Schedule windows: a cron line, a time zone and a span become times at which a window is open.

The arithmetic of starts is APScheduler's. Its numbers for weekdays are not cron's (there 0 is Monday), so weekdays are
handed to it by name only, ranges that wrap around written out.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from autoscaler.model.policy import Opening, Window

DAY_S = 86400.0
SLACK = timedelta(hours=3)  # more than clocks are moved
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


W = TypeVar("W", Window, Opening)


class Open(msgspec.Struct, Generic[W], frozen=True):
    """A window that is open, and until when."""

    window: W
    until: float


def open_windows(schedule: tuple[W, ...], now: float) -> tuple[Open[W], ...]:
    """The windows that are open at `now` (seconds since the epoch), in the order of the schedule."""
    day = now // DAY_S
    found: list[Open[W]] = []
    for window in schedule:
        for start, end in _spans(window, day):
            if start <= now < end:
                found.append(Open(window, end))
                break
    return tuple(found)


def spans(window: Window | Opening, since: float, until: float) -> Iterator[tuple[float, float]]:
    """Start and end of every opening of a window that starts between two times, in order."""
    zone = ZoneInfo(window.timezone)
    hourly = window.cron.split()[1].startswith("*")
    begin = _wall(since, zone) - SLACK
    starts = {
        at
        for local in _walls(window.cron, begin, _wall(until, zone) + SLACK)
        if local.date().isoformat() not in window.excepted
        for at in _instants(local, zone, hourly=hourly)
        if since <= at < until
    }
    return ((at, at + window.lasts) for at in sorted(starts))


def _wall(at: float, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, zone).replace(tzinfo=UTC, fold=0)


def _walls(cron: str, after: datetime, last: datetime) -> Iterator[datetime]:
    """The times on a clock on the wall that a cron line names, in order; days on which clocks change are no matter."""
    from apscheduler.triggers.cron import CronTrigger

    minute, hour, day, month, weekday = cron.split()
    trigger = CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekdays(weekday), timezone=UTC)
    while (start := trigger.get_next_fire_time(None, after)) is not None and start < last:
        yield start
        after = start + timedelta(seconds=1)


def _instants(wall: datetime, zone: ZoneInfo, *, hourly: bool) -> Iterator[float]:
    """When a clock in this zone shows a time: once, as cron has it.

    A time that is skipped when clocks go forward comes as much later as they were moved; one that comes twice when they
    go back counts the first time only, but for what starts every so many hours.
    """
    first, second = (wall.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    yield first
    if hourly and second > first:
        yield second


@functools.lru_cache(maxsize=65_536)
def _spans(window: Window | Opening, day: float) -> tuple[tuple[float, float], ...]:
    """The openings that touch one day (UTC)."""
    start = day * DAY_S
    return tuple(each for each in spans(window, start - window.lasts, start + DAY_S) if each[1] > start)


def weekdays(field: str) -> str:
    """A cron field of weekdays by names, wrapped ranges and steps written out.

    >>> weekdays("1-5"), weekdays("0"), weekdays("7"), weekdays("fri-mon"), weekdays("*/2"), weekdays("*")
    ('mon,tue,wed,thu,fri', 'sun', 'sun', 'sun,mon,fri,sat', 'sun,tue,thu,sat', '*')
    """
    if field == "*":
        return "*"
    chosen: set[int] = set()
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if span == "*":
            begin, length = 0, 7
        else:
            begin = _weekday(first)
            length = ((_weekday(last) - begin) % 7 or (7 if first != last else 0)) + 1 if dash else (7 if step else 1)
            length = min(length, 7)
        chosen |= {(begin + offset) % 7 for offset in range(0, length, int(step or 1))}
    return ",".join(WEEKDAYS[each] for each in sorted(chosen))


def _weekday(word: str) -> int:
    return WEEKDAYS.index(word[:3]) if word[:3] in WEEKDAYS else int(word) % 7
