"""Rules of schedules: cron lines, time zones, dates, and starts that come too soon."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, timedelta, tzinfo

from autoscaler.model.policy import Opening, Policy, Window
from autoscaler.policy.convert import Fault
from autoscaler.policy.cron import BadCron, Cron, overlap, parse
from autoscaler.policy.units import duration
from autoscaler.policy.words import nearest

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def window(window: Window) -> Iterator[Fault]:
    """One window on its own."""
    if window.min is None and window.max is None:
        yield (), "expected min, max or both, got none", "add min: the fewest replicas while it is open"
    elif window.min is not None and window.max is not None and window.max < window.min:
        yield ("max",), f"must be at least min ({window.min}), got {window.max}", "raise max, or lower min"
    yield from opening(window)


def opening(window: Window | Opening) -> Iterator[Fault]:
    """When a window is open."""
    for index, text in enumerate(window.excepted):
        if not _is_date(text):
            yield ("except", index), f"expected a date such as 2026-12-25, got {text}", "year-month-day"
    yield from times(window.cron, window.timezone)
    zone, cron = zone_of(window.timezone), _cron(window.cron)
    if isinstance(zone, tzinfo) and isinstance(cron, Cron):
        yield from _overlap(window, cron, zone)


def times(cron: str, timezone: str) -> Iterator[Fault]:
    """A cron line whose times come, and the zone they are meant in."""
    zone, line = zone_of(timezone), _cron(cron)
    if isinstance(zone, str):
        yield ("timezone",), f"there is no time zone {timezone}", zone
    if isinstance(line, BadCron):
        yield ("cron",), str(line), line.hint


def schedule(policy: Policy) -> Iterator[Fault]:
    """The windows of a policy beside each other and beside its bounds."""
    names: set[str] = set()
    for index, each in enumerate(policy.schedule):
        if each.name in names:
            said = f"there is another window named {each.name}"
            yield ("schedule", index, "name"), said, "names are unique in a policy"
        names.add(each.name)
        for key, count in (("min", each.min), ("max", each.max)):
            bounds = policy.replicas
            if count is not None and bounds is not None and not bounds.min <= count <= bounds.max:
                said = f"must be within replicas ({bounds.min} to {bounds.max}), got {count}"
                yield ("schedule", index, key), said, "the bounds are law at any time; widen them, or change this"
    if policy.schedule and policy.replicas is None:
        yield ("schedule",), "needs replicas: a window moves their bounds", "add replicas: {min: 1, max: 10}"


def _overlap(window: Window | Opening, cron: Cron, zone: tzinfo) -> Iterator[Fault]:
    pair = overlap(cron, window.lasts, zone)
    if pair is not None:
        first, second = (each.astimezone(zone).strftime("%a %d %b %H:%M") for each in pair)
        apart = duration((pair[1] - pair[0]) / timedelta(seconds=1))
        said = f"its next start comes before its end: {first} and {second} are {apart} apart"
        yield ("for",), said, f"at most {apart}, or fewer starts"


def _cron(text: str) -> Cron | BadCron:
    try:
        return parse(text)
    except BadCron as bad:
        return bad


def zone_of(name: str) -> tzinfo | str:
    """The zone, or a hint where there is none of that name."""
    if name == "UTC":
        return UTC
    import zoneinfo  # most policies have no schedule

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = {each.lower(): each for each in zoneinfo.available_timezones()}
        cities = {each.rpartition("/")[2]: each for each in known}
        near = nearest(name.lower(), [*known, *cities])
        return f"did you mean {known[cities.get(near, near)]}?" if near else "an IANA name such as Asia/Seoul"


def _is_date(text: str) -> bool:
    if not _DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
