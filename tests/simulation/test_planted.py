"""The simulated world finds bugs that are planted, each in a copy of the tree, and tells a story that plays again."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DENSE = ("--workloads", "14", "--days", "0.5", "--per-day", "400")  # as the small worlds that the tests play

# file, what stands there, what stands there instead; a seed that finds it (another one, where the world has changed)
PLANTED = {
    "a forgotten reseed": (
        "autoscaler/decide/memory.py",
        'return msgspec.structs.replace(memory, reseed="a restart", known=None, quiet=None)',
        "return memory",
        (1, "after a kill never lower"),
    ),
    "a fence left out": (
        "autoscaler/loop/act.py",
        "if self._lease.remaining() >= CALL_S:",
        "if True:",
        (6, "two daemons never act at once"),
    ),
    "a budget counted twice": (
        "autoscaler/decide/recycle.py",
        "        self._under = len(seen.replacing)\n",
        "        self._under = max(0, len(seen.replacing) - 1)\n",
        (3, "one replacement at a time"),
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the simulation needs."""
    for part in ("autoscaler", "tests"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def simulate(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m tests.simulation` over the copy."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation", *words]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=600)


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_found_and_its_shortest_story_breaks_the_same_rule_again(bug: str, copy: Path) -> None:
    file, old, new, (seed, rule) = PLANTED[bug]
    whole = (copy / file).read_text()
    assert whole.count(old) == 1, "it is planted where it was meant"
    (copy / file).write_text(whole.replace(old, new))
    found = simulate(copy, "--seeds", str(seed), *DENSE, "--shorten", "20")
    assert found.returncode == 1, found.stdout + found.stderr
    first = found.stdout.splitlines()[0]
    assert f": {rule}: " in first, found.stdout
    again = re.search(r"again: python -m tests\.simulation (.*)", found.stdout)
    assert again is not None, found.stdout
    replayed = simulate(copy, *again[1].split(), "--shorten", "0")
    assert replayed.returncode == 1, replayed.stderr
    assert replayed.stdout.splitlines()[0] == first, "the very same story, to the second"
    (copy / file).write_text(whole)
    mended = simulate(copy, *again[1].split(), "--shorten", "0")
    assert mended.returncode == 0, f"without the bug this story breaks no rule\n{mended.stdout}{mended.stderr}"
