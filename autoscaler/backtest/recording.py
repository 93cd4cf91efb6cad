"""A recording: what the queries of policies gave at every cycle of a past, in one compact file.

The file is gzip around one msgpack map, `Recording`. A column holds the readings of one query, one per cycle: values as
64-bit floats, ages as whole milliseconds, both little-endian, and holes with their reasons. Missing stays missing.
"""

from __future__ import annotations

import array
import gzip
import hashlib
import math
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from autoscaler.errors import UsageError, way_out
from autoscaler.model.observation import Ask
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series

FORMAT = "autoscaler-recording"
VERSION = 1
SUFFIX = ".rec"
AGE_UNKNOWN = 0xFFFFFFFF
MOST_BYTES = 2_000_000_000  # unpacked; a year of a policy at 15 s has about 30 million
MOST_BEATS = 20_000_000


class Hole(msgspec.Struct, frozen=True, array_like=True):
    """The cycles from `first` up to but not including `end` have no reading, for one reason."""

    first: int
    end: int
    why: MissingWhy
    detail: str = ""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The readings of one query over all cycles.

    `mark` is what the readings depend on (server, query, `reduce`, `max_age`) as one short word; `query` and `server`
    are for people. A `voucher` is the query of a `zero_if`.
    """

    policy: str
    signal: str
    server: str
    query: str
    mark: str
    voucher: bool = False
    values: bytes
    ages: bytes
    holes: tuple[Hole, ...] = ()


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """`beats` cycles, `every_s` seconds apart, the first at `start` (seconds since the epoch, UTC)."""

    format: str = FORMAT
    version: int = VERSION
    start: float
    every_s: float
    beats: int
    columns: tuple[Column, ...]

    @property
    def end(self) -> float:
        """The time of the last cycle."""
        return self.start + (self.beats - 1) * self.every_s

    def times(self) -> list[float]:
        """The times of the cycles."""
        return [self.start + beat * self.every_s for beat in range(self.beats)]


class _Head(msgspec.Struct, frozen=True):
    """What every version of a recording begins with."""

    format: str = ""
    version: int = 0


def mark(ask: Ask) -> str:
    """A word for all that the readings of an ask depend on; the workload and the goal are not among it."""
    signal = ask.signal
    what = (signal.source, ask.query, ask.voucher, signal.reduce and signal.reduce.value, signal.max_age)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]


def column(ask: Ask, policy: str, readings: Sequence[Reading]) -> Column:
    """The readings of an ask as a column."""
    values, ages = array.array("d"), array.array("I")
    for each in readings:
        if isinstance(each, Missing):
            values.append(math.nan)
            ages.append(AGE_UNKNOWN)
        else:
            values.append(each.points[0].value)
            age = each.age_s
            ages.append(AGE_UNKNOWN if age is None else min(round(age * 1000), AGE_UNKNOWN - 1))
    return Column(
        policy=policy,
        signal=ask.signal.name,
        server=ask.signal.source,
        query=ask.query,
        mark=mark(ask),
        voucher=ask.voucher,
        values=_little(values).tobytes(),
        ages=_little(ages).tobytes(),
        holes=tuple(_holes(readings)),
    )


def readings(column: Column) -> list[Reading]:
    """A column as the readings that a daemon would have had, one per cycle."""
    values, ages = _array("d", column.values), _array("I", column.ages)
    found: list[Reading] = [
        Series((Point(value),), None if age == AGE_UNKNOWN else age / 1000)
        for value, age in zip(values, ages, strict=True)
    ]
    for hole in column.holes:
        found[hole.first : hole.end] = [Missing(hole.why, hole.detail)] * (hole.end - hole.first)
    return found


def values(column: Column) -> array.array[float]:
    """The values of a column, not a number where it has none."""
    return _array("d", column.values)


def ages(column: Column) -> array.array[int]:
    """The ages of a column's newest samples in milliseconds, AGE_UNKNOWN where they cannot be told."""
    return _array("I", column.ages)


