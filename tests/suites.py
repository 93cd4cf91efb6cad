"""Runs the suites on real parts side by side, each in its own pytest process; prints each one's output as it ends."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

# Two suites on the one engine: their tests wait more than they work.
OPERATIONS = ["tests/e2e/test_compose_deaths.py", "tests/e2e/test_compose_faults.py"]
SUITES = {
    "docker": ["-m", "docker", *(f"--ignore={file}" for file in OPERATIONS)],
    "docker, deaths and faults": ["-m", "docker", *OPERATIONS],
    "kubernetes and prometheus": ["-m", "(kubernetes or prometheus or e2e) and not docker"],
}


def main() -> int:
    """The worst exit code of the suites; 0 only if all passed and each ran something."""
    with tempfile.TemporaryDirectory() as folder:
        running = {}
        for number, (name, choice) in enumerate(SUITES.items()):
            log = Path(folder, f"{number}.log").open("w+")  # noqa: SIM115 (open until its suite has ended)
            command = [sys.executable, "-m", "pytest", "-ra", "--durations=10", *choice, *sys.argv[1:]]
            running[name] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT), log
        worst = 0
        for name, (process, log) in running.items():
            code = process.wait()
            log.seek(0)
            print(f"===== suite: {name} (exit {code})\n{log.read()}", flush=True)
            log.close()
            worst = max(worst, code)
    return worst


if __name__ == "__main__":
    sys.exit(main())
