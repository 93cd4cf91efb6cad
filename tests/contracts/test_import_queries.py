"""The queries that importers write for metrics of pods, evaluated by Prometheus itself over series that are known."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from autoscaler.model.target import WorkloadRef
from autoscaler.policy.importers import adapter
from autoscaler.policy.importers.autoscaling import Source
from autoscaler.policy.importers.queries import average
from autoscaler.policy.nodes import Problem
from autoscaler.policy.placeholders import fill
from tests.parts.catalogue import program
from tests.parts.require import require

pytestmark = pytest.mark.prometheus

REF = WorkloadRef("kubernetes", "shop", "Deployment", "web")
FIRST, SECOND = "web-7d9f8b6c5-x2k4p", "web-7d9f8b6c5-bcdfg"
OTHERS = ("web-api-7d9f8b6c5-x2k4p", "web-db-x7k2p", "web-db-0", "web-28945000-x2k4p")  # pods of other owners
RATES = {  # their average is 0.2855: an HPA cuts it
    ("shop", FIRST): 0.2,
    ("shop", SECOND): 0.371,
    ("lab", FIRST): 5.0,
    **{("shop", each): 5.0 for each in OTHERS},
}
STEP_S = 15

RULES = """
rules:
- seriesQuery: 'http_requests_total{namespace!="",pod!=""}'
  resources: {template: "<<.Resource>>"}
  name: {matches: "^(.*)_total", as: "${1}_per_second"}
  metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[2m])) by (<<.GroupBy>>)'
"""


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    inside = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": f"{values}x40"}


def cluster() -> list[dict[str, str]]:
    """Two pods that serve, others whose names begin alike, and another namespace."""
    return [
        series("http_requests_total", f"0+{rate * STEP_S}", namespace=namespace, pod=pod)
        for (namespace, pod), rate in RATES.items()
    ]


def test_prometheus_answers_what_the_imported_signals_mean(tmp_path: Path) -> None:
    require("prometheus")
    problems: list[Problem] = []
    rules = adapter.read("rules.yaml", RULES, problems)
    query = rules.query(Source.PODS, "http_requests_per_second", {}, ("Deployment", "web"))
    assert query is not None
    assert not problems
    expected = {f"sum({query})": 0.571, average(query): 0.285}
    asked = [
        {
            "expr": f"round(1000 * ({fill(each, REF)}))",
            "eval_time": "5m",
            "exp_samples": [{"labels": "{}", "value": round(1000 * value)}],
        }
        for each, value in expected.items()
    ]
    tests = [{"interval": f"{STEP_S}s", "input_series": cluster(), "promql_expr_test": asked}]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(tmp_path / "tests.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
