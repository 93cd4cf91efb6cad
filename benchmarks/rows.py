"""What a measurement says, as a table for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.calibration import Cost

WORSE = 1.5  # times the ratio that stands on record; less than that is the unrest of machines


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


def slower(rows: Sequence[Row], before: Sequence[Mapping[str, Any]]) -> list[str]:
    """What costs more calibration rounds than it may after what is on record, one sentence each.

    A measurement that is not on record, or is no longer made, is told of as well: nothing drops out unseen.
    """
    known = {each["name"]: float(each["calibration_rounds"]) for each in before if "calibration_rounds" in each}
    costs = {row.name: row.cost.rounds for row in rows if row.cost is not None}
    worse = [
        f"{name}: {rounds:.2f} rounds, {rounds / known[name]:.2f} times the {known[name]:.2f} on record"
        for name, rounds in costs.items()
        if name in known and rounds > WORSE * known[name]
    ]
    gone = [f"{name}: on record, and no longer measured" for name in known if name not in costs]
    return [*worse, *gone, *[f"{name}: not on record" for name in costs if name not in known]]


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
