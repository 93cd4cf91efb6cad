"""Label selectors as the API writes them, and what selectors of policies find."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.clients.kubernetes_wire import OwnerReference, Workload, WrittenMeta
from autoscaler.model.policy import KubernetesTarget
from autoscaler.targets.kubernetes.labels import selector
from autoscaler.targets.kubernetes.survey import GRACE_S, Survey

KEYS = st.sampled_from(["app", "tier", "example.com/zone"])
VALUES = st.sampled_from(["", "a", "b-1", "x.y"])
LABELS = st.dictionaries(KEYS, VALUES)
SIGNS = {
    "{k}={v}": lambda labels, k, v: labels.get(k) == v,
    "{k}=={v}": lambda labels, k, v: labels.get(k) == v,
    "{k}!={v}": lambda labels, k, v: labels.get(k) != v,
    "{k} in ({v}, z)": lambda labels, k, v: labels.get(k) in (v, "z"),
    "{k} notin ({v},z)": lambda labels, k, v: labels.get(k) not in (v, "z"),
    "{k}": lambda labels, k, v: k in labels,
    "!{k}": lambda labels, k, v: k not in labels,
}


@given(st.lists(st.tuples(st.sampled_from(sorted(SIGNS)), KEYS, VALUES), min_size=1, max_size=4), LABELS)
def test_a_selector_fits_where_every_part_does(parts: list[tuple[str, str, str]], labels: dict[str, str]) -> None:
    text = ",".join(sign.format(k=key, v=value) for sign, key, value in parts)
    assert selector(text)(labels) == all(SIGNS[sign](labels, key, value) for sign, key, value in parts)


def test_no_selector_finds_nothing() -> None:
    assert not selector("")({"app": "web"})


@pytest.mark.parametrize("text", ["a b", "app in a,b", "app=(x", "in (a)"])
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no part of a label selector"):
        selector(text)


def made(name: str, namespace: str = "shop", owner: str = "", **labels: str) -> Workload:
    owners = (OwnerReference(uid="u", name=owner, kind="Deployment", controller=True),) if owner else ()
    return Workload(metadata=WrittenMeta(name=name, namespace=namespace, labels=labels, owner_references=owners))


def test_a_survey_finds_by_labels_by_name_and_by_namespace() -> None:
    survey = Survey()
    there = [made("web", tier="a"), made("api", tier="b"), made("web", "pay", tier="a")]
    survey.look("Deployment", there, (), 0.0)
    everywhere = KubernetesTarget(namespace="*", selector={"tier": "a"})
    assert survey.found(everywhere) == [("pay", "web"), ("shop", "web")]
    assert survey.found(KubernetesTarget(namespace=("shop",), selector={"tier": "a"})) == [("shop", "web")]
    assert survey.found(KubernetesTarget(namespace=("shop", "pay"), name="web")) == [("pay", "web"), ("shop", "web")]
    assert survey.found(KubernetesTarget(namespace="*", kind="StatefulSet", selector={"tier": "a"})) == []


def test_what_is_gone_is_known_for_a_grace_and_what_cannot_be_read_for_as_long_as_that_lasts() -> None:
    survey, all_of_them = Survey(), KubernetesTarget(namespace="*", selector={"tier": "a"})
    survey.look("Deployment", [made("web", tier="a"), made("web", "pay", tier="a")], (), 0.0)
    survey.look("Deployment", [], ("pay",), GRACE_S - 1)
    assert survey.found(all_of_them) == [("pay", "web"), ("shop", "web")]
    survey.look("Deployment", [], ("pay",), GRACE_S + 1)
    assert survey.found(all_of_them) == [("pay", "web")]


def test_a_replica_set_of_a_deployment_is_not_found_and_a_deployment_of_an_operator_is() -> None:
    survey = Survey()
    for kind in ("ReplicaSet", "Deployment"):
        survey.look(kind, [made("web", owner="web", tier="a")], (), 0.0)
        target = KubernetesTarget(namespace="shop", kind=kind, selector={"tier": "a"})
        assert bool(survey.found(target)) == (kind == "Deployment")
