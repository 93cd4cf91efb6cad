"""Every policy that is shipped has a test beside it that passes; what the documentation shows of tests is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoscaler.backtest.differences import report
from autoscaler.backtest.scenario import judge, judged
from autoscaler.backtest.scenario_load import Scenario, suite
from autoscaler.policy.load import load

ROOT = Path(__file__).parents[3]
FOLDERS = (ROOT / "policies", ROOT / "docs" / "examples")
SCENARIOS = [each for folder in FOLDERS for each in suite([folder], policies=(), cycle_s=15.0)]
PAGE = ROOT / "docs" / "policy-tests.md"
BLOCK = re.compile(r"^```yaml\n# (?P<file>[a-z.]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: f"{Path(each.file).name}: {each.test.name}")
def test_every_shipped_test_passes(scenario: Scenario) -> None:
    verdict = judge(scenario)
    assert verdict.passed, "\n".join(report(verdict))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda each: each.name)
def test_every_shipped_policy_has_a_test_beside_it(folder: Path) -> None:
    names = {file.name for file in folder.iterdir()}
    for name in names:
        assert name.endswith(".test.yaml") or name.replace(".yaml", ".test.yaml") in names, name


def test_every_example_says_what_it_is_for() -> None:
    for file in FOLDERS[1].glob("*.yaml"):
        text = file.read_text()
        assert file.name.endswith(".test.yaml") or text.startswith("# "), file.name
        assert file.name.endswith(".test.yaml") or load([(file.name, text)], "r").placed


def test_what_the_page_shows_passes_and_what_it_shows_failing_fails_so(tmp_path: Path) -> None:
    blocks = list(BLOCK.finditer(PAGE.read_text()))
    (policy,) = [each for each in blocks if each["file"] == "web.yaml"]
    tests = [each for each in blocks if each["file"] == "web.test.yaml"]
    assert len(tests) == 2
    (tmp_path / "web.yaml").write_text(policy["text"])
    for each in tests:
        (tmp_path / "web.test.yaml").write_text(each["text"])
        verdicts = judged(suite([tmp_path], policies=(), cycle_s=15.0))
        assert [report(one) for one in verdicts.tests if not one.passed] == []
    (tmp_path / "web.test.yaml").write_text(tests[0]["text"].replace("6x6", "5x6"))
    (verdict,) = judged(suite([tmp_path], policies=(), cycle_s=15.0)).tests
    lines = [part for line in report(verdict) for part in line.split("\n")]
    assert "\n".join(f"  {line}" for line in lines) in PAGE.read_text()
