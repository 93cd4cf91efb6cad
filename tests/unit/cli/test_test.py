"""`autoscaler test`: exit statuses, what is printed, and what is written for CI systems."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.unit.backtest.test_pytest_plugin import TESTS, WEB
from tests.unit.cli.test_root import POLICIES, run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "web.yaml").write_text(WEB)
    (tmp_path / "policies" / "web.test.yaml").write_text(TESTS)
    return tmp_path


def test_our_own_policies_pass_their_tests() -> None:
    done = run("test", str(POLICIES))
    assert done.returncode == 0
    assert re.fullmatch(r"[0-9]+ tests passed\n", done.stdout)


def test_a_test_that_fails_ends_with_one_and_says_why(folder: Path) -> None:
    done = run("test", cwd=folder)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "FAILED policies/web.test.yaml:5: wrong\n"
        "  replicas, cycles 3 to 4 (30s to 45s): expected 3, got 2\n"
        "    within_tolerance: in flight: load 16, 8 per replica, within tolerance of the target, 2 stay\n"
        "  what came out:\n"
        "  replicas: 2x4\n"
        "  reasons: within_tolerancex4\n"
        "\n"
        "1 of 2 tests failed\n"
    )


def test_tests_are_chosen_by_a_part_of_their_name(folder: Path) -> None:
    done = run("test", "-k", "grows", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "1 test passed\n")
    done = run("test", "-k", "nothing so called", cwd=folder)
    assert done.returncode == 2
    assert "no policy tests with nothing so called in their name, policy or file" in done.stderr


def test_json_carries_every_verdict(folder: Path) -> None:
    done = run("test", "--format", "json", "policies/web.yaml", cwd=folder)
    told = json.loads(done.stdout)
    assert (done.returncode, told["version"], told["failed"]) == (1, 1, 1)
    assert [(each["name"], each["passed"]) for each in told["tests"]] == [("grows", True), ("wrong", False)]
    assert told["tests"][1]["differences"][0]["expected"] == "3"


def test_junit_is_written_where_it_was_asked_for(folder: Path) -> None:
    assert run("test", "--junit", "out.xml", cwd=folder).returncode == 1
    top = ElementTree.parse(folder / "out.xml").getroot()
    assert (top.attrib["tests"], top.attrib["failures"]) == ("2", "1")
    done = run("test", "--junit", "no/such/folder/out.xml", "-k", "grows", cwd=folder)
    assert (done.returncode, "cannot be written: No such file" in done.stderr) == (1, True)


def test_the_cycle_is_the_settings(folder: Path) -> None:
    (folder / "autoscaler.yaml").write_text("cycle: 5s\n")
    (folder / "policies" / "web.test.yaml").write_text("name: x\nload: 16x1m\nreplicas: 2x12\n")
    assert run("test", cwd=folder).returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: x\nlaod: 3\n", "policies/web.test.yaml:2:1: laod: unknown key\n  hint: did you mean load?"),
        ("name: x\nload: 16x3 nome\n", "policies/web.test.yaml:2:7: load: expected a number"),
        ("", "no policy tests at policies\n  hint: a test stands beside its policy"),
    ],
)
def test_what_does_not_load_ends_with_two(folder: Path, text: str, said: str) -> None:
    (folder / "policies" / "web.test.yaml").write_text(text)
    done = run("test", cwd=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_policy_that_does_not_load_fails_its_tests_too(folder: Path) -> None:
    (folder / "policies" / "other.yaml").write_text("name: other\n")
    done = run("test", cwd=folder)
    assert done.returncode == 2
    assert "policies/other.yaml:1:1: policy: target is missing" in done.stderr
    assert run("test", "nowhere", cwd=folder).returncode == 2


def test_validate_checks_tests_and_does_not_run_them(folder: Path) -> None:
    for place in ("policies", "policies/web.test.yaml"):
        done = run("validate", place, cwd=folder)
        assert (done.returncode, ", 2 tests" in done.stdout) == (0, True), done.stderr
    assert ", 2 tests" not in run("validate", "policies/web.yaml", cwd=folder).stdout
    (folder / "policies" / "web.test.yaml").write_text("name: x\nload: {in flite: 3}\n")
    done = run("validate", "policies", cwd=folder)
    assert done.returncode == 2
    assert "policies/web.test.yaml:2:18: load.in flite: policy web has no such signal here" in done.stderr


def test_the_schema_of_tests_is_printed() -> None:
    told = json.loads(run("schema", "--tests").stdout)
    assert told["title"] == "A test of a policy of autoscaler"
    assert "load" in told["properties"]