def part(recording: Recording, first: int, end: int) -> Recording:
    """The cycles from `first` up to but not including `end`."""
    return Recording(
        start=recording.start + first * recording.every_s,
        every_s=recording.every_s,
        beats=end - first,
        columns=tuple(_part(each, first, end) for each in recording.columns),
    )


def pack(recording: Recording) -> bytes:
    """A recording as a file; the same recording is always the same bytes."""
    return gzip.compress(msgspec.msgpack.encode(recording), 6, mtime=0)


def unpack(data: bytes, name: str) -> Recording:
    """The recording in a file called `name`. Raises UsageError with one sentence for anything else."""
    again = "make it anew with `autoscaler record`"
    if data[:2] != b"\x1f\x8b":
        raise UsageError(f"{name}: this is not a recording", hint="`autoscaler record` makes one")
    engine = zlib.decompressobj(wbits=31)
    try:
        plain = engine.decompress(data, MOST_BYTES)
    except zlib.error:
        raise UsageError(f"{name}: this recording is damaged", hint=again) from None
    if engine.unconsumed_tail:
        raise UsageError(f"{name}: this recording has more than {MOST_BYTES // 10**9} GB unpacked", hint=again)
    if not engine.eof:
        raise UsageError(f"{name}: this recording is cut off", hint=again)
    try:
        head = msgspec.msgpack.decode(plain, type=_Head)
        if head.format != FORMAT:
            raise UsageError(f"{name}: this is not a recording", hint="`autoscaler record` makes one")
        if head.version != VERSION:
            raise UsageError(f"{name}: version {head.version} of recordings, this program reads {VERSION}", hint=again)
        found = msgspec.msgpack.decode(plain, type=Recording)
    except msgspec.DecodeError as error:
        raise UsageError(f"{name}: this recording is damaged: {error}", hint=again) from None
    if not _sound(found):
        raise UsageError(f"{name}: this recording is damaged: its columns do not fit its cycles", hint=again)
    return found


def write(recording: Recording, path: Path) -> int:
    """Write a recording whole or not at all; how many bytes it has. Raises UsageError."""
    data = pack(recording)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", hint=way_out(error)) from None
    return len(data)


def read(path: Path) -> Recording:
    """The recording in a file. Raises UsageError."""
    try:
        return unpack(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}", hint=way_out(error)) from None


def _sound(recording: Recording) -> bool:
    beats = recording.beats
    if not (0 < beats <= MOST_BEATS and 0 < recording.every_s <= 3600 and math.isfinite(recording.start)):
        return False
    return all(
        len(each.values) == 8 * beats
        and len(each.ages) == 4 * beats
        and all(0 <= hole.first < hole.end <= beats for hole in each.holes)
        and sum(map(math.isfinite, _array("d", each.values))) == beats - sum(h.end - h.first for h in each.holes)
        for each in recording.columns
    )


def _part(column: Column, first: int, end: int) -> Column:
    holes = [Hole(max(h.first, first) - first, min(h.end, end) - first, h.why, h.detail) for h in column.holes]
    return msgspec.structs.replace(
        column,
        values=column.values[8 * first : 8 * end],
        ages=column.ages[4 * first : 4 * end],
        holes=tuple(hole for hole in holes if hole.first < hole.end),
    )


def _holes(readings: Sequence[Reading]) -> Iterator[Hole]:
    """Neighbours that are missing for the same reason, as one."""
    first = 0
    for beat, each in enumerate(readings):
        after = readings[beat + 1] if beat + 1 < len(readings) else None
        if isinstance(each, Missing) and after != each:
            yield Hole(first, beat + 1, each.why, each.detail)
        if after != each or not isinstance(each, Missing):
            first = beat + 1


def _array(kind: str, data: bytes) -> array.array[Any]:
    return _little(array.array(kind, data))


def _little(numbers: array.array[Any]) -> array.array[Any]:
    """The same numbers, turned about on a machine that has the large end first."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
