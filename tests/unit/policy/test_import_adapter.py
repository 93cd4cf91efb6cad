"""Rules of a prometheus-adapter, read backwards: from the name of a metric to the query for one workload."""

from __future__ import annotations

import pytest

from autoscaler.policy.importers import adapter, hpa
from autoscaler.policy.importers.autoscaling import Source
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.report import Carried
from autoscaler.policy.importers.text import policies
from autoscaler.policy.load import load
from autoscaler.policy.nodes import Problem
from tests.support.manifests import METRICS, hpas
from tests.support.manifests import hpa as hpa_of

PODS = "{name}-[b-df-hj-np-tv-xz24-9]{6,10}-[b-df-hj-np-tv-xz24-9]{5}"
RULES = """
rules:
- seriesQuery: 'http_requests_total{kubernetes_namespace!="",kubernetes_pod_name!=""}'
  resources:
    overrides:
      kubernetes_namespace: {resource: namespace}
      kubernetes_pod_name: {resource: pod}
  name: {matches: "^(.*)_total", as: "${1}_per_second"}
  metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[2m])) by (<<.GroupBy>>)'
- seriesQuery: '{__name__=~"^queue_.*",namespace!=""}'
  seriesFilters: [{isNot: "_created$"}]
  resources: {template: "<<.Resource>>"}
  name: {matches: "^queue_(.*)$", as: "waiting_$1"}
  metricsQuery: 'max(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)'
- seriesQuery: 'ingress_requests_total{namespace!="",ingress!=""}'
  resources: {template: "<<.Resource>>"}
  name: {as: ingress_rps}
  metricsQuery: 'sum(rate(<<.Series>>{<<.LabelMatchers>>}[2m])) by (<<.GroupBy>>)'
externalRules:
- seriesQuery: '{__name__="queue_depth"}'
  resources: {namespaced: false}
  metricsQuery: 'sum(<<.Series>>{<<.LabelMatchers>>})'
resourceRules: {cpu: {containerLabel: container}}
"""
CONFIG_MAP = "kind: ConfigMap\ndata:\n  config.yaml: |\n" + "".join(f"    {line}\n" for line in RULES.splitlines())


def rules(text: str = RULES) -> adapter.Rules:
    problems: list[Problem] = []
    found = adapter.read("rules.yaml", text, problems)
    assert not problems, problems
    return found


@pytest.mark.parametrize(
    ("kind", "metric", "query"),
    [
        (
            Source.PODS,
            "http_requests_per_second",
            'sum(rate(http_requests_total{kubernetes_namespace="{namespace}", '
            f'kubernetes_pod_name=~"{PODS}"}}[2m])) by (kubernetes_pod_name)',
        ),
        (
            Source.PODS,
            "waiting_jobs",
            f'max(queue_jobs{{namespace="{{namespace}}", pod=~"{PODS}"}}) by (pod)',
        ),
        (
            Source.OBJECT,
            "ingress_rps",
            'sum(rate(ingress_requests_total{namespace="{namespace}", ingress="main"}[2m])) by (ingress)',
        ),
        (Source.EXTERNAL, "queue_depth", 'sum(queue_depth{queue="orders"})'),
    ],
)
@pytest.mark.parametrize("text", [RULES, CONFIG_MAP])
def test_a_rule_gives_the_query_of_its_metric(text: str, kind: Source, metric: str, query: str) -> None:
    labels = {"queue": "orders"} if kind is Source.EXTERNAL else {}
    about = ("Deployment", "") if kind is Source.PODS else ("Ingress", "main")
    assert rules(text).query(kind, metric, labels, about) == query


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        (Source.PODS, "http_requests_total"),  # renamed
        (Source.PODS, "waiting_created_created"),  # filtered
        (Source.PODS, "queue_depth"),  # of the other API
        (Source.EXTERNAL, "http_requests_per_second"),
    ],
)
def test_a_metric_that_no_rule_is_for_has_no_query(kind: Source, metric: str) -> None:
    assert rules().query(kind, metric, {}, ("", "")) is None


def test_a_query_with_words_that_nobody_fills_in_is_none() -> None:
    odd = RULES.replace("<<.GroupBy>>", '<<index .LabelValuesByName "pod">>')
    assert rules(odd).query(Source.PODS, "http_requests_per_second", {}, ("", "")) is None


def test_with_the_rules_every_metric_of_the_corpus_is_carried_without_a_query() -> None:
    problems: list[Problem] = []
    names = ("request", "queue", "ingress", "four", "zero", "all kinds")
    texts = [(name, text) for name, text in hpas() if any(word in name for word in names)]
    made = [each for text in texts for each in hpa.turn([text], Wanted(rules=rules()), "default", problems)]
    assert not problems
    assert len(made) > 20
    for each in made:
        assert each.carried is not Carried.NOT_CARRIED, each
        assert load([("p", policies([each]))], "r").policies == (each.policy,)


@pytest.mark.parametrize(("length", "carried"), [(46, Carried.DIFFERENT), (47, Carried.NOT_CARRIED)])
def test_a_name_so_long_that_the_names_of_its_pods_are_cut_needs_a_query(length: int, carried: Carried) -> None:
    problems: list[Problem] = []
    text = hpa_of("w" * length, f"{METRICS['cpu']}\n{METRICS['requests of pods']}", "")
    (made,) = hpa.turn([("web.yaml", text)], Wanted(rules=rules()), "default", problems)
    assert not problems
    assert made.carried is carried
    (said,) = [each for each in made.findings if each.key == "spec.metrics[1].pods"]
    assert said.carried is carried
    if carried is Carried.NOT_CARRIED:
        assert "cut beyond 46 characters" in said.sentence
        assert "--query 'http_requests_per_second=PROMQL'" in said.sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("rule: []", "rules.yaml:1:1: no rules of a prometheus-adapter here"),
        ("rules:\n- seriesQuery: x", "rules.yaml:2:3: rules[0]: metricsQuery is missing"),
        (RULES.replace("^(.*)_total", "^(.*_total"), "rules[0].name.matches: ^(.*_total is not a pattern"),
        (RULES.replace('=~"^queue_.*"', '=~"^queue_(.*"'), "rules[1].seriesQuery: ^queue_(.* is not a pattern"),
    ],
)
def test_rules_that_cannot_be_read_are_told_with_their_place(text: str, sentence: str) -> None:
    problems: list[Problem] = []
    adapter.read("rules.yaml", text, problems)
    assert sentence in "\n".join(map(str, problems))
