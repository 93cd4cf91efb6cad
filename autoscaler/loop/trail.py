"""The trail: how a workload's counts and signals went lately, in a few kilobytes that do not grow.

Two rings per workload: an hour as fine as the cycles (of 15 s), and a day in cells of ten minutes, each with the
largest value it saw. A cell in which nothing was known stays empty: a gap is drawn as a gap.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping

import msgspec

from autoscaler.decide.explain import asked_for
from autoscaler.model.decision import Decision, Stage
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState

FINE = 240
COARSE = 144
COARSE_S = 600.0
EXPECTED = "expected "  # before a signal's name: what adaptive expects of it
SIGNAL = "signal "
_SIGNAL = Stage.SIGNAL  # looking it up takes as long as comparing several


class Stretch(msgspec.Struct, frozen=True):
    """Values at equal steps: the first cell begins at `start`; None where nothing was known."""

    start: float
    every_s: float
    values: dict[str, tuple[float | None, ...]]


class Ring:
    """The newest `size` cells of `width_s` seconds; of several values in one cell the largest stays."""

    def __init__(self, width_s: float, size: int) -> None:
        self.width_s = width_s
        self._size = size
        self._newest = -1
        self._columns: dict[str, array[float]] = {}

    def put(self, at: float, values: Mapping[str, float]) -> None:
        """Note values of a time. What is older than the newest cell is of a clock that was set back: it is left out."""
        cell = int(at // self.width_s)
        if cell < self._newest:
            return
        if cell > self._newest:
            self._clear(cell)
        place = cell % self._size
        for name, value in values.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = array("f", [math.nan]) * self._size
            before = column[place]
            column[place] = value if before != before or value > before else before

    def read(self, since: float, until: float) -> Stretch:
        """The cells between two times that the ring still covers."""
        last = int(until // self.width_s)
        first = max(int(since // self.width_s), self._newest - self._size + 1, last - self._size + 1)
        places = range(first, last + 1) if self._newest >= 0 else range(0)
        values = {name: tuple([self._cell(column, cell) for cell in places]) for name, column in self._columns.items()}
        return Stretch(first * self.width_s, self.width_s, values)

    def _cell(self, column: array[float], cell: int) -> float | None:
        value = column[cell % self._size] if cell <= self._newest else math.nan
        return None if value != value else round(value, 4)

    def _clear(self, cell: int) -> None:
        """Empty the cells between the newest and this one."""
        if cell == self._newest + 1:  # as ever, while cycles follow one another
            for column in self._columns.values():
                column[cell % self._size] = math.nan
            self._newest = cell
            return
        passed = range(max(self._newest + 1, cell - self._size + 1), cell + 1) if self._newest >= 0 else ()
        for column in self._columns.values():
            for each in passed:
                column[each % self._size] = math.nan
        self._newest = cell


class Trail:
    """Both rings of one workload."""

    def __init__(self, cycle_s: float) -> None:
        self.fine = Ring(max(cycle_s, 1.0), FINE)
        self.coarse = Ring(COARSE_S, COARSE)

    def note(self, decision: Decision, state: TargetState | Missing) -> None:
        """What this decision saw and led to."""
        values = seen_in(decision, state)
        self.fine.put(decision.at, values)
        self.coarse.put(decision.at, values)

    def read(self, since: float, until: float) -> Stretch:
        """What is known between two times, as fine as it is known that far back."""
        ring = self.fine if until - since <= self.fine.width_s * FINE else self.coarse
        return ring.read(since, until)


def seen_in(decision: Decision, state: TargetState | Missing) -> dict[str, float]:
    """The numbers of one decision that are worth a line in a chart."""
    values: dict[str, float] = {}
    if isinstance(state, TargetState):
        values["existing"], values["ready"] = float(state.existing), float(state.ready)
        values["desired"], values["asked"] = float(decision.desired), float(asked_for(decision))
    for step in decision.steps:
        if step.stage is not _SIGNAL:
            continue
        name, load, expected = step.facts.get("signal"), step.facts.get("load"), step.facts.get("expected")
        if name is None:
            continue
        if isinstance(load, int | float) and math.isfinite(load):
            values[f"{SIGNAL}{name}"] = float(load)
        if isinstance(expected, int | float) and math.isfinite(expected):
            values[f"{EXPECTED}{name}"] = float(expected)
    return values
