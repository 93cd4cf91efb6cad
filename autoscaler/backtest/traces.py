"""A recorded request rate → the load of every second. Files are CSV with equidistant bins and nothing missing."""

from __future__ import annotations

import csv
import math
from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec

from autoscaler.errors import UsageError, way_out

HEAD = ["timestamp_s", "requests_per_s"]
LONGEST_S = 370 * 86400  # a year of seconds is 250 MB of load; more is a mistake in the file


class Trace(msgspec.Struct, frozen=True):
    """A request rate: `rates[i]` is the mean in requests per second of bin i, each `bin_s` seconds long."""

    name: str
    bin_s: int
    rates: tuple[float, ...]

    @property
    def seconds(self) -> int:
        """How long it is."""
        return self.bin_s * len(self.rates)


class Load(msgspec.Struct, frozen=True):
    """Requests that arrive: `rates[t]` in second t, `before[t]` in all seconds before t (one entry more)."""

    rates: array[float]
    before: array[float]

    @property
    def seconds(self) -> int:
        """How long it is."""
        return len(self.rates)


def folder(path: Path, wanted: Sequence[str] = ()) -> list[Path]:
    """The trace files of a folder by name, or those that are wanted. Raises UsageError."""
    if not path.is_dir():
        raise UsageError(f"{path}: no such folder", hint="name the folder with the traces: --traces DIR")
    found = {each.stem: each for each in sorted(path.glob("*.csv"))}
    if not found:
        raise UsageError(f"{path}: no traces here", hint=f"a trace is a file NAME.csv with the header {','.join(HEAD)}")
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise UsageError(f"{path}: no trace {unknown[0]}", hint=f"there are: {', '.join(found)}")
    return [found[name] for name in wanted] if wanted else list(found.values())


def read(path: Path) -> Trace:
    """One trace. Raises UsageError with the file, the line and what is wrong there."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read: {error}", hint=way_out(error)) from None
    if not rows or [word.strip() for word in rows[0]] != HEAD:
        raise _wrong(path, 1, f"expected the header {','.join(HEAD)}", "rename the columns, or pick another folder")
    times, rates = array("d"), array("d")
    for line, row in enumerate(rows[1:], start=2):
        at, rate = _numbers(path, line, row)
        if rate < 0:
            raise _wrong(path, line, f"{rate:g} requests per second", "a rate is never below zero; mend the file")
        times.append(at)
        rates.append(rate)
    if len(rates) < 4:
        raise UsageError(f"{path}: {len(rates)} bins are too few to score", hint="a trace has at least 4 bins")
    if not any(rates):
        raise UsageError(f"{path}: no requests at all", hint="a trace without load cannot be scaled to one size")
    return Trace(path.stem, _bin(path, times), tuple(rates))


def _numbers(path: Path, line: int, row: Sequence[str]) -> tuple[float, float]:
    if len(row) != len(HEAD):
        raise _wrong(path, line, f"expected {len(HEAD)} columns, got {len(row)}", "write one bin per line")
    try:
        at, rate = float(row[0]), float(row[1])
    except ValueError:
        raise _wrong(path, line, f"expected two numbers, got {','.join(row)}", "fill or cut what is missing") from None
    if not (math.isfinite(at) and math.isfinite(rate)):
        raise _wrong(path, line, f"expected two numbers, got {','.join(row)}", "fill or cut what is missing")
    return at, rate


def _bin(path: Path, times: Sequence[float]) -> int:
    """The length of a bin in whole seconds, the same all the way."""
    bin_s = times[1] - times[0]
    if bin_s < 1 or bin_s != int(bin_s):
        raise _wrong(path, 3, f"bins of {bin_s:g} s", "a bin is a whole number of seconds, times go up")
    for place in range(1, len(times)):
        apart = times[place] - times[place - 1]
        if apart != bin_s:
            what = "a gap" if apart > bin_s else "a change of resolution" if apart > 0 else "a step back in time"
            said = f"{what}: {apart:g} s after the line before, where bins are {bin_s:g} s"
            raise _wrong(path, place + 2, said, "a trace has equidistant bins; fill or cut it")
    if bin_s * len(times) > LONGEST_S:
        raise UsageError(f"{path}: {bin_s * len(times):g} s is longer than a year", hint="cut it")
    return int(bin_s)


def _wrong(path: Path, line: int, said: str, hint: str) -> UsageError:
    return UsageError(f"{path}:{line}: {said}", hint=hint)


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which this share of the values lies, linear between neighbours.

    >>> quantile([4.0, 1.0, 2.0, 3.0], 0.5)
    2.5
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def seconds(trace: Trace, scale: float = 1.0) -> Load:
    """The load of every second: the rates times `scale`, linear between the middles of bins, level at both ends."""
    bin_s, rates = trace.bin_s, [scale * rate for rate in trace.rates]
    first = bin_s // 2  # the first second of a bin whose middle is at or after the middle of the bin
    shares = [(first + 0.5 - bin_s / 2 + ahead) / bin_s for ahead in range(bin_s)]
    load = array("d", [rates[0]] * first)
    for low, high in pairwise(rates):
        rise = high - low
        load.extend([low + rise * share for share in shares])
    load.extend([rates[-1]] * (trace.seconds - len(load)))
    return Load(load, array("d", accumulate(load, initial=0.0)))
