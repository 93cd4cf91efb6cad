"""`python -m benchmarks [--json OUT]`: every measurement as a table of timings and ratios.

A measurement is a function that returns rows; add it to `MEASUREMENTS`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import compose_stack, deciding, reading
from benchmarks.calibration import one_round, timed
from benchmarks.rows import Row, table


def yardstick() -> list[Row]:
    """The calibration loop itself, so that its figure stands in every table."""
    return [Row("one calibration round", timed(one_round, works=500))]


MEASUREMENTS: tuple[Callable[[], list[Row]], ...] = (
    yardstick,
    deciding.arithmetic,
    deciding.steps,
    reading.together,
    compose_stack.share_of_load,
    compose_stack.one_to_ten,
)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="OUT", help="write the rows there too")
    asked = parser.parse_args(argv)
    rows = [row for measure in MEASUREMENTS for row in measure()]
    print(table(rows))
    if asked.json is not None:
        asked.json.write_text(json.dumps([row.json() for row in rows], indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
