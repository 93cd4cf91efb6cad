"""Runs the slow suites in two lanes side by side, each suite in its own pytest process; prints each as it ends.

Two, because the machine may have two cores: deadlines in the tests are for real parts, not for a crowd.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

OPERATIONS = ("tests/e2e/test_compose_deaths.py", "tests/e2e/test_compose_faults.py")
Suite = tuple[str, Sequence[str]]  # its name, and what pytest is told
LANES: Sequence[Sequence[Suite]] = (
    (
        ("docker", ("-m", "docker", *(f"--ignore={file}" for file in OPERATIONS))),
        ("docker, deaths and faults", ("-m", "docker", *OPERATIONS)),
    ),
    (
        ("kubernetes, prometheus, processes", ("-m", "(kubernetes or prometheus or e2e) and not docker")),
        ("simulation", ("-m", "simulation")),
    ),
)


class Lane(threading.Thread):
    """Suites one after another; `worst` is the worst exit code of them."""

    def __init__(self, suites: Sequence[Suite], more: Sequence[str], screen: threading.Lock) -> None:
        super().__init__()
        self._suites = suites
        self._more = more
        self._screen = screen
        self.worst = 0

    def run(self) -> None:
        for name, choice in self._suites:
            command = [sys.executable, "-m", "pytest", "-ra", "--durations=10", *choice, *self._more]
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            self.worst = max(self.worst, abs(done.returncode))
            with self._screen:
                print(f"===== suite: {name} (exit {done.returncode})\n{done.stdout}", flush=True)


def main() -> int:
    """The worst exit code of the suites; 0 only if all passed and each ran something."""
    screen = threading.Lock()
    lanes = [Lane(suites, sys.argv[1:], screen) for suites in LANES]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    return max(lane.worst for lane in lanes)


if __name__ == "__main__":
    sys.exit(main())
