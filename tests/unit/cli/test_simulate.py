"""`autoscaler simulate`: a real daemon over a fleet in memory, and what it says that costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from autoscaler.cli.root import root
from autoscaler.clients import control
from autoscaler.sources.simulated import LoadSource
from tests.support import nouns
from tests.support.wait import until

ROOT = Path(__file__).parents[3]


def test_it_measures_the_cycles_that_were_asked_for_and_keeps_nothing(tmp_path: Path) -> None:
    config = tmp_path / "autoscaler.yaml"
    config.write_text(f"{{cycle: 300ms, data: {tmp_path / 'data'}}}")
    done = CliRunner().invoke(
        root,
        [
            "simulate",
            "--workloads",
            "30",
            "--cycles",
            "3",
            "--speed",
            "5000",
            "--format",
            "json",
            "--config",
            str(config),
        ],
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert (told["workloads"], told["cycles"], told["cycle_s"]) == (30, 3, 0.3)
    assert told["decisions"] >= 30 * 4
    assert told["changes"] > 0, "loads differ, so counts change"
    assert 0 < told["cpu_s"] <= told["cpu_most_s"]
    assert 0 <= told["lateness_p50_s"] <= told["lateness_p99_s"]
    assert told["start_s"] > 0
    assert not (tmp_path / "data").exists()


def test_served_it_goes_on_and_answers_commands_until_it_is_told_to_end(tmp_path: Path) -> None:
    config = tmp_path / "autoscaler.yaml"
    config.write_text(f"{{cycle: 300ms, socket: {tmp_path / 's.sock'}, listen: 'off'}}")
    words = ["simulate", "--serve", "--workloads", "20", "--cycles", "1", "--config", str(config)]
    process = subprocess.Popen(
        [sys.executable, "-m", "autoscaler", *words],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        until(lambda: cycles(tmp_path / "s.sock") > 3, "it goes on", within=30)
    finally:
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert f"AUTOSCALER_SOCKET={tmp_path / 's.sock'} autoscaler status".encode() in said
    assert not list(tmp_path.glob("autoscaler-*")), "its data folder is gone"


def cycles(socket: Path) -> int:
    try:
        status, answer = control.ask(socket, "GET", "/api/v1/status")
    except Exception:  # not there yet, in whatever way
        return 0
    return int(json.loads(answer)["cycle"]["count"]) if status == 200 else 0


def test_the_same_seed_gives_the_same_loads_and_another_seed_others() -> None:
    refs = [nouns.ref(f"w{number}") for number in range(200)]
    one, same, other = (LoadSource(seed, mean=100.0) for seed in (1, 1, 2))
    loads = [one.load(ref, 5e5) for ref in refs]
    assert loads == [same.load(ref, 5e5) for ref in reversed(refs)][::-1]
    assert loads != [other.load(ref, 5e5) for ref in refs]
    assert 60 < sum(loads) / len(loads) < 180
    assert len(set(loads)) == len(loads)
