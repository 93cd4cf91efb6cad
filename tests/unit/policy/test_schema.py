"""The JSON Schema: what loads is valid, and what can be told from one map is refused. Judged by another validator."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft7Validator

from autoscaler.model.policy import Policy
from autoscaler.policy.defaults import as_yaml
from autoscaler.policy.nodes import Node, documents
from autoscaler.policy.schema import schema
from autoscaler.store.policy_files import files
from tests.support.policies import policies
from tests.unit.policy import test_inherit, test_load, test_rules
from tests.unit.policy.test_load import SMALLEST, problems

CLEANUP = 'kind: cleanup\nname: night\nproject: shop\ncron: "0 3 * * *"\nexited_after: 1d\n'
POLICIES = files([Path(__file__).parents[3] / "policies"])


@functools.cache
def validator() -> Draft7Validator:
    Draft7Validator.check_schema(schema())
    return Draft7Validator(schema())


def value(node: Node) -> Any:
    """A document as an editor sees it."""
    if isinstance(node.value, dict):
        return {key: value(each) for key, each in node.value.items()}
    return [value(each) for each in node.value] if isinstance(node.value, tuple) else node.value


def valid(text: str) -> bool:
    found = documents("any.yaml", text, [])
    assert found
    return all(validator().is_valid(value(each)) for each in found)


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_the_policies_we_ship_are_valid(path: Path) -> None:
    assert valid(path.read_text())


@given(policies())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_policy_that_loads_is_valid(policy: Policy) -> None:
    assert valid(as_yaml(policy))


FINE = [
    SMALLEST,
    SMALLEST + "labels: {switch: off, at: 18:30, day: 2026-12-25, code: 007, version: 1.10, yes: true}\n",
    SMALLEST + "kind: policy\nversion: 1\nbehavior: legacy\n",
    SMALLEST.replace("max: 12", "max: 12.0"),
    SMALLEST + "recycle: ~\nlabels: {tier: ~}\n",
    SMALLEST.replace("replicas: {min: 2, max: 12}\n", "replicas: {min: 2}\n"),
    test_rules.signal("resource: memory, per_replica: 256Mi"),
    test_rules.signal("prometheus: a, per_replica: 1, empty: 0, nan: '0'"),
    test_rules.signal("prometheus: a, value: 300ms, wake_above: 0, plausible: {max: 5s}"),
    test_rules.LEARNS,
    test_rules.window("cron: 0 8 * * *, for: 0.5h, min: 3, except: [2026-12-25]"),
    test_inherit.FLEET,
    test_inherit.SHOP,
    test_inherit.PROD,
    test_inherit.KUBERNETES,
    test_rules.HEAD + test_rules.WAKES + "idle: {after: 10m}\n",
]


@pytest.mark.parametrize("text", FINE)
def test_what_the_loader_takes_the_schema_takes(text: str) -> None:
    assert valid(text)


BAD = [
    "- a list\n",
    "nme: x\n",
    SMALLEST.replace("name: web\n", "", 1),
    SMALLEST.replace("target: {compose: {project: shop, service: web}}\n", ""),
    SMALLEST.replace("service: web", "servce: web"),
    SMALLEST.replace("{compose: {project: shop, service: web}}", "{}"),
    SMALLEST.replace("{compose: {project: shop, service: web}}", "{compose: {project: a}}"),
    SMALLEST.replace("service: web", "service: web, selector: {a: b}"),
    SMALLEST.replace("min: 2", "min: 0"),
    SMALLEST.replace("max: 12", "max: twelve"),
    SMALLEST.replace("max: 12", "max: 2.5"),
    SMALLEST.replace("max: 12", "max: 200000"),
    SMALLEST + "version: 2\n",
    SMALLEST + "mode: obseve\n",
    SMALLEST + "mode: true\n",
    SMALLEST + "kind: cleanup\n",
    SMALLEST + "scope: {project: shop}\n",
    SMALLEST + "swarm: {}\n",
    SMALLEST + "every: 15\n",
    SMALLEST + "every: 0s\n",
    SMALLEST + "every: 1h30m\n",
    SMALLEST + "behavior: hpa\n",
    SMALLEST + "behavior: {down: {tolerance: 0.1}}\n",
    SMALLEST + "behavior: {down: {rates: [{per: 15s}]}}\n",
    SMALLEST + "behavior: {down: {rates: [{per: 15s, replicas: 1, percent: 1}]}}\n",
    SMALLEST + "behavior: {down: {rates: []}}\n",
    SMALLEST + "labels: [a]\n",
    SMALLEST + "idle: {after: soon}\n",
    SMALLEST + "lifecycle: {before_stop: {http: drain}}\n",
    test_rules.signal("per_replica: 8"),
    test_rules.signal("prometheus: a, per_replica: 8, capacity: learnt"),
    test_rules.signal("prometheus: a, resource: cpu, per_replica: 8"),
    test_rules.signal("prometheus: a, per_replica: 8, value: 3"),
    test_rules.signal("prometheus: a, per_replica: 300m"),
    test_rules.signal("prometheus: a, value: 300m"),
    test_rules.signal("prometheus: a, utilization: 0.7"),
    test_rules.signal("prometheus: a, per_replica: 0"),
    test_rules.signal("resource: disk, utilization: 70%"),
    test_rules.signal("resource: memory, per_replica: 5 MB"),
    test_rules.signal("resource: memory, per_replica: 0Mi"),
    test_rules.signal("prometheus: a, per_replica: 8, empty: none"),
    test_rules.signal("prometheus: a, per_replica: 8, empty: {}"),
    test_rules.signal("prometheus: a, per_replica: 8, failed: {}"),
    test_rules.signal("prometheus: a, per_replica: 8, capacity: 0"),
    test_rules.window("cron: 0 8 * * *, min: 3"),
    test_rules.window("cron: 0 8 * * *, for: 0h, min: 3"),
    CLEANUP.replace("project: shop\n", ""),
    CLEANUP.replace("1d", "1"),
    CLEANUP + "keep_images: 0\n",
    CLEANUP + "budget: {count: 1}\n",
    CLEANUP + "orphan_volumes: all\n",
    CLEANUP + "signals: []\n",
    "kind: defaults\nname: web\n",
    "kind: defaults\ntarget: {}\n",
    "kind: defaults\nscope: {}\n",
    "kind: defaults\nscope: {namespace: a, project: b}\n",
    "kind: defaults\nsignals: [{name: s}]\n",
]


@pytest.mark.parametrize("text", BAD)
def test_what_one_map_tells_to_be_wrong_is_refused_by_both(text: str) -> None:
    assert not valid(text)
    assert problems(text)


def test_every_text_of_the_loaders_own_tests_that_loads_is_valid() -> None:
    close = test_rules.test_what_is_close_to_it_but_fine_loads.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert len(close) > 10
    for text in [*close, test_load.SMALLEST, CLEANUP]:
        assert valid(text), text


def test_editors_are_told_what_a_key_means_and_its_default() -> None:
    policy = schema()["else"]["else"]["properties"]
    assert policy["mode"]["description"] == "act, or observe: decide and record only"
    assert policy["mode"]["default"] == "act"
    every = policy["every"]
    assert every["description"] == "time between decisions (above 0, at most 1h)"
    lifecycle = schema()["definitions"]["Lifecycle.partial"]["properties"]
    assert lifecycle["ready_within"]["default"] == "2m"
