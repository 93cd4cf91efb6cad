"""The command line: what it costs to start, and how errors end it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("aiohttp", "docker", "kubernetes", "prometheus_api_client", "requests", "apscheduler", "sqlite3")
POLICIES = Path(__file__).parents[3] / "policies"


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autoscaler", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=cwd)


@pytest.mark.parametrize("words", [("--help",), ("validate", str(POLICIES)), ("status", "--help")], ids=" ".join)
def test_nothing_heavy_is_imported_for_a_quick_answer(words: tuple[str, ...]) -> None:
    code = (
        "import sys; sys.argv = ['autoscaler', *%r]\n"
        "from autoscaler.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('imported:', *sorted(set(%r) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % (words, HEAVY)], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.splitlines()[-1] == "imported:", done.stdout


def test_every_command_says_what_it_does() -> None:
    from autoscaler.cli.root import COMMANDS

    text = run("--help").stdout
    for name in COMMANDS:
        assert name in text
        assert run(name, "--help").returncode == 0


def test_validate_ends_with_the_problems_and_status_two(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: web\nreplicas: {max: 0}\n")
    done = run("validate", "a.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "a.yaml:2:17: replicas.max: expected a whole number" in done.stderr
    assert "a.yaml:1:1: policy: target is missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_validate_resolved_writes_every_default_out(tmp_path: Path) -> None:
    done = run("validate", "--resolved", str(POLICIES))
    assert done.returncode == 0
    (tmp_path / "all.yaml").write_text(done.stdout)
    assert "3 policies in 1 files: fine" in run("validate", str(tmp_path / "all.yaml")).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vaildate",), "No such command"),
        (("validate", "/nowhere"), "no policies at /nowhere"),
        (("run", "x"), "Got unex"),
    ],
)
def test_a_wrong_command_line_ends_in_one_sentence(words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
