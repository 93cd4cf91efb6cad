"""A cron trigger's start and end, two cron lines → a window: one cron line and how long it lasts.

KEDA counts a time as inside while the next end comes before the next start.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from autoscaler.policy.cron import BadCron, Cron, parse
from autoscaler.policy.units import duration

_FIRST, _DAYS = date(2027, 1, 1), 800  # a leap day and each weekday's turn of the year
LONGEST_S = 31 * 86400.0  # of a window
_MINUTE_S = 60.0
_MOST = 200_000  # starts and ends in that time; more than that is no window


def between(start: str, end: str) -> float | str:
    """`lasts` of two lines as they are written; one that cannot be read is told of in a sentence as well."""
    try:
        return lasts(parse(start), parse(end))
    except BadCron as bad:
        return f"{bad}; {bad.hint}" if bad.hint else str(bad)


def lasts(start: Cron, end: Cron) -> float | str:
    """How long every window from a start to its end lasts, in seconds of a clock that is never changed.

    A sentence where that differs from start to start, where a start has no end before the next one, or where there
    are too many.

    >>> from autoscaler.policy.cron import parse
    >>> lasts(parse("0 8 * * mon-fri"), parse("0 18 * * mon-fri")), lasts(parse("0 22 * * *"), parse("0 6 * * *"))
    (36000.0, 28800.0)
    >>> lasts(parse("0 22 * * mon,fri"), parse("0 6 * * mon,tue"))
    'its windows last differently long: from 8h to 56h'
    """
    if (len(start.times) + len(end.times)) * _DAYS > _MOST:
        return "it starts or ends too often to be a window"
    found: set[int] = set()
    opened: int | None = None
    for minute, ends in sorted([*_minutes(start, 0), *_minutes(end, 1)]):
        if ends and opened is not None:
            found.add(minute - opened)
            opened = None
        elif not ends:
            if opened is not None:
                return "a start comes before the end of the one before: KEDA is outside of the window then"
            opened = minute
    found.discard(0)
    if not found:
        return "it never ends after a start"
    if len(found) > 1:
        shortest, longest = (duration(each * _MINUTE_S) for each in (min(found), max(found)))
        return f"its windows last differently long: from {shortest} to {longest}"
    lasting = found.pop() * _MINUTE_S
    return lasting if lasting <= LONGEST_S else f"it would last for {duration(lasting)}, and 31 days are the most"


def _minutes(cron: Cron, ends: int) -> Iterator[tuple[int, int]]:
    for number in range(_DAYS):
        if cron.on(_FIRST + timedelta(days=number)):
            for minute in cron.times:
                yield number * 1440 + minute, ends
