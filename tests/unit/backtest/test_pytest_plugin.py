"""The pytest plugin, in pytests of its own: what it collects, what it tells, and that it keeps out of the way."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGIN = "autoscaler.backtest.pytest_plugin"
ROOT = Path(__file__).parents[3]
WEB = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 12}
signals:
  - {name: in flight, prometheus: sum(a), per_replica: 8}
"""
TESTS = "name: grows\nload: 16x4 48x6\nreplicas: 2x4 6x6\n---\nname: wrong\nload: 16x4\nreplicas: 2x2 3x2\n"


def ran(folder: Path, *words: str, plugin: bool = True) -> tuple[int, str]:
    chosen = ["-p", PLUGIN] if plugin else []
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *chosen, "-rA", *words]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "web.yaml").write_text(WEB)
    (tmp_path / "policies" / "web.test.yaml").write_text(TESTS)
    return tmp_path


def test_each_test_beside_a_policy_is_an_item(folder: Path) -> None:
    code, said = ran(folder)
    assert code == 1
    assert "PASSED policies/web.test.yaml::grows" in said
    assert "FAILED policies/web.test.yaml::wrong" in said
    assert "replicas, cycles 3 to 4 (30s to 45s): expected 3, got 2" in said
    assert "within_tolerance: in flight: load 16, 8 per replica" in said
    assert "replicas: 2x4" in said
    assert "1 failed, 1 passed" in said
    assert "Traceback" not in said


def test_items_are_chosen_as_usual(folder: Path) -> None:
    assert ran(folder, "-k", "grows")[0] == 0
    code, said = ran(folder, "policies/web.test.yaml::grows")
    assert (code, "1 passed" in said) == (0, True)


def test_a_file_that_does_not_load_is_an_error_with_every_problem(folder: Path) -> None:
    (folder / "policies" / "web.test.yaml").write_text("name: x\nlaod: 3\n---\nname: y\nload: 3 nome\n")
    code, said = ran(folder)
    assert code == 2
    assert "web.test.yaml:2:1: laod: unknown key" in said
    assert "web.test.yaml:5:7: load: expected a number or a kind of missing data, got nome" in said
    assert "Traceback" not in said


def test_files_of_others_are_left_alone_unless_they_are_named(folder: Path) -> None:
    other = folder / "other"
    other.mkdir()
    (other / "chart.test.yaml").write_text("suite: somebody else's\n")
    (other / "chart.yaml").write_text("apiVersion: v2\n")
    (other / "test_own.py").write_text("def test_own():\n    pass\n")
    code, said = ran(folder, "other")
    assert (code, "1 passed" in said) == (0, True), said
    code, said = ran(folder, "other/chart.test.yaml")
    assert code == 2
    assert "chart.yaml:1:1: apiVersion: unknown key" in said


def test_it_can_be_turned_off(folder: Path) -> None:
    assert ran(folder, "-o", "autoscaler_tests=false")[0] == 5, "nothing was collected"
    assert ran(folder, plugin=False)[0] == 5


def test_cycle_and_policies_are_those_of_the_settings(folder: Path) -> None:
    (folder / "fast.yaml").write_text("cycle: 5s\n")
    (folder / "policies" / "web.test.yaml").write_text("name: x\nload: 16x1m\nreplicas: 2x12\n")
    assert ran(folder)[0] == 1
    assert ran(folder, "--autoscaler-config", "fast.yaml")[0] == 0
    assert ran(folder, "-o", "autoscaler_config=fast.yaml")[0] == 0


def test_a_run_without_policy_tests_imports_nothing_of_the_package(folder: Path) -> None:
    (folder / "policies" / "web.test.yaml").unlink()
    (folder / "test_own.py").write_text(
        "import sys\n\n\ndef test_own():\n"
        "    ours = sorted(name for name in sys.modules if name.startswith('autoscaler'))\n"
        f"    assert ours == ['autoscaler', 'autoscaler.backtest', {PLUGIN!r}]\n"
    )
    code, said = ran(folder)
    assert code == 0, said


def test_the_package_tells_pytest_of_it() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert told["project"]["entry-points"]["pytest11"] == {"autoscaler": PLUGIN}
