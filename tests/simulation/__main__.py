"""`python -m tests.simulation --seeds 1:20 --days 2`: plays worlds; a broken rule prints its shortest story."""

from __future__ import annotations

import argparse
import sys
import time

from tests.simulation.play import play
from tests.simulation.shorten import SECONDS, Shortening, report
from tests.simulation.story import Told, tell


def main() -> int:
    """The exit code: 1 where a rule was broken."""
    asked = _words().parse_args()
    first, _, last = asked.seeds.partition(":")
    began, days, failed, checked, seeds = time.monotonic(), 0.0, 0, 0, range(int(first), int(last or first) + 1)
    for seed in seeds:
        whole = tell(seed, workloads=asked.workloads, days=asked.days, per_day=asked.per_day)
        told = _part(whole, asked)
        result = play(told)
        days += told.days * told.workloads
        checked += result.checked
        if result.broken:
            failed += 1
            if asked.shorten:
                result = Shortening(result, seconds=asked.shorten).shortest()
            print(report(whole, result, per_day=asked.per_day), flush=True)
        if asked.digest:
            print(seed, result.digest, flush=True)
    took = time.monotonic() - began
    said = f"{days:.0f} workload-days, {checked} checks in {took:.0f} s"
    print(f"{said}; {len(seeds) - failed} seeds passed, {failed} failed")
    return 1 if failed else 0


def _part(whole: Told, asked: argparse.Namespace) -> Told:
    told = whole.cut(days=asked.only_days, workloads=asked.only_workloads)
    if asked.keep is None:
        return told
    return told.keeping([int(each) for each in asked.keep.split(",") if each != "none"])


def _words() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    words.add_argument("--seeds", default="1:5", help="from:to, or one seed")
    words.add_argument("--days", type=float, default=1.0)
    words.add_argument("--workloads", type=int, default=20)
    words.add_argument("--per-day", type=float, default=60.0, help="events a day")
    words.add_argument("--only-workloads", type=int, help="only the first ones of them")
    words.add_argument("--only-days", type=float, help="only the beginning of the story")
    words.add_argument("--keep", help="only the events with these numbers, as in 3,7")
    words.add_argument("--shorten", type=float, default=SECONDS, help="seconds to look for a shorter story (0: not)")
    words.add_argument("--digest", action="store_true", help="print what stands for all that happened")
    return words


if __name__ == "__main__":
    sys.exit(main())
