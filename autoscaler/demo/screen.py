"""What the demo shows: a live table on a terminal, plain lines anywhere else."""

from __future__ import annotations

import shutil
from collections import deque
from typing import TextIO

import msgspec

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 60
EVERY_S = 2.0  # between plain lines while nothing changes


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
    workers: tuple[tuple[str, str], ...] = ()  # name and what it does


def sparkline(values: list[float], top: float | None = None) -> str:
    """Values as bars, the highest (or `top`) full.

    >>> sparkline([0, 1, 2, 4])
    '▁▂▄█'
    """
    most = max([*values, 1.0]) if top is None else top
    return "".join(BARS[min(len(BARS) - 1, round(max(0.0, value) / most * (len(BARS) - 1)))] for value in values)


class Screen:
    """Draws looks as they come."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty()
        self._drawn = 0
        self._loads: deque[float] = deque(maxlen=WIDTH)
        self._counts: deque[float] = deque(maxlen=WIDTH)
        self._last: Look | None = None

    def say(self, line: str) -> None:
        """One line that stays."""
        self._clear()
        self._out.write(line + "\n")
        self._out.flush()

    def show(self, look: Look) -> None:
        """Draw this moment."""
        self._loads.append(float(look.users))
        self._counts.append(look.existing)
        if self._live:
            self._clear()
            lines = self._table(look)
            self._out.write("\n".join(lines) + "\n")
            self._drawn = len(lines)
        elif self._new(look):
            self._last = look
            self._out.write(
                f"{look.at_s:5.1f}s  {look.act:<18} users {look.users:>3}  served {look.rate:4.0f}/s  "
                f"replicas {look.ready}/{look.existing} -> {look.desired}  {look.reason}\n"
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
        columns = max(40, shutil.get_terminal_size().columns)
        bars = max(10, min(WIDTH, columns - 34))
        rows = [
            "",
            f"  {look.at_s:5.1f} s   \x1b[1m{look.act}\x1b[0m",
            f"  users     {look.users:>4}  {sparkline(list(self._loads)[-bars:])}",
            f"  replicas  {look.existing:>4}  {sparkline(list(self._counts)[-bars:], 6.0)}",
            f"  served {look.rate:5.0f}/s  by {look.ready} ready, wanted {look.desired}; {look.failed} failed",
            f"  why: \x1b[36m{look.reason}\x1b[0m  {look.because}",
            "",
        ]
        colors = {"ready": "32", "sick": "31", "draining": "33"}
        rows += [f"    {name:<10} \x1b[{colors.get(doing, '90')}m{doing}\x1b[0m" for name, doing in look.workers]
        return [row if len(row) <= columns + 20 else row[: columns + 19] + "…" for row in rows]

    def _clear(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0
