"""The recording rules that are shipped: a real promtool takes them, and what they record is asked together."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from autoscaler.policy.lint import lint
from autoscaler.policy.sharing import Shared, share
from autoscaler.policy.smells import RECORDED
from tests.parts.catalogue import program
from tests.parts.process import quiet_env

RULES = Path(__file__).parents[2] / "docs" / "rules" / "recording-rules.yml"
HEAD = "name: web\ntarget: {kubernetes: {namespace: shop, name: web}}\nreplicas: {max: 9}\n"


def recorded() -> dict[str, str]:
    """What each rule records, and by which query."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return {rule["record"]: rule["expr"] for rule in group["rules"]}


def test_lint_names_the_rules_there_are_by_the_metrics_they_read() -> None:
    rules = recorded()
    assert set(RECORDED.values()) == set(rules)
    assert all(f"{metric}{{" in rules[record] for metric, record in RECORDED.items())


@pytest.mark.parametrize("record", recorded())
def test_what_is_recorded_is_asked_together(record: str) -> None:
    one, other = (share(f'{record}{{namespace="shop", workload="{name}"}}') for name in ("a", "b"))
    assert isinstance(one, Shared)
    assert isinstance(other, Shared)
    assert (one.template, one.labels) == (other.template, ("namespace", "workload"))


def test_a_query_over_pods_is_warned_of_with_the_rule_that_helps() -> None:
    query = 'sum(rate(container_cpu_usage_seconds_total{namespace="{namespace}", pod=~"{name}-.*"}[2m]))'
    signals = json.dumps([{"name": "cpu", "prometheus": query, "per_replica": 1}])
    (found,) = lint([("web.yaml", f"{HEAD}signals: {signals}\n")])
    assert found.code == "asked_alone"
    assert "workload:container_cpu_usage_seconds:rate1m" in found.hint
    assert "recording-rules.yml" in found.hint


@pytest.mark.prometheus
def test_promtool_takes_the_rules_and_they_give_each_workload_its_own(tmp_path: Path) -> None:
    told = {"namespace": "shop", "container": "app"}
    pods = [{**told, "pod": f"web-7f9c-{each}"} for each in ("aaa", "bbb")] + [{**told, "pod": "api-server-5d4-ccc"}]

    def series(metric: str, values: str, **more: str) -> list[dict[str, str]]:
        return [{"series": _series(metric, {**pod, **more}), "values": values} for pod in pods]

    inputs = [
        *series("container_cpu_usage_seconds_total", "0+15x40"),
        *series("container_memory_working_set_bytes", "100x40"),
        *series("http_requests_total", "0+30x40"),
        *series("http_request_duration_seconds_bucket", "0+15x40", le="1"),
        *series("http_request_duration_seconds_bucket", "0+15x40", le="+Inf"),
    ]
    each = {
        "workload:container_cpu_usage_seconds:rate1m": (2.0, 1.0),
        "workload:container_memory_working_set_bytes:sum": (200.0, 100.0),
        "workload:http_requests:rate1m": (4.0, 2.0),
        "workload:http_request_duration_seconds:p95": (0.95, 0.95),
    }
    assert set(each) == set(recorded())
    tests = [
        {
            "expr": f'{record}{{namespace="shop", workload="{workload}"}}',
            "eval_time": "5m",
            "exp_samples": [{"labels": f'{record}{{namespace="shop", workload="{workload}"}}', "value": value}],
        }
        for record, values in each.items()
        for workload, value in zip(("web", "api-server"), values, strict=True)
    ]
    unit = {"interval": "15s", "input_series": inputs, "promql_expr_test": tests}
    file = tmp_path / "test.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "15s", "tests": [unit]}))
    for words in (["check", "rules", str(RULES)], ["test", "rules", str(file)]):
        done = subprocess.run(
            [str(program("promtool")), *words], env=quiet_env(), capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def _series(metric: str, labels: dict[str, str]) -> str:
    return f"{metric}{{{', '.join(f'{name}={json.dumps(value)}' for name, value in labels.items())}}}"
