"""The command line: what it costs to start, and how errors end it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.cli.root import COMMANDS
from autoscaler.store.policy_files import files

# Libraries that cost more to import than a quick answer may take; each has one door, opened when it is needed.
HEAVY = (
    "aiohttp", "apprise", "apscheduler", "docker", "httmock", "kubernetes", "matplotlib", "numpy", "pandas",
    "prometheus_api_client", "prometheus_client", "requests", "sqlite3", "urllib3",
)  # fmt: skip

POLICIES = Path(__file__).parents[3] / "policies"


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autoscaler", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=cwd)


QUICK = [
    ("--help",),
    ("--version",),
    ("validate", str(POLICIES)),
    ("validate", "--resolved", str(POLICIES)),
    *[(name, "--help") for name in COMMANDS],
    *[
        (*words, "--config", "nowhere.yaml")
        for words in (("status",), ("explain", "web"), ("history",), ("pause", "web"))
    ],
]


@pytest.mark.parametrize("words", QUICK, ids=lambda words: " ".join(words).replace(str(POLICIES), "policies"))
def test_nothing_heavy_is_imported_for_a_quick_answer(words: tuple[str, ...], tmp_path: Path) -> None:
    """`nowhere.yaml` names a socket nobody listens on: the commands import all they need to ask, and are told so."""
    (tmp_path / "nowhere.yaml").write_text(f"socket: {tmp_path / 'no.sock'}\n")
    code = (
        "import sys; sys.argv = ['autoscaler', *%r]\n"
        "from autoscaler.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('imported:', *sorted(set(%r) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % (words, HEAVY)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-1] == "imported:", done.stdout
    if "nowhere.yaml" in words:
        assert "no daemon answers at" in done.stderr


def test_every_command_says_what_it_does() -> None:
    text = run("--help").stdout
    for name in COMMANDS:
        assert name in text
        assert run(name, "--help").returncode == 0


def test_the_list_of_commands_has_whole_sentences_on_a_narrow_terminal() -> None:
    _, _, commands = run("--help").stdout.partition("Commands:\n")
    lines = commands.splitlines()
    assert len(lines) == len(COMMANDS), "one line each"
    assert all(line.endswith(".") and not line.endswith("...") for line in lines)


def test_a_shell_completes_commands_and_options() -> None:
    def completed(line: str, word: int) -> list[str]:
        told = {"COMP_WORDS": line, "COMP_CWORD": str(word), "_AUTOSCALER_COMPLETE": "bash_complete"}
        program = "from autoscaler.cli.root import main; main()"
        # the variable's name comes from the program's, as it is installed
        command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'autoscaler'; {program}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=os.environ | told)
        return [each.partition(",")[2] for each in done.stdout.splitlines()]

    assert completed("autoscaler ex", 1) == ["export", "explain"]
    assert "--at" in completed("autoscaler explain --", 2)


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
    assert f"{len(files([POLICIES]))} policies in 1 file: fine" in run("validate", str(tmp_path / "all.yaml")).stdout


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


def test_an_error_steers_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text('"\\e[2J주문": 1\n')
    done = run("validate", "web.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert r"web.yaml:1:1: \x1b[2J주문: unknown key" in done.stderr
    assert "\n  hint: " in done.stderr
