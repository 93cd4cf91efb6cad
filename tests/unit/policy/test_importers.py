"""Manifests become policies that load; what is not the same is said with its place; what is wrong is one clear word."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.model.policy import (
    Behavior,
    Empty,
    Failing,
    Fallback,
    Idle,
    KubernetesTarget,
    Legacy,
    Mode,
    Parity,
    Policy,
    Replicas,
    Resource,
    Select,
    Signal,
    TargetSpec,
)
from autoscaler.policy import load
from autoscaler.policy.cron import parse
from autoscaler.policy.defaults import as_yaml
from autoscaler.policy.importers import hpa, keda
from autoscaler.policy.importers.export import export, manifests
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.report import Carried, Turned
from autoscaler.policy.importers.text import policies
from autoscaler.policy.importers.windows import lasts
from autoscaler.policy.lint import lint
from autoscaler.policy.nodes import Problem
from tests.support.manifests import METRICS, QUERIES, cron, hpas, prometheus, scaled_object, scaled_objects
from tests.support.manifests import hpa as written
from tests.support.policies import policies as any_policies

TURN = {"hpa": hpa.turn, "keda": keda.turn}
HPAS = dict(hpas())
SCALED_CPU = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}
SCALED_OBJECTS = dict(scaled_objects())


def turned(kind: str, text: str, wanted: Wanted = Wanted()) -> list[Turned]:  # noqa: B008 (frozen)
    problems: list[Problem] = []
    made = TURN[kind]([("file.yaml", text)], wanted, "default", problems)
    assert not problems, problems
    return made


def loaded(made: list[Turned]) -> list[Policy]:
    """The policies as the one loader reads them from the text that is written."""
    return [placed.policy for placed in load.load([("policies.yaml", policies(made))], "r").placed]


def one(kind: str, text: str, wanted: Wanted = Wanted()) -> tuple[Policy, Turned]:  # noqa: B008 (frozen)
    made = turned(kind, text, wanted)
    (policy,) = loaded(made)
    return policy, made[0]


def refused(kind: str, text: str) -> str:
    problems: list[Problem] = []
    TURN[kind]([("file.yaml", text)], Wanted(), "default", problems)
    return "\n".join(map(str, problems))


def said(each: Turned, key: str) -> tuple[Carried, str]:
    return next((one.carried, one.sentence) for one in each.findings if one.key == key)


def share(kind: str, texts: Iterable[str], wanted: Wanted) -> float:
    """The share of manifests that need no edit: everything is carried, and what is written loads."""
    whole = []
    for text in texts:
        made = turned(kind, text, wanted)
        carried = all(each.carried is not Carried.NOT_CARRIED for each in made)
        whole.append(carried and len(loaded(made)) == len(made))
    return sum(whole) / len(whole)


# the corpus


@pytest.mark.parametrize("name", HPAS)
@pytest.mark.parametrize("strict", [False, True])
def test_every_hpa_of_the_corpus_becomes_policies_that_load(name: str, strict: bool) -> None:
    made = turned("hpa", HPAS[name], Wanted(queries=QUERIES, strict=strict))
    assert loaded(made) == [each.policy for each in made if each.policy is not None]
    assert all(finding.line >= 1 and finding.sentence for each in made for finding in each.findings)


@pytest.mark.parametrize("name", SCALED_OBJECTS)
def test_every_scaled_object_of_the_corpus_becomes_policies_that_load(name: str) -> None:
    made = turned("keda", SCALED_OBJECTS[name])
    assert loaded(made) == [each.policy for each in made if each.policy is not None]


def test_nearly_every_hpa_needs_no_edit_once_the_queries_behind_its_metrics_are_given() -> None:
    assert len(HPAS) >= 100
    assert share("hpa", HPAS.values(), Wanted(queries=QUERIES)) >= 0.95
    asked = ("request", "queue", "ingress", "four", "zero", "all kinds")
    alone = [HPAS[name] for name in HPAS if not any(word in name for word in asked)]
    assert share("hpa", alone, Wanted()) >= 0.9, "CPU and memory need no query"


def test_most_scaled_objects_need_no_edit() -> None:
    assert len(SCALED_OBJECTS) >= 100
    assert share("keda", SCALED_OBJECTS.values(), Wanted()) >= 0.8


def test_what_is_written_for_cpu_and_memory_smells_of_nothing() -> None:
    made = turned("hpa", HPAS["cpu and memory, all written"])
    assert not lint([("policies.yaml", policies(made))], scrape_s=30.0)


# an HPA


def test_bounds_and_behavior_are_the_same() -> None:
    policy, each = one("hpa", HPAS["cpu, all written"])
    assert policy.replicas is not None
    assert (policy.replicas.min, policy.replicas.max) == (1, 20)
    assert isinstance(policy.behavior, Behavior)
    assert policy.behavior.down.select is Select.MIN
    assert policy.behavior.down.rates is not None
    assert [rate.replicas or rate.percent for rate in policy.behavior.down.rates] == [2, 50]
    assert said(each, "spec.behavior")[0] is Carried.EQUAL


def test_an_hpa_without_behavior_is_legacy_and_one_with_an_empty_behavior_is_not() -> None:
    assert one("hpa", HPAS["cpu, silent"])[0].behavior is Legacy.LEGACY
    assert one("hpa", HPAS["cpu, empty"])[0].behavior == Behavior()


def test_an_hpa_without_metrics_follows_cpu_at_80_percent() -> None:
    policy, _ = one("hpa", HPAS["v1 of kubectl autoscale"])
    assert policy.signals == (Signal(name="cpu", resource=Resource.CPU, utilization=0.8),)


@pytest.mark.parametrize("strict", [False, True])
def test_cpu_and_memory_are_asked_of_the_api_that_an_hpa_asks(strict: bool) -> None:
    policy, each = one("hpa", HPAS["cpu and memory, silent"], Wanted(strict=strict))
    assert policy.signals == (
        Signal(name="cpu", resource=Resource.CPU, utilization=0.6),
        Signal(name="memory", resource=Resource.MEMORY, utilization=0.75),
    )
    assert {one.carried for one in each.findings if one.key.startswith("spec.metrics")} == {Carried.EQUAL}
    (app,) = one("hpa", HPAS["one container, silent"])[0].signals
    assert (app.name, app.container, app.utilization) == ("cpu of app", "app", 0.6)
    (core,) = one("hpa", HPAS["half a core, silent"])[0].signals
    assert (core.resource, core.per_replica) == (Resource.CPU, 0.5)


def test_an_hpa_of_cpu_is_equal_in_every_key_under_strict_parity() -> None:
    _, each = one("hpa", HPAS["cpu and memory, all written"], Wanted(strict=True))
    assert each.carried is Carried.EQUAL, each.findings


@pytest.mark.parametrize("name", ["a stateful set", "a rollout", "a kind of one's own"])
def test_the_pods_of_any_kind_are_found_by_their_owner(name: str) -> None:
    policy, each = one("hpa", HPAS[name])
    assert policy.signals[0].resource is Resource.CPU
    assert each.carried is Carried.DIFFERENT, "but for the guards all is equal"


def test_a_metric_whose_query_nobody_gave_is_not_carried_and_the_others_are() -> None:
    policy, each = one("hpa", HPAS["cpu and requests, silent"])
    assert [signal.name for signal in policy.signals] == ["cpu"]
    carried, sentence = said(each, "spec.metrics[1].pods")
    assert carried is Carried.NOT_CARRIED
    assert "--query 'http_requests_per_second=PROMQL'" in sentence
    assert each.carried is Carried.NOT_CARRIED


def test_nothing_is_written_for_an_hpa_none_of_whose_metrics_is_carried() -> None:
    (each,) = turned("hpa", HPAS["a queue, silent"])
    assert each.policy is None
    assert said(each, "spec.metrics") == (Carried.NOT_CARRIED, "no metric could be carried, so no policy is written")


def test_a_query_for_one_object_goes_before_one_for_all() -> None:
    queries = {"queue_depth": "sum(a)", "jobs/queue_depth": "sum(b)"}
    policy, _ = one("hpa", written("jobs", METRICS["a queue"], ""), Wanted(queries=queries))
    assert policy.signals[0].prometheus == "sum(b)"


def test_strict_parity_observes_and_leaves_the_guards_out() -> None:
    policy, each = one("hpa", HPAS["cpu, silent"], Wanted(strict=True, mode=hpa.mode(None, strict=True)))
    assert (policy.parity, policy.mode) == (Parity.STRICT, Mode.OBSERVE)
    average = one("hpa", HPAS["requests of pods, silent"], Wanted(queries=QUERIES, strict=True))[0].signals[0]
    assert (average.prometheus or "").startswith("floor(1000 * avg(")
    assert (Carried.EQUAL, "strict: the HPA's arithmetic without our guards") in [
        (finding.carried, finding.sentence) for finding in each.findings
    ]


def test_a_minimum_of_zero_becomes_an_idle_that_wakes_by_the_metric_outside() -> None:
    policy, each = one("hpa", HPAS["to zero"], Wanted(queries=QUERIES))
    assert policy.idle == Idle(after=300.0)
    assert policy.signals[0].wake_above == 0
    assert said(each, "spec.minReplicas")[0] is Carried.DIFFERENT


def test_hpas_of_one_name_in_two_namespaces_have_two_names() -> None:
    first = written("web", METRICS["cpu"], "")
    made = turned("hpa", f"{first}---\n{first.replace('namespace: shop', 'namespace: lab')}")
    assert [policy.name for policy in loaded(made)] == ["web", "lab-web"]


# a ScaledObject


def test_a_prometheus_trigger_keeps_its_threshold_its_activation_and_its_empty_answers() -> None:
    policy, each = one("keda", SCALED_OBJECTS["a queue with an activation, silent"])
    (signal,) = policy.signals
    assert (signal.per_replica, signal.wake_above, signal.empty) == (5.0, 2.0, Empty.ZERO)
    assert policy.idle == Idle(after=300.0)
    assert policy.replicas is not None
    assert (policy.replicas.min, policy.replicas.max) == (1, 100)
    assert "UNSAFE" in said(each, "spec.triggers[0].metadata.ignoreNullValues")[1]


def test_null_values_that_are_not_ignored_are_missing() -> None:
    policy, _ = one("keda", SCALED_OBJECTS["nothing ignored, silent"])
    assert policy.signals[0].empty is Empty.MISSING


def test_a_cron_trigger_becomes_a_window_and_a_signal_brings_the_count_back_after_it() -> None:
    policy, each = one("keda", SCALED_OBJECTS["office hours alone"])
    (window,) = policy.schedule
    assert (window.cron, window.lasts, window.timezone, window.min) == ("0 8 * * 1-5", 36000.0, "Europe/Berlin", 6)
    assert policy.signals[0].prometheus == "vector(0)"
    assert said(each, "spec.triggers[0].metadata")[0] is Carried.DIFFERENT, "an hour off where the clock changes"


def test_a_window_that_no_single_span_can_say_is_not_carried() -> None:
    text = scaled_object(prometheus(), cron(start="0 22 * * *", end="0 6 * * 1-5"))
    (each,) = turned("keda", text)
    assert said(each, "spec.triggers[1].metadata")[0] is Carried.NOT_CARRIED


def test_a_fallback_is_a_floor_while_data_is_missing() -> None:
    policy, each = one("keda", SCALED_OBJECTS["a rate, a fallback"])
    assert policy.signals[0].failed == Fallback(at_least=6)
    assert said(each, "spec.fallback")[0] is Carried.DIFFERENT


def test_a_fallback_is_told_once_and_where_nothing_falls_back_that_too() -> None:
    _, each = one("keda", SCALED_OBJECTS["two queries, a fallback"])
    assert [finding.key for finding in each.findings].count("spec.fallback") == 1
    policy, each = one("keda", SCALED_OBJECTS["a fallback of cpu"])
    assert said(each, "spec.fallback")[0] is Carried.EQUAL
    assert policy.signals[0].failed is Failing.HOLD
    policy, each = one("keda", SCALED_OBJECTS["a fallback to less"])
    assert said(each, "spec.fallback") == (Carried.DIFFERENT, "a missing reading holds the count, it does not go to 6")
    assert policy.signals[0].failed is Failing.HOLD


def test_cpu_and_memory_triggers_ask_metrics_k8s_io() -> None:
    policy, each = one("keda", SCALED_OBJECTS["cpu and memory, never zero"])
    assert policy.signals == (
        Signal(name="cpu", resource=Resource.CPU, utilization=0.7),
        Signal(name="memory", resource=Resource.MEMORY, utilization=0.8),
    )
    assert said(each, "spec.triggers[0].metadata.value")[0] is Carried.EQUAL
    (signal,) = one("keda", SCALED_OBJECTS["cpu of a container"])[0].signals
    assert (signal.name, signal.container) == ("cpu of app", "app")


def test_secrets_and_what_belongs_to_a_server_are_not_copied() -> None:
    text = policies(turned("keda", SCALED_OBJECTS["a query proxy"]))
    assert "X-Scope-OrgID" not in text
    _, each = one("keda", SCALED_OBJECTS["a query proxy"])
    for key in ("customHeaders", "unsafeSsl", "timeout"):
        assert said(each, f"spec.triggers[0].metadata.{key}")[0] is Carried.DIFFERENT
    for name in ("a shared secret", "a server with a secret"):
        _, each = one("keda", SCALED_OBJECTS[name])
        carried, sentence = said(each, "spec.triggers[0].authenticationRef")
        assert carried is Carried.DIFFERENT
        assert "secrets are not copied" in sentence


def test_a_formula_is_refused_as_such_even_where_nothing_else_is_left() -> None:
    (alone,) = turned("keda", SCALED_OBJECTS["a formula"])
    policy, beside = one("keda", SCALED_OBJECTS["a formula beside cpu"])
    assert alone.policy is None
    assert [signal.name for signal in policy.signals] == ["cpu"]
    for each in (alone, beside):
        carried, sentence = said(each, "spec.advanced.scalingModifiers")
        assert carried is Carried.NOT_CARRIED
        assert "write it as one query" in sentence


def test_a_window_for_none_keeps_one_and_one_above_the_most_is_cut() -> None:
    policy, each = one("keda", SCALED_OBJECTS["a window for none"])
    assert policy.schedule[0].min == 1
    assert said(each, "spec.triggers[1].metadata.desiredReplicas")[0] is Carried.EQUAL
    policy, each = one("keda", SCALED_OBJECTS["more than the most"])
    assert policy.schedule[0].min == 50
    assert "it asks for 200" in said(each, "spec.triggers[1].metadata.desiredReplicas")[1]


def test_what_makes_no_difference_is_said_to_be_left_out() -> None:
    _, each = one("keda", SCALED_OBJECTS["a rate, a named hpa"])
    assert said(each, "spec.advanced.horizontalPodAutoscalerConfig.name") == (Carried.EQUAL, "left out: no HPA is made")
    _, each = one("keda", SCALED_OBJECTS["of an environment"])
    assert said(each, "spec.scaleTargetRef.envSourceContainerName")[0] is Carried.EQUAL


@pytest.mark.parametrize("trigger", [{**prometheus(), "name": "x"}, cron(), SCALED_CPU])
def test_a_key_of_a_trigger_that_nobody_knows_is_not_passed_over(trigger: dict[str, Any]) -> None:
    odd = {**trigger, "metadata": {**trigger["metadata"], "mystery": "1"}}
    (each,) = turned("keda", scaled_object(odd, minReplicaCount=1))
    assert said(each, "spec.triggers[0].metadata.mystery") == (Carried.NOT_CARRIED, "not known")


def test_an_idle_count_below_the_minimum_is_an_idle() -> None:
    policy, _ = one("keda", SCALED_OBJECTS["a rate, idle"])
    assert policy.idle == Idle(after=600.0)
    assert policy.replicas is not None
    assert policy.replicas.min == 3


def test_cpu_alone_never_sleeps() -> None:
    policy, _ = one("keda", SCALED_OBJECTS["cpu"])
    assert policy.idle is None


def test_a_server_is_named_by_the_word_for_its_address() -> None:
    servers = {"http://prometheus.monitoring:9090": "main"}
    policy, _ = one("keda", SCALED_OBJECTS["a rate, silent"], Wanted(servers=servers))
    assert policy.signals[0].server == "main"


def test_triggers_in_a_formula_and_triggers_of_other_systems_are_not_carried() -> None:
    (each,) = turned("keda", SCALED_OBJECTS["a formula"])
    assert each.policy is None
    text = scaled_object(prometheus(), {"type": "kafka", "metadata": {"topic": "orders"}})
    policy, each = one("keda", text)
    assert len(policy.signals) == 1
    assert said(each, "spec.triggers[1]")[0] is Carried.NOT_CARRIED


def test_pauses_are_a_mode_and_closed_directions() -> None:
    assert one("keda", SCALED_OBJECTS["paused"])[0].mode is Mode.OBSERVE
    behavior = one("keda", SCALED_OBJECTS["no way to shrink"])[0].behavior
    assert isinstance(behavior, Behavior)
    assert behavior.down.select is Select.DISABLED


# bad input


def spec(**keys: Any) -> str:
    ref = {"kind": "Deployment", "name": "web"}
    made = {"scaleTargetRef": ref, "maxReplicas": 5, **keys}
    return json.dumps(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web"},
            "spec": {key: value for key, value in made.items() if value != "absent"},
        }
    )


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("hpa", "a: [", "file.yaml:2:1: this is not YAML"),
        ("hpa", "", "file.yaml:1:1: no HorizontalPodAutoscaler here: the file is empty"),
        ("hpa", "name: web", "file.yaml:1:1: this is not a Kubernetes object: kind is missing"),
        ("hpa", "apiVersion: v1\nkind: Service", "file.yaml:2:7: no HorizontalPodAutoscaler here, only Service"),
        ("hpa", "kind: HorizontalPodAutoscaller", "file.yaml:1:7: kind: there is no HorizontalPodAutoscaller"),
        ("hpa", "kind: HorizontalPodAutoscaler", "file.yaml:1:1: metadata.name is missing"),
        ("hpa", spec(scaleTargetRef="absent"), "spec: scaleTargetRef is missing"),
        ("hpa", spec(minReplicas=9), "spec.maxReplicas: must be at least minReplicas (9), got 5"),
        ("hpa", spec(maxReplica=9), "spec.maxReplica: unknown key\n  hint: did you mean maxReplicas?"),
        ("hpa", spec(maxReplicas="many"), "spec.maxReplicas: expected a whole number, at least 1"),
        ("hpa", spec(metrics=[{"type": "Cpu"}]), "spec.metrics[0].type: expected Resource,"),
        ("hpa", spec(metrics=[{"type": "Pods"}]), "spec.metrics[0]: pods is missing: type is Pods"),
        ("hpa", spec(behavior={"scaleDown": {"tolerance": "much"}}), "spec.behavior.scaleDown.tolerance: expected a"),
        ("hpa", spec(behavior={"scaleUp": {"policies": []}}), "spec.behavior.scaleUp.policies: expected at least one"),
        ("hpa", spec().replace("/v2", "/v2beta1"), "apiVersion: expected autoscaling/v1 or autoscaling/v2"),
        ("hpa", f"{spec()}\n---\n{spec()}", "file.yaml:3:1: spec.scaleTargetRef: HorizontalPodAutoscaler"),
        ("keda", spec(), "file.yaml:1:42: no ScaledObject here, only HorizontalPodAutoscaler"),
        ("keda", scaled_object(), "spec.triggers: expected at least one item"),
        ("keda", "kind: ScaledJob", "kind: a ScaledJob starts jobs, and a policy keeps a count of replicas"),
        ("keda", scaled_object(cron(desiredReplicas="-1")), "desiredReplicas: expected a number of at least 0, got -1"),
        (
            "keda",
            scaled_object({**prometheus(), "metricType": "Utilization"}),
            "metricType: expected AverageValue or Value",
        ),
        ("keda", scaled_object({"type": "promethus", "metadata": {}}), "there is no trigger promethus"),
        ("keda", scaled_object({"type": "promethus", "metadata": {}}), "did you mean prometheus?"),
        ("keda", scaled_object({"type": "prometheus", "metadata": {}}), "metadata: query is missing"),
        ("keda", scaled_object(prometheus(threshold="lots")), "threshold: expected a number above 0, got lots"),
        ("keda", scaled_object(prometheus(), minReplicaCount=9, maxReplicaCount=5), "must be at least minReplicaCount"),
        (
            "keda",
            scaled_object(prometheus(), minReplicaCount=1, idleReplicaCount=1),
            "must be less than minReplicaCount",
        ),
        ("keda", scaled_object(prometheus(), cron(timezone="Europe/Berln")), "there is no time zone Europe/Berln"),
        ("keda", scaled_object({"type": "cpu", "metadata": {"value": "5"}}), "metricType: expected Utilization or"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_a_way_out(kind: str, text: str, sentence: str) -> None:
    found = refused(kind, text)
    assert sentence in found
    assert all(line.startswith(("file.yaml:", "  hint: ")) for line in found.splitlines())


# the way back


def exported(*them: Policy) -> tuple[str, list[Turned]]:
    text = "---\n".join(map(as_yaml, them))
    made = export(load.read([("policies.yaml", text)]).loaded)
    return manifests(made), [each.turned for each in made]


@pytest.mark.parametrize("name", HPAS)
@pytest.mark.parametrize("strict", [False, True])
def test_an_imported_policy_that_is_exported_and_imported_again_is_the_same(name: str, strict: bool) -> None:
    wanted = Wanted(queries=QUERIES, strict=strict)
    them = [each.policy for each in turned("hpa", HPAS[name], wanted) if each.policy is not None]
    them = [each for each in them if each.idle is None]
    if not them:
        return
    text, _ = exported(*them)
    assert loaded(turned("hpa", text, Wanted(strict=strict))) == them, "queries are kept in annotations"


def test_what_an_hpa_cannot_say_is_told_with_its_line() -> None:
    policy, _ = one("keda", SCALED_OBJECTS["office hours beside a query, silent"])
    _, (each,) = exported(policy)
    lost = {finding.key for finding in each.findings if finding.carried is Carried.NOT_CARRIED}
    assert lost == {"idle", "schedule", "signals[0].wake_above", "signals[0].empty", "signals[0].nan"}
    assert all(finding.line > 1 for finding in each.findings if finding.key in lost)


def test_cpu_and_memory_of_pods_become_metrics_of_the_same_name_and_goal() -> None:
    signals = (
        Signal(name="cpu", resource=Resource.CPU, utilization=0.7),
        Signal(name="memory of app", resource=Resource.MEMORY, container="app", per_replica=512.0 * 2**20),
    )
    aim = TargetSpec(kubernetes=KubernetesTarget(namespace="shop", name="web"))
    text, (each,) = exported(Policy(name="web", target=aim, replicas=Replicas(max=10), signals=signals))
    manifest = yaml.safe_load(text)
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    memory = {"name": "memory", "container": "app", "target": {"type": "AverageValue", "averageValue": "536870912"}}
    assert manifest["spec"]["metrics"] == [
        {"type": "Resource", "resource": cpu},
        {"type": "ContainerResource", "containerResource": memory},
    ]
    assert "annotations" not in manifest["metadata"]
    of_signals = {finding.key: finding.carried for finding in each.findings if finding.key.startswith("signals")}
    assert of_signals == {"signals[0]": Carried.EQUAL, "signals[1]": Carried.EQUAL}


@given(any_policies())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_policy_is_exported_or_told_why_not(policy: Policy) -> None:
    text, (each,) = exported(policy)
    if not text:
        assert each.carried is Carried.NOT_CARRIED
        return
    assert policy.target.kubernetes is not None
    problems: list[Problem] = []
    made = hpa.turn([("hpa.yaml", text)], Wanted(), "default", problems)
    assert not problems
    assert made[0].policy is not None
    assert made[0].policy.replicas == policy.replicas


# whatever is handed over

ODD = (None, "", 0, -1, 1.5, 10**12, "x", "1e400", "NaN", "-5", "500m", True, [], {}, [1], {"a": 1}, "* * * * *")
ODD += ("0 0 31 2 *", "@daily", "Utilization", "{name}", "sum(", "a\nname: b", "\u0085", "a" * 300, "inf", "1e-12", '"')
WHOLE = [("hpa", text) for text in HPAS.values()] + [("keda", text) for text in SCALED_OBJECTS.values()]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*path, key)
        yield from places(each, (*path, key))


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_manifest_with_an_odd_value_is_told_as_wrong_or_becomes_policies_that_load(data: st.DataObject) -> None:
    kind, text = data.draw(st.sampled_from(WHOLE))
    whole = [each for each in yaml.safe_load_all(text) if each]
    path = data.draw(st.sampled_from(list(places(whole))))
    above = whole
    for key in path[:-1]:
        above = above[key]
    if data.draw(st.booleans()):
        above[path[-1]] = data.draw(st.sampled_from(ODD))
    else:
        del above[path[-1]]
    problems: list[Problem] = []
    odd = "\n---\n".join(map(json.dumps, whole))
    made = TURN[kind]([("file.yaml", odd)], Wanted(queries=QUERIES), "default", problems)
    assert all(str(each).startswith("file.yaml:") for each in problems)
    if not problems:
        assert loaded(made) == [each.policy for each in made if each.policy is not None]


def test_what_a_cluster_prints_may_be_larger_than_a_policy() -> None:
    items = [{**json.loads(spec()), "metadata": {"name": f"web-{i}", "note": [0] * 60}} for i in range(1200)]
    for i, each in enumerate(items):
        each["spec"]["scaleTargetRef"]["name"] = f"web-{i}"
    assert len(turned("hpa", json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))) == 1200


def test_names_of_somebody_else_hide_nothing() -> None:
    odd = {**prometheus(), "name": "a\nname: b\u202e"}
    policy, _ = one("keda", scaled_object(odd, {**cron(), "name": "c\u200b"}))
    assert (policy.signals[0].name, policy.schedule[0].name) == ("a\\x0aname: b\\x202e", "c\\x200b")


def test_a_text_of_somebody_else_cannot_leave_its_comment() -> None:
    text = scaled_object(prometheus(serverAddress="http://a\nmode: observe\n#"))
    policy, _ = one("keda", text)
    assert policy.mode is Mode.ACT


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("0 8 * * mon-fri", "30 18 * * mon-fri", 37800.0),
        ("0 22 * * *", "0 6 * * *", 28800.0),
        ("0 20 * * fri", "0 6 * * mon", 208800.0),
        ("0 22 * * mon,fri", "0 6 * * mon,tue", "its windows last differently long: from 8h to 56h"),
        ("0 8 * * *", "0 18 * * mon", "a start comes before the end of the one before"),
        ("0 0 1 * *", "0 0 1 * *", "it never ends after a start"),
        ("0 0 1 1 *", "0 0 1 3 *", "its windows last differently long"),
        ("0 0 1 3 *", "0 0 1 6 *", "it would last for 92d, and 31 days are the most"),
        ("* * * * *", "* * * * *", "it starts or ends too often to be a window"),
    ],
)
def test_two_cron_lines_are_a_window_where_it_always_lasts_as_long(start: str, end: str, expected: float | str) -> None:
    found = lasts(parse(start), parse(end))
    assert found == expected if isinstance(expected, float) else str(found).startswith(expected)


def test_a_window_for_no_more_than_the_minimum_is_left_out() -> None:
    policy, each = one("keda", scaled_object(prometheus(), cron(desiredReplicas="2"), minReplicaCount=2))
    assert policy.schedule == ()
    assert said(each, "spec.triggers[1].metadata") == (Carried.EQUAL, "left out: 2 is not more than the minimum")
