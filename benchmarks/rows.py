"""What a measurement says, as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.calibration import Cost


class Row(NamedTuple):
    """One figure: its name, what one costs in CPU seconds and calibration rounds, and what it must reach in words.

    What is no cost (a ratio, wall time on a real part, why there is no figure) is `said` instead.
    """

    name: str
    cost: Cost | None
    goal: str = ""
    said: str = ""

    def json(self) -> dict[str, object]:
        """As plain data."""
        if self.cost is None:
            return {"name": self.name, "said": self.said, "goal": self.goal}
        return {
            "name": self.name,
            "seconds": self.cost.seconds,
            "per_second": 1 / self.cost.seconds,
            "calibration_rounds": self.cost.rounds,
            "goal": self.goal,
        }


def table(rows: Sequence[Row]) -> str:
    """Aligned columns, one row a line."""
    lines = [("what", "each", "per second", "calibration rounds", "must reach")]
    for row in rows:
        if row.cost is None:
            lines.append((row.name, row.said, "", "", row.goal))
            continue
        each, many, rounds = row.cost.seconds * 1e6, 1 / row.cost.seconds, row.cost.rounds
        lines.append((row.name, f"{each:.2f} µs", f"{many:,.0f}", f"{rounds:.2f}", row.goal))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        f"{line[0]:<{widths[0]}}  "
        + "  ".join(f"{cell:>{width}}" for cell, width in zip(line[1:4], widths[1:4], strict=True))
        + f"  {line[4]}".rstrip()
        for line in lines
    )
