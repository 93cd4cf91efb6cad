"""The arithmetic against what the HPA of Kubernetes itself answered: thousands of recorded decisions, exactly."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks.hpa_adapter import KINDS
from benchmarks.hpa_vectors import different, judge, main, vectors

CHECKOUT = Path(__file__).parents[3]
SHARED = Path(os.environ.get("AUTOSCALER_SHARED") or CHECKOUT.parent / "shared")
FOLDER = SHARED / "vectors" / "hpa"
FILES = sorted(FOLDER.glob("*.jsonl"))


def needed() -> None:
    """Without the vectors these tests say nothing: skipped on a laptop, a failure in CI."""
    if FILES:
        return
    message = f"no vectors in {FOLDER} (AUTOSCALER_SHARED names the shared folder)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def test_the_vectors_are_there_and_cover_every_kind() -> None:
    needed()
    assert {vector["kind"] for vector in vectors(FILES)} == set(KINDS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_recorded_decision_is_made_again(file: Path) -> None:
    failures = [failed for failed in map(judge, vectors([file])) if failed is not None]
    told = "\n".join(f"{each.id}: expected, got {different(each.expected, each.got)}" for each in failures[:10])
    assert not failures, f"{len(failures)} of {file.name}\n{told}"


def limit_vector(expected: int) -> str:
    rules = {"stabilization_window_seconds": None, "select_policy": "Max", "tolerance_milli": None}
    given = {
        "direction": "up",
        "current_replicas": 100,
        "rules": {**rules, "policies": [{"type": "Percent", "value": 10, "period_seconds": 60}]},
        "scale_up_events": [],
        "scale_down_events": [],
    }
    return json.dumps({"id": "v-1", "kind": "policy_limit", "in": given, "out": {"limit": expected}}) + "\n"


def test_the_command_counts_what_passed_on_its_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text(limit_vector(111))
    assert main([str(file)]) == 0
    assert capsys.readouterr().out == "1 passed, 0 failed\n"


def test_the_command_names_what_failed_and_says_so_by_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "two.jsonl"
    broken = json.dumps({"id": "v-2", "kind": "metric", "in": {}, "out": {}}) + "\n"
    file.write_text(limit_vector(110) + broken)
    assert main([str(file)]) == 1
    said = capsys.readouterr().out
    assert 'v-1\n  expected {"limit": 110}\n  got      {"limit": 111}\n' in said
    assert "KeyError" in said
    assert said.endswith("\n0 passed, 2 failed\n")


def test_nothing_to_run_is_not_a_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "none.jsonl"
    file.write_text("")
    assert main([str(file)]) == 1
    assert capsys.readouterr().out == "0 passed, 0 failed\n"
