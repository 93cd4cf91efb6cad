"""The ready policies ask what `init` would write for a workload of theirs: one table is behind both."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoscaler.model.target import WorkloadRef
from autoscaler.policy.load import load
from autoscaler.policy.placeholders import fill
from autoscaler.policy.promql import Facts, facts
from autoscaler.policy.units import duration
from autoscaler.start.fit import Series, fits
from autoscaler.targets.naming import named

FOLDER = Path(__file__).parents[3] / "policies"
FRONTS = ("haproxy", "envoy", "traefik", "ingress-nginx", "istio", "gunicorn")


def series(query: str) -> list[Series]:
    """The series that a query asks for, each as its own selector has it."""
    found = facts(query)
    assert isinstance(found, Facts)
    assert found.selectors is not None
    (metric,) = found.metrics
    return [Series(metric, dict(re.findall(r'(\w+)="([^"]*)"', each.text))) for each in found.selectors]


@pytest.mark.parametrize("name", FRONTS)
def test_a_ready_policy_asks_what_init_would_find_for_its_workload(name: str) -> None:
    (placed,) = load([(name, (FOLDER / f"{name}.yaml").read_text())], "r").placed
    ref: WorkloadRef = named(placed.policy)
    asked = [fill(each.asks, ref) for each in placed.policy.signals if each.prometheus is not None]
    there = [each for query in asked for each in series(query)]
    (fit,) = fits([ref], there)[ref.key]
    told = facts(asked[0])
    assert isinstance(told, Facts)
    window = duration(told.windows[0])
    answered = [fit.rate(window, fit.served)] if fit.served else []
    assert [fit.rate(window), *answered] == asked
    assert bool(fit.served) == (placed.policy.signals[0].served is not None)
