"""The queries that importers write for CPU and memory, evaluated by Prometheus itself over series that are known."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from autoscaler.model.target import WorkloadRef
from autoscaler.policy.importers.queries import Usage, share, total
from autoscaler.policy.placeholders import fill
from tests.parts.catalogue import program
from tests.parts.require import require

pytestmark = pytest.mark.prometheus

REF = WorkloadRef("kubernetes", "shop", "Deployment", "web")
FIRST, SECOND, STARTING = "web-7d9f8b6c5-x2k4p", "web-7d9f8b6c5-bcdfg", "web-7d9f8b6c5-zzzzz"
OTHERS = ("web-api-7d9f8b6c5-x2k4p", "web-db-x7k2p", "web-db-0", "web-28945000-x2k4p")  # pods of other owners
CORES = {  # of the container `app`; 100 * 0.57 is less than 57
    ("shop", FIRST): 0.2,
    ("shop", SECOND): 0.37,
    ("lab", FIRST): 5.0,
    **{("shop", each): 5.0 for each in OTHERS},
}
PROXY = 0.05  # cores of the container beside it
REQUESTS = {"app": 0.5, "proxy": 0.25}
STEP_S = 15

EXPECTED = {
    share(Usage("cpu")): 0.67 / 1.5,
    share(Usage("cpu", strict=True)): 0.44,
    share(Usage("cpu", "app")): 0.57,
    share(Usage("cpu", "app", strict=True)): 0.57,
    total(Usage("cpu")): 0.67,
    total(Usage("cpu", strict=True)): 0.335,
    share(Usage("memory")): 570 / 1500,
    total(Usage("memory")): 570,
    total(Usage("memory", strict=True)): 285,
}


def series(name: str, values: str, **labels: str) -> dict[str, str]:
    inside = ", ".join(f'{key}="{value}"' for key, value in labels.items())
    return {"series": f"{name}{{{inside}}}", "values": f"{values}x40"}


def cluster() -> list[dict[str, str]]:
    """Two pods that serve, one that starts, others whose names begin alike, another namespace, pod-level cgroups."""
    found = []
    for (namespace, pod), cores in CORES.items():
        of = {"namespace": namespace, "pod": pod}
        for container, used in (("app", cores), ("proxy", PROXY), ("", cores + PROXY)):
            growth = f"0+{used * STEP_S}"
            found.append(series("container_cpu_usage_seconds_total", growth, **of, container=container))
        found.append(series("container_memory_working_set_bytes", str(int(cores * 1000)), **of, container="app"))
        for container, asked in REQUESTS.items():
            for resource, value in (("cpu", asked), ("memory", asked * 1000)):
                requests = {"container": container, "resource": resource}
                found.append(series("kube_pod_container_resource_requests", str(value), **of, **requests))
    starting = {"namespace": "shop", "pod": STARTING, "container": "app", "resource": "cpu"}
    return [*found, series("kube_pod_container_resource_requests", "64", **starting)]


def test_prometheus_answers_what_the_imported_signals_mean(tmp_path: Path) -> None:
    require("prometheus")
    asked = [
        {
            "expr": f"round(1000 * ({fill(query, REF)}))",
            "eval_time": "5m",
            "exp_samples": [{"labels": "{}", "value": round(1000 * value)}],
        }
        for query, value in EXPECTED.items()
    ]
    tests = [{"interval": f"{STEP_S}s", "input_series": cluster(), "promql_expr_test": asked}]
    (tmp_path / "tests.yml").write_text(json.dumps({"rule_files": [], "evaluation_interval": "15s", "tests": tests}))
    done = subprocess.run(
        [program("promtool"), "test", "rules", str(tmp_path / "tests.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
