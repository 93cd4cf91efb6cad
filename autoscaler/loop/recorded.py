"""Counts of before this daemon remembers: what was last decided, from the lines of its history."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.loop.trail import Stretch
from autoscaler.ports import Record, RecordKind

RECORDED = "recorded"


def widened(told: Stretch, since: float) -> Stretch:
    """The same from an earlier time on: what is not remembered is empty."""
    short = max(0, int(told.start // told.every_s) - int(since // told.every_s))
    values = {name: (None,) * short + cells for name, cells in told.values.items()}
    return Stretch(told.start - short * told.every_s, told.every_s, values)


def remembered_from(told: Stretch, until: float) -> float:
    """When the first cell begins in which anything is known; `until` where nothing is."""
    first = min(
        (n for cells in told.values.values() for n, value in enumerate(cells) if value is not None), default=None
    )
    return until if first is None else told.start + first * told.every_s


def recorded(told: Stretch, records: Sequence[Record], until: float) -> tuple[float | None, ...]:
    """One count per cell up to a time: of the last decision on record at its end; None before the first.

    `records` are newest first.
    """
    found = [(each.at, each.after) for each in records if each.kind is RecordKind.DECISION and each.after is not None]
    found.reverse()
    cells: list[float | None] = []
    last: float | None = None
    at, end, place = told.start, until + told.every_s, 0
    while at < end:
        while place < len(found) and found[place][0] < at + told.every_s:
            last = float(found[place][1])
            place += 1
        cells.append(last)
        at += told.every_s
    return tuple(cells)
