"""The JSON Schema of policy tests: what loads is valid, and what can be told from one map is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from autoscaler.backtest.scenario_spec import PolicyTest
from autoscaler.policy.nodes import documents
from autoscaler.policy.schema import of_struct
from autoscaler.store import policy_files
from tests.unit.policy.test_schema import value

ROOT = Path(__file__).parents[3]
SCHEMA = of_struct(PolicyTest, "a test")
SHIPPED = policy_files.tests([ROOT / "policies", ROOT / "docs" / "examples"])


def valid(text: str) -> bool:
    Draft7Validator.check_schema(SCHEMA)
    found = documents("any.test.yaml", text, [])
    assert found
    return all(Draft7Validator(SCHEMA).is_valid(value(each)) for each in found)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_the_tests_we_ship_are_valid(file: Path) -> None:
    assert valid(file.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "name: x\nload: 3\n",
        "name: x\nload: {a: 3, b: none}\nlasts: 5m\n",
        "name: 7\nload: 0x10\ntime: 2026-06-10 18:00\n",
    ],
)
def test_what_loads_is_valid(text: str) -> None:
    assert valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "load: 3\n",
        "name: x\nlaod: 3\n",
        "name: x\nload: [3]\n",
        "name: x\nload: 3\nlasts: 5\n",
        "name: x\nload: 3\nstart: -1\n",
        "name: x\nload: 3\nevents: [{sick: 1}]\n",
        "name: x\nload: 3\nevents: [{at: 1m, sick: 0}]\n",
        "name: x\nload: 3\nevents: [{at: 1m, rollout: begin}]\n",
        "name: x\nload: 3\nexpect: []\n",
    ],
)
def test_what_is_refused_by_the_loader_is_refused_by_an_editor(text: str) -> None:
    assert not valid(text)
