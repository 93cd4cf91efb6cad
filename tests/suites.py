"""Runs the slow suites in three lanes side by side, each suite in its own pytest process; prints each as it ends.

Three on two cores, because they mostly wait for real parts. The suites on the one Docker engine share a lane: some
restart it. What failed is run once more with nothing beside it: deadlines in tests of real parts are for the parts,
not for a crowd. Both runs are printed, and what fails alone fails the whole.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

FAULTS = "tests/faults"
OF_DATA = tuple(f"{FAULTS}/test_{name}.py" for name in ("clock", "holes", "prometheus", "relabel", "telling"))
OPERATIONS = ("tests/e2e/test_compose_deaths.py", "tests/e2e/test_compose_faults.py")
Suite = tuple[str, Sequence[str]]  # its name, and what pytest is told
LANES: Sequence[Sequence[Suite]] = (
    (
        ("docker", ("-m", "docker", *(f"--ignore={file}" for file in OPERATIONS))),
        ("docker, deaths and faults", ("-m", "docker", *OPERATIONS)),
    ),
    (
        (
            "kubernetes, prometheus, processes",
            ("-m", "(kubernetes or prometheus or e2e) and not docker", f"--ignore={FAULTS}"),
        ),
    ),
    (
        ("faults of data and clocks", ("-m", "prometheus or e2e", *OF_DATA)),
        ("other faults", ("-m", "kubernetes or prometheus or e2e", FAULTS, *(f"--ignore={file}" for file in OF_DATA))),
        ("simulation", ("-m", "simulation")),
    ),
)


def once(suite: Suite, more: Sequence[str]) -> tuple[int, str]:
    """One run of a suite: its exit code and what it printed. What failed is remembered by the suite's own name."""
    name, choice = suite
    remembered = f"cache_dir=.pytest_cache/{name.replace(',', '').replace(' ', '-')}"
    command = [sys.executable, "-m", "pytest", "-ra", "--durations=10", "-o", remembered, *choice, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return abs(done.returncode), done.stdout


class Lane(threading.Thread):
    """Suites one after another; `failed` are those that did not pass."""

    def __init__(self, suites: Sequence[Suite], more: Sequence[str], screen: threading.Lock) -> None:
        super().__init__()
        self._suites = suites
        self._more = more
        self._screen = screen
        self.failed: list[Suite] = []

    def run(self) -> None:
        for suite in self._suites:
            code, said = once(suite, self._more)
            if code:
                self.failed.append(suite)
            with self._screen:
                print(f"===== suite: {suite[0]} (exit {code})\n{said}", flush=True)


def main() -> int:
    """The worst exit code of the suites; 0 only if all passed and each ran something."""
    screen = threading.Lock()
    lanes = [Lane(suites, sys.argv[1:], screen) for suites in LANES]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    worst = 0
    for suite in (each for lane in lanes for each in lane.failed):
        code, said = once(suite, ["--last-failed", "--last-failed-no-failures=all", *sys.argv[1:]])
        print(f"===== suite: {suite[0]}, what failed, alone (exit {code})\n{said}", flush=True)
        worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
