"""What the demo shows: a live table on a terminal, plain lines anywhere else. What happened stays in both."""

from __future__ import annotations

import os
import shutil
from collections import deque
from collections.abc import Mapping
from typing import TextIO

import msgspec

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 120  # looks kept for the sparklines
EVERY_S = 2.0  # between plain lines while nothing changes
LEFT = 22  # columns before a sparkline

COLORS = {"ready": "32", "sick": "31", "draining": "33", "starting": "36"}
BOLD, DIM = "1", "2"


class Row(msgspec.Struct, frozen=True):
    """One worker or container: its name, what it does, and the requests per second it serves."""

    name: str
    doing: str
    rate: float


class Look(msgspec.Struct, frozen=True):
    """One moment of the demo. `at_s` counts from its start."""

    at_s: float
    act: str
    users: int
    rate: float
    failed: int
    ready: int
    existing: int
    desired: int
    reason: str
    because: str
    instances: tuple[Row, ...] = ()
    underway: tuple[str, ...] = ()  # replacements, in words


def sparkline(values: list[float], top: float | None = None) -> str:
    """Values as bars, the highest (or `top`) full.

    >>> sparkline([0, 1, 2, 4])
    '▁▃▅█'
    """
    most = max([*values, 1.0]) if top is None else top
    return "".join(BARS[min(len(BARS) - 1, int(max(0.0, value) / most * (len(BARS) - 1) + 0.5))] for value in values)


class Screen:
    """Draws looks as they come. Colors only on a terminal, and not where NO_COLOR is set."""

    def __init__(self, out: TextIO, environment: Mapping[str, str] = os.environ) -> None:
        self._out = out
        self._live = out.isatty() and environment.get("TERM") != "dumb"
        self._colors = self._live and not environment.get("NO_COLOR")
        self._drawn = 0
        self._loads: deque[float] = deque(maxlen=WIDTH)
        self._counts: deque[float] = deque(maxlen=WIDTH)
        self._rates: deque[float] = deque(maxlen=WIDTH)
        self._last: Look | None = None

    def say(self, line: str, color: str = "") -> None:
        """Lines that stay."""
        self._clear()
        self._out.write("".join(f"{self._in(color, each)}\n" for each in line.split("\n")))
        self._out.flush()

    def happened(self, at_s: float, line: str, color: str = "") -> None:
        """Something that happened, with its time. On a terminal cut to its width, so that each has one line."""
        self.say(self._fitting(f"{at_s:6.1f} s  {line}"), color)

    def show(self, look: Look) -> None:
        """Draw this moment."""
        self._loads.append(float(look.users))
        self._counts.append(float(look.existing))
        self._rates.append(look.rate)
        if self._live:
            lines = self._table(look)
            self._clear()
            self._out.write("\n".join(lines) + "\n")
            self._drawn = len(lines)
        elif self._new(look):
            self._last = look
            self._out.write(
                f"{look.at_s:6.1f} s  {look.act:<16} users {look.users:>2}  served {look.rate:3.0f}/s  "
                f"ready {look.ready} of {look.existing}, wanted {look.desired}  {look.reason}\n"
            )
        self._out.flush()

    def _new(self, look: Look) -> bool:
        last = self._last
        if last is None or look.at_s - last.at_s >= EVERY_S:
            return True
        return (look.act, look.ready, look.existing, look.desired) != (
            last.act, last.ready, last.existing, last.desired,
        )  # fmt: skip

    def _table(self, look: Look) -> list[str]:
        width = max(10, self._columns() - LEFT - 1)

        def line(name: str, value: str, values: deque[float], color: str) -> str:
            return f"  {name:<9}{value:>9}  {self._in(color, sparkline(list(values)[-width:]))}"

        rows = [
            self._in(DIM, "─" * (self._columns() - 1)),
            f"  {self._in(BOLD, look.act)}, {look.at_s:.0f} s",
            line("users", str(look.users), self._loads, "34"),
            line("served", f"{look.rate:.0f}/s", self._rates, "32"),
            line("replicas", str(look.existing), self._counts, "36"),
            self._fitting(
                f"  {look.ready} of {look.existing} ready, {look.desired} wanted, {look.failed} failed requests"
            ),
            f"  {self._in('36', look.reason)}" if look.reason else "",
            self._fitting(f"  {look.because}"),
            "",
        ]
        rows += [
            f"    {row.name:<8} {self._in(COLORS.get(row.doing, DIM), f'{row.doing:<9}')} "
            f"{row.rate:4.0f}/s  {self._in('32', '■' * round(row.rate / 2))[: self._columns()]}"
            for row in look.instances
        ]
        rows += [self._fitting(f"    {each}") for each in look.underway]
        return rows[: max(1, shutil.get_terminal_size().lines - 1)]  # what scrolled away could not be cleared

    def _columns(self) -> int:
        return max(40, shutil.get_terminal_size().columns)

    def _fitting(self, line: str) -> str:
        most = self._columns() - 1
        return line if not self._live or len(line) <= most else line[: most - 1] + "…"

    def _in(self, color: str, text: str) -> str:
        return f"\x1b[{color}m{text}\x1b[0m" if color and self._colors and text else text

    def _clear(self) -> None:
        if self._drawn:
            self._out.write(f"\r\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0
