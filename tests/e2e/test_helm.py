"""The chart: what it renders, what it refuses, and that a real API server takes all of it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler import settings
from autoscaler.policy.load import load
from autoscaler.store.cluster_memory import names
from tests.parts.catalogue import helm
from tests.parts.kubernetes import ControlPlane
from tests.parts.process import quiet_env
from tests.parts.require import require
from tests.support.wait import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "autoscaler"
VERSION = ("--kube-version", "1.31.0")  # a helm built from its module believes in 1.20 where no cluster tells
POLICY = """\
name: web
target: {kubernetes: {namespace: shop, name: web}}
replicas: {min: 2, max: 10}
signals: [{name: requests, prometheus: 'sum(rate(requests_total{app="web"}[1m]))', per_replica: 50}]
"""


def run(*words: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One run of helm; fails with what it said unless it was to fail."""
    require("helm")
    done = subprocess.run(
        [str(helm()), *map(str, words)], capture_output=True, text=True, timeout=90, env=quiet_env(), check=False
    )
    assert not (check and done.returncode), done.stderr
    return done


def values(folder: Path, **told: Any) -> Path:
    file = folder / "values.yaml"
    file.write_text(json.dumps(told))
    return file


def rendered(folder: Path, **told: Any) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What the chart renders for these values, by kind, namespace and name."""
    out = run("template", "web", CHART, *VERSION, "--namespace", "ops", "-f", values(folder, **told)).stdout
    documents = [each for each in yaml.safe_load_all(out) if each]
    return {(d["kind"], d["metadata"].get("namespace", ""), d["metadata"]["name"]): d for d in documents}


SETS: list[dict[str, Any]] = [
    {},
    {"policies": {"web.yaml": POLICY}, "namespaces": ["shop", "office"], "prometheus": {"url": "https://p:9090"}},
    {"rights": {"scale": False, "recycle": False}, "replicas": 1},
    {"namespaces": ["*"], "kinds": ["StatefulSet"], "customKinds": [{"group": "argoproj.io", "plural": "rollouts"}]},
    {
        "image": {"repository": "shop/autoscaler", "tag": "1"},
        "nodeSelector": {"disk": "ssd"},
        "podAnnotations": {"a": "b"},
    },
]


@pytest.mark.parametrize("told", SETS, ids=lambda told: "-".join(told) or "defaults")
def test_the_chart_lints_under_every_set_of_values(told: dict[str, Any], tmp_path: Path) -> None:
    run("lint", "--strict", CHART, "-f", values(tmp_path, **told))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"cycle": 15}, "cycle"),
        ({"rights": {"scal": True}}, "scal"),
        ({"prometheus": {"url": "prometheus:9090"}}, "url"),
        ({"policies": {"web.txt": "name: web"}}, "web.txt"),
        ({"replicas": 0}, "replicas"),
        ({"kinds": ["DaemonSet"]}, "kinds"),
    ],
)
def test_wrong_values_are_refused_by_name(told: dict[str, Any], said: str, tmp_path: Path) -> None:
    done = run("template", "web", CHART, *VERSION, "-f", values(tmp_path, **told), check=False)
    assert done.returncode != 0
    assert said in done.stderr


def test_what_the_pod_reads_is_what_the_daemon_accepts(tmp_path: Path) -> None:
    made = rendered(tmp_path, policies={"web.yaml": POLICY}, cycle="30s", prometheus={"url": "https://p:9090"})
    written = made["ConfigMap", "ops", "web-autoscaler-settings"]["data"]["autoscaler.yaml"]
    file = tmp_path / "autoscaler.yaml"
    file.write_text(written)
    told = settings.load(file, {})
    assert told.kubernetes.lease == "ops/web-autoscaler"
    assert (told.cycle, told.prometheus.url, told.address) == (30.0, "https://p:9090", ("0.0.0.0", 8730))
    texts = made["ConfigMap", "ops", "web-autoscaler-policies"]["data"]
    assert [each.name for each in load(list(texts.items()), "r").policies] == ["web"]


def test_the_rights_are_those_of_the_documentation_in_every_namespace_and_no_others(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "kubernetes-rbac.md").read_text()
    texts = re.findall(r"```yaml\n(apiVersion: rbac.*?)```", page, re.DOTALL)
    documented, memory = (yaml.safe_load(text)["rules"] for text in texts)
    made = rendered(tmp_path, namespaces=["shop", "office"])
    roles = {key[1:]: each["rules"] for key, each in made.items() if key[0] == "Role"}
    own = roles.pop(("ops", "web-autoscaler-memory"))
    assert roles == {("shop", "web-autoscaler"): documented, ("office", "web-autoscaler"): documented}
    memory[-1]["resourceNames"] = names("web-autoscaler")
    assert own == memory
    kinds = {"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Deployment", "PodDisruptionBudget"}
    assert {key[0] for key in made} == kinds
    none = {"scale": False, "recycle": False, "metrics": False, "events": False}
    watching = rendered(tmp_path, rights=none)["Role", "ops", "web-autoscaler"]["rules"]
    assert {verb for rule in watching for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert watching == [
        rule
        for rule in documented
        if not {"patch", "create"} & set(rule["verbs"]) and rule["apiGroups"] != ["metrics.k8s.io"]
    ]


def test_all_namespaces_are_one_cluster_role_and_kinds_are_rules(tmp_path: Path) -> None:
    custom = [{"group": "argoproj.io", "plural": "rollouts"}]
    made = rendered(tmp_path, namespaces=["*"], kinds=["StatefulSet", "ReplicaSet"], customKinds=custom)
    rules = made["ClusterRole", "", "web-autoscaler"]["rules"]
    assert ("ClusterRoleBinding", "", "web-autoscaler") in made
    told = {(each["apiGroups"][0], each["resources"][0]): each["verbs"] for each in rules}
    assert told == {
        ("apps", "statefulsets"): ["get", "list", "watch"],
        ("apps", "statefulsets/scale"): ["patch"],
        ("apps", "replicasets"): ["get", "list", "watch"],
        ("apps", "replicasets/scale"): ["patch"],
        ("argoproj.io", "rollouts"): ["get", "list", "watch"],
        ("argoproj.io", "rollouts/scale"): ["get", "patch"],
        ("", "pods"): ["list", "watch"],
        ("metrics.k8s.io", "pods"): ["list"],
        ("autoscaling", "horizontalpodautoscalers"): ["list", "watch"],
        ("keda.sh", "scaledobjects"): ["list", "watch"],
        ("", "resourcequotas"): ["list", "watch"],
        ("events.k8s.io", "events"): ["create", "patch"],
        ("", "pods/eviction"): ["create"],
    }


def test_a_real_api_server_takes_it_under_restricted_security_and_its_upgrade(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    """No pod starts here: that they are made at all says that the restricted profile lets them in."""
    hand = control_plane.hand
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    hand("POST", "/api/v1/namespaces", {"metadata": {"name": "ops", "labels": label}})
    config = ["--kubeconfig", control_plane.kubeconfig(), "--namespace", "ops"]
    run("install", "web", CHART, *config, "-f", values(tmp_path, policies={"web.yaml": POLICY}))
    pods = "/api/v1/namespaces/ops/pods"
    until(lambda: hand("GET", pods)["items"], what="a pod of the daemon is made", within=60)
    run("upgrade", "web", CHART, *config, "-f", values(tmp_path, cycle="30s", policies={"other.yaml": POLICY}))
    kept = hand("GET", "/api/v1/namespaces/ops/configmaps/web-autoscaler-policies")["data"]
    assert list(kept) == ["other.yaml"]
    run("uninstall", "web", *config)
    gone = "/apis/apps/v1/namespaces/ops/deployments"
    until(lambda: not hand("GET", gone)["items"], what="nothing is left", within=60)
