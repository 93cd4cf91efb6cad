"""`python -m tests.simulation --seeds 1:20 --days 2`: plays worlds; a broken rule prints its shortest story."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.play import Result, play, shortened
from tests.simulation.story import tell


def main() -> int:
    words = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    words.add_argument("--seeds", default="1:5", help="from:to, or one seed")
    words.add_argument("--days", type=float, default=1.0)
    words.add_argument("--workloads", type=int, default=20)
    words.add_argument("--per-day", type=float, default=60.0)
    words.add_argument("--no-shrink", action="store_true", help="print the whole story, not its shortest form")
    asked = words.parse_args()
    first, _, last = asked.seeds.partition(":")
    began, worlds, failed = time.monotonic(), 0, 0
    for seed in range(int(first), int(last or first) + 1):
        told = tell(seed, workloads=asked.workloads, days=asked.days, per_day=asked.per_day)
        result = play(told)
        worlds += 1
        if result.broken:
            failed += 1
            report(result if asked.no_shrink else shortened(result))
    days = worlds * asked.days * asked.workloads
    print(f"{days:.0f} workload-days in {time.monotonic() - began:.0f} s; {worlds - failed} passed, {failed} failed")
    return 1 if failed else 0


def report(result: Result) -> None:
    told = result.told
    print(f"seed {told.seed}, {told.workloads} workloads, {told.days:g} days: {result.broken[0]}")
    for event in told.events:
        print(f"  {event}")


if __name__ == "__main__":
    sys.exit(main())
