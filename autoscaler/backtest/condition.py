"""The condition of a recording: gaps, counters that were reset, data that came more seldom than before."""

from __future__ import annotations

import array
import itertools
import math
from collections.abc import Iterator

from autoscaler.backtest.recording import AGE_UNKNOWN, Column, Recording, ages, values
from autoscaler.clock import text as written
from autoscaler.decide.explain import number, span
from autoscaler.policy.promql import Facts, facts

RATES = frozenset({"rate", "irate", "increase", "delta", "idelta", "deriv", "resets", "changes"})
COUNTER = ("_total", "_count", "_sum", "_bucket")
SLOWER = 2.5  # samples this many times older than before are another resolution, not jitter
PARTS = 24  # a recording is looked at in so many parts
LEAST_PART = 20  # cycles in a part


def notes(recording: Recording) -> list[str]:
    """What somebody should know of a recording before trusting what is replayed from it, one sentence each."""
    return [
        f"{each.policy}, {each.signal}{' (zero_if)' if each.voucher else ''}: {said}"
        for each in recording.columns
        for said in _notes(recording, each)
    ]


def is_rate(query: str) -> bool | None:
    """True where a query makes rates of its counters; None where it cannot be told."""
    known = facts(query)
    return bool(known.functions & RATES) if isinstance(known, Facts) else None


def _notes(recording: Recording, column: Column) -> Iterator[str]:
    yield from _gaps(recording, column)
    if not column.voucher:
        yield from _resets(column)
        yield from _level(column)
    yield from _pace(recording, column)


def _gaps(recording: Recording, column: Column) -> Iterator[str]:
    """Runs of holes, whatever their reasons; they stay holes."""
    runs: list[tuple[int, int, str]] = []
    for hole in column.holes:
        if runs and runs[-1][1] == hole.first:
            runs[-1] = (runs[-1][0], hole.end, runs[-1][2])
        else:
            runs.append((hole.first, hole.end, f"{hole.why.value}: {hole.detail}" if hole.detail else hole.why.value))
    lost = sum(end - first for first, end, _ in runs)
    if lost == recording.beats:
        yield f"there is no data at all ({runs[0][2]}): does the server's past reach back that far, is the query right?"
        return
    if not runs:
        return
    first, end, why = max(runs, key=lambda run: run[1] - run[0])
    gaps = "1 gap" if len(runs) == 1 else f"{len(runs)} gaps"
    share = f"{span(lost * recording.every_s)} of {span(recording.beats * recording.every_s)}"
    since = written(recording.start + first * recording.every_s)
    longest = f"{span((end - first) * recording.every_s)} from {since} ({why})"
    yield f"{gaps}, {share} in all; the longest {longest}. They stay gaps: missing is never zero"


def _resets(column: Column) -> Iterator[str]:
    """A counter that is read as it is, without a rate: it falls to nearly nothing whenever its process starts anew."""
    known = facts(column.query)
    if not isinstance(known, Facts) or known.functions & RATES:
        return
    told = [value for value in values(column) if math.isfinite(value)]
    falls = sum(after < before for before, after in itertools.pairwise(told))
    rises = sum(after > before for before, after in itertools.pairwise(told))
    named = any(name.endswith(COUNTER) for name in known.metrics)
    if named and falls:
        times = "once" if falls == 1 else f"{falls} times"
        yield f"a counter without a rate, which fell {times} (a reset): write rate(…[1m]) around it"
    elif named and rises:
        yield "a counter without a rate, which only rises: write rate(…[1m]) around it"


def _level(column: Column) -> Iterator[str]:
    """What is below zero, and nothing but zeros: a policy is not tried by either."""
    told = [value for value in values(column) if math.isfinite(value)]
    below = sum(value < 0 for value in told)
    if below:
        share = "all the time" if below == len(told) else f"{below} of {len(told)} times"
        yield f"below 0 {share}, {number(min(told))} at the lowest: no load can be; look at the query"
    elif told and not any(told):
        yield "0 all the time: nothing is tried by that"


def _pace(recording: Recording, column: Column) -> Iterator[str]:
    """Samples that came more seldom from some time on, as after a downsampling or another scrape interval."""
    size = max(recording.beats // PARTS, LEAST_PART)
    parts = [_typical(ages(column)[first : first + size]) for first in range(0, recording.beats, size)]
    for index, (before, after) in enumerate(itertools.pairwise(parts)):
        if before is None or after is None:
            continue
        slower, faster = max(before, after), min(before, after)
        if slower > SLOWER * faster and slower > 2 * recording.every_s:
            since = written(recording.start + (index + 1) * size * recording.every_s)
            said = f"samples were {number(before)} s old until about {since} and {number(after)} s old after"
            yield f"the resolution changed: {said}; rates of the two parts are not alike"
            return


def _typical(part: array.array[int]) -> float | None:
    """The oldest age that is usual: of ten cycles nine have one below it. None where too few are known."""
    told = sorted(age / 1000 for age in part if age != AGE_UNKNOWN)
    return round(told[int(0.9 * (len(told) - 1))], 1) if len(told) >= LEAST_PART / 2 else None
