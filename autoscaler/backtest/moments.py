"""Points of time as people write them in tests, in seconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from autoscaler.backtest.notation import BadNotation
from autoscaler.policy.units import seconds
from autoscaler.policy.words import nearest

START = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()  # a Monday: where a test begins that does not say when

_MOMENT = re.compile(r"(?P<at>[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.]+)(?P<offset>Z|[-+][0-9:]+)?(?: +(?P<zone>\S+))?")
_CLOCK = re.compile(r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})")


def moment(written: str, zone: tzinfo = UTC) -> tuple[float, tzinfo]:
    """A date and time with its zone: this one, unless an offset or a zone is written. Raises BadNotation.

    >>> moment("1970-01-01 01:00:10 Europe/Paris")[0], moment("1970-01-01T00:00:10Z")[0]
    (10.0, 10.0)
    """
    found = _MOMENT.fullmatch(written)
    try:
        at = datetime.fromisoformat(found["at"] + (found["offset"] or "")) if found is not None else None
    except ValueError:
        at = None
    if found is None or at is None or (at.tzinfo is not None and found["zone"]):
        raise BadNotation(
            f"expected a date and time, got {written}", "2026-06-10 18:00 Asia/Seoul; without a zone: UTC"
        )
    told = at.tzinfo or (_zone(found["zone"]) if found["zone"] else zone)
    return at.replace(tzinfo=told).timestamp(), told


def later(written: str, start: float, zone: tzinfo) -> float:
    """A point after the start: `5m` after it, `08:00` for the next time that the clock shows it, or a date and time.

    Raises BadNotation.

    >>> later("5m", 100.0, UTC), later("00:10", 100.0, UTC), later("00:01", 100.0, UTC)
    (400.0, 600.0, 86460.0)
    """
    span = seconds(written)
    if span is not None:
        return start + span
    clock = _CLOCK.fullmatch(written)
    if clock is not None and int(clock["hour"]) < 24 and int(clock["minute"]) < 60:
        day = datetime.fromtimestamp(start, zone)
        at = day.replace(hour=int(clock["hour"]), minute=int(clock["minute"]), second=0, microsecond=0)
        return (at if at.timestamp() >= start else at + timedelta(days=1)).timestamp()
    try:
        at_s, _ = moment(written, zone)
    except BadNotation:
        hint = "5m after the start, 08:00, or 2026-06-10 08:00"
        raise BadNotation(f"expected a point of time, got {written}", hint) from None
    if at_s < start:
        raise BadNotation(f"{written} is before the test begins", "see its time")
    return at_s


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    import zoneinfo  # most tests name none

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(name, zoneinfo.available_timezones())
        hint = f"did you mean {near}?" if near else "an IANA name such as Asia/Seoul"
        raise BadNotation(f"there is no time zone {name}", hint) from None
