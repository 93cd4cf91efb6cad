"""`python -m benchmarks [--json OUT] [--check FILE]`: every measurement as a table of timings and ratios.

A measurement is a function that returns rows; add it to `MEASUREMENTS`, or to `PURE` where it needs no real parts.
`--check` measures what is pure again, and fails where a ratio to the calibration loop is more than 1.5 times the one in
a file that `--json` wrote.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    adapting,
    compose_stack,
    cycling,
    deciding,
    looking,
    reading,
    recycling,
    replaying,
    watching,
)  # fmt: skip
from benchmarks.calibration import one_round, timed
from benchmarks.machine import machine
from benchmarks.rows import Row, slower, table


def yardstick() -> list[Row]:
    """The calibration loop itself, so that its figure stands in every table."""
    return [Row("one calibration round", timed(one_round, works=500))]


Measurement = Callable[[], list[Row]]

PURE: tuple[Measurement, ...] = (
    yardstick,
    deciding.arithmetic,
    deciding.steps,
    deciding.flat,
    adapting.adaptive,
    replaying.replayed,
    watching.watched,
)
MEASUREMENTS: tuple[Measurement, ...] = (
    *PURE,
    cycling.cycles,
    reading.together,
    looking.looked_at,
    compose_stack.share_of_load,
    compose_stack.one_to_ten,
    recycling.replaced,
)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the rows there too")
    parser.add_argument("--check", type=Path, metavar="FILE", help="fail where a ratio is worse than there")
    parser.add_argument("--pure", action="store_true", help="only what needs no real parts")
    asked = parser.parse_args(argv)
    measurements = PURE if asked.pure or asked.check is not None else MEASUREMENTS
    rows = [row for measure in measurements for row in measure()]
    print(f"{machine()}\n\n{table(rows)}")
    if asked.json is not None:
        told = {"machine": machine(), "rows": [row.json() for row in rows]}
        asked.json.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    if asked.check is None:
        return 0
    found = slower(rows, json.loads(asked.check.read_text(encoding="utf-8"))["rows"])
    print("\n".join(["", *found] if found else ["", "no ratio is more than 1.5 times what it was"]))
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
