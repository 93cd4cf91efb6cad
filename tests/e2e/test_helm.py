"""The chart: what it renders, what it refuses, and that a real API server takes all of it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler import settings
from autoscaler.forge import Report
from autoscaler.policy.load import load
from autoscaler.store.cluster_memory import names
from autoscaler.web.guard import tokens
from tests.parts.catalogue import helm
from tests.parts.kubernetes import ControlPlane
from tests.parts.process import quiet_env
from tests.parts.require import require
from tests.support.wait import until

pytestmark = [pytest.mark.kubernetes, pytest.mark.e2e]

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm" / "autoscaler"
PLAIN = ROOT / "helm" / "plain"
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
    {"rights": {"scale": False, "recycle": False}, "replicas": 1, "policiesFrom": "ours"},
    {"namespaces": ["*"], "kinds": ["StatefulSet"], "customKinds": [{"group": "argoproj.io", "plural": "rollouts"}]},
    {
        "rights": {"delete": True},
        "networkPolicy": {
            "enabled": True,
            "from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
            "egress": [{"ports": [{"port": 6443, "protocol": "TCP"}]}],
        },
        "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
        "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
        "tokens": {"secret": "ours"},
        "web": {"hosts": ["autoscaler.example.com"], "plain": True, "cluster": True},
        "imagePullSecrets": [{"name": "registry"}],
        "priorityClassName": "system-cluster-critical",
    },
    {"git": {"url": "https://git.example.com/a.git", "secret": "ours", "token_file": "/etc/autoscaler/git/token"}},
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
        ({"networkPolicy": {"from": [{"namespace": "monitoring"}]}}, "namespace"),
        ({"serviceMonitor": {"interval": 30}}, "interval"),
        ({"prometheusRule": {"labels": {"release": 1}}}, "release"),
        ({"tokens": {"secret": "Not A Name"}}, "secret"),
        ({"web": {"plain": "yes"}}, "plain"),
        ({"web": {"cluster": "yes"}}, "cluster"),
        ({"policies": {"web.yaml": POLICY}, "policiesFrom": "ours"}, "expected one of them"),
        ({"policiesFrom": "ours", "git": {"url": "https://git.example.com/a.git"}}, "expected one of them"),
        ({"git": {"url": "git.example.com/a.git"}}, "url"),
        ({"git": {"url": "ssh://git@git.example.com/a.git"}}, "url"),
        ({"git": {"secret": "ours"}}, "url"),
        ({"github": {"app": "12345"}}, "key_file"),
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
    assert (told.web.tokens, told.web.hosts[-1]) == ("/etc/autoscaler/tokens/tokens", "web-autoscaler.ops.svc")
    secret = base64.b64decode(made["Secret", "ops", "web-autoscaler-tokens"]["data"]["tokens"]).decode()
    assert len(tokens("tokens", secret).peers) == 1
    assert (told.cycle, told.prometheus.url, told.address) == (30.0, "https://p:9090", ("0.0.0.0", 8730))
    texts = made["ConfigMap", "ops", "web-autoscaler-policies"]["data"]
    assert [each.name for each in load(list(texts.items()), "r").policies] == ["web"]


def test_the_rights_are_those_of_the_documentation_in_every_namespace_and_no_others(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "kubernetes-rbac.md").read_text()
    texts = re.findall(r"```yaml\n(apiVersion: rbac.*?)```", page, re.DOTALL)
    documented, memory, reviews = (yaml.safe_load(text)["rules"] for text in texts)
    made = rendered(tmp_path, namespaces=["shop", "office"])
    roles = {key[1:]: each["rules"] for key, each in made.items() if key[0] == "Role"}
    own = roles.pop(("ops", "web-autoscaler-memory"))
    assert roles == {("shop", "web-autoscaler"): documented, ("office", "web-autoscaler"): documented}
    memory[-1]["resourceNames"] = names("web-autoscaler")
    assert own == memory
    kinds = "ServiceAccount Role RoleBinding ConfigMap Secret Service Deployment PodDisruptionBudget"
    assert {key[0] for key in made} == set(kinds.split())
    asking = rendered(tmp_path, web={"cluster": True})
    assert asking["ClusterRole", "", "web-autoscaler-ops-callers"]["rules"] == reviews
    none = {"scale": False, "recycle": False, "metrics": False, "events": False}
    watching = rendered(tmp_path, rights=none)["Role", "ops", "web-autoscaler"]["rules"]
    assert {verb for rule in watching for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert watching == [
        rule
        for rule in documented
        if not {"patch", "create"} & set(rule["verbs"]) and rule["apiGroups"] != ["metrics.k8s.io"]
    ]
    deleting = rendered(tmp_path, rights={"recycle": False, "delete": True})["Role", "ops", "web-autoscaler"]["rules"]
    evicting = next(rule for rule in documented if rule["resources"] == ["pods/eviction"])
    assert deleting == [
        *(rule for rule in documented if rule is not evicting),
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["delete"]},
    ]
    restarting = rendered(tmp_path, rights={"restart": True})["Role", "ops", "web-autoscaler"]["rules"]
    more = [rule for rule in restarting if rule not in documented]
    assert more == [{"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["patch"]}]


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


def test_what_watches_it_is_what_the_monitoring_folder_says(tmp_path: Path) -> None:
    made = rendered(tmp_path, **SETS[4])
    rules = yaml.safe_load((ROOT / "monitoring" / "alerts.yaml").read_text())
    assert made["PrometheusRule", "ops", "web-autoscaler"]["spec"] == rules
    monitor, service = made["ServiceMonitor", "ops", "web-autoscaler"], made["Service", "ops", "web-autoscaler"]
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    policy = made["NetworkPolicy", "ops", "web-autoscaler"]["spec"]
    own = {"podSelector": {"matchLabels": service["spec"]["selector"]}}
    assert policy["ingress"][0]["from"][0] == own
    assert {"kubernetes.io/metadata.name": "monitoring"} in [
        each.get("namespaceSelector", {}).get("matchLabels") for each in policy["ingress"][0]["from"]
    ]
    assert (policy["egress"][0]["to"], policy["policyTypes"]) == ([own], ["Ingress", "Egress"])
    pods = made["Deployment", "ops", "web-autoscaler"]["spec"]["template"]["spec"]
    assert ("Secret", "ops", "web-autoscaler-tokens") not in made, "it is the owner's"
    assert {"name": "tokens", "secret": {"secretName": "ours"}} in pods["volumes"]
    made = rendered(tmp_path, policiesFrom="ours")
    assert ("ConfigMap", "ops", "web-autoscaler-policies") not in made
    pods = made["Deployment", "ops", "web-autoscaler"]["spec"]["template"]["spec"]
    assert {"name": "policies", "configMap": {"name": "ours"}} in pods["volumes"]


def test_policies_may_be_those_of_a_repository_by_a_secret_of_the_owners(tmp_path: Path) -> None:
    asked = {"url": "https://git.example.com/a.git", "path": "policies", "token_file": "/etc/autoscaler/git/token"}
    login = {"app": "12345", "key_file": "/etc/autoscaler/git/github-app.pem", "repository": "acme/a"}
    made = rendered(
        tmp_path, git={**asked, "processes": True, "secret": "ours"}, github={**login, "report": "statuses"}
    )
    assert ("ConfigMap", "ops", "web-autoscaler-policies") not in made
    file = tmp_path / "autoscaler.yaml"
    file.write_text(made["ConfigMap", "ops", "web-autoscaler-settings"]["data"]["autoscaler.yaml"])
    told = settings.load(file, {})
    assert (told.git.url, told.git.path, told.git.token_file) == tuple(asked.values())
    assert (told.github.app, told.github.key_file, told.github.repository) == tuple(login.values())
    assert told.github.report is Report.STATUSES
    pods = made["Deployment", "ops", "web-autoscaler"]["spec"]["template"]["spec"]
    assert {"name": "git", "secret": {"secretName": "ours"}} in pods["volumes"]
    mounts = pods["containers"][0]["volumeMounts"]
    assert {"name": "git", "mountPath": "/etc/autoscaler/git", "readOnly": True} in mounts
    assert not any(each["name"] == "policies" for each in pods["volumes"])


@pytest.mark.parametrize("name", ["everywhere", "namespaced"])
def test_the_manifests_for_those_without_helm_are_what_the_chart_renders(name: str) -> None:
    told = ["-f", PLAIN / f"{name}.values.yaml", "--namespace", "autoscaler"]
    made = run("template", "autoscaler", CHART, *VERSION, *told).stdout
    assert (PLAIN / f"{name}.yaml").read_text() == made, "run: make manifests"


def crd(plane: ControlPlane, plural: str, kind: str) -> None:
    """A kind of the Prometheus operator's as far as the API server needs it: any fields."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    group, names_ = "monitoring.coreos.com", {"plural": plural, "kind": kind, "singular": kind.lower()}
    spec = {"group": group, "scope": "Namespaced", "names": names_, "versions": [version]}
    body = {"metadata": {"name": f"{plural}.{group}"}, "spec": spec}
    plane.hand("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body)
    until(lambda: plane.hand("GET", f"/apis/{group}/v1/{plural}"), what=f"{plural} are served", within=30)


def test_a_real_api_server_takes_it_under_restricted_security_and_its_upgrade(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    """No pod starts here: that they are made at all says that the restricted profile lets them in."""
    hand = control_plane.hand
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    hand("POST", "/api/v1/namespaces", {"metadata": {"name": "ops", "labels": label}})
    crd(control_plane, "servicemonitors", "ServiceMonitor")
    crd(control_plane, "prometheusrules", "PrometheusRule")
    config = ["--kubeconfig", control_plane.kubeconfig(), "--namespace", "ops"]
    hand("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})  # where the values of the page steer
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    (written,) = re.findall(r"```text\n( *# values\.yaml\n.*?)```", page, re.DOTALL)
    (tmp_path / "page.yaml").write_text(textwrap.dedent(written))
    said = run("install", "web", CHART, *config, "-f", tmp_path / "page.yaml").stdout
    assert "It may: look, set counts, evict sick pods\n" in said
    assert "exec deploy/web-autoscaler -- autoscaler status" in said
    pods = "/api/v1/namespaces/ops/pods"
    until(lambda: hand("GET", pods)["items"], what="a pod of the daemon is made", within=60)
    secret = "/api/v1/namespaces/ops/secrets/web-autoscaler-tokens"
    before = hand("GET", secret)["data"]
    more = {**SETS[4], "tokens": {"secret": ""}, "cycle": "30s", "policies": {"other.yaml": POLICY}}
    run("upgrade", "web", CHART, *config, "-f", values(tmp_path, **more))
    assert hand("GET", secret)["data"] == before, "the pods know each other still"
    kept = hand("GET", "/api/v1/namespaces/ops/configmaps/web-autoscaler-policies")["data"]
    assert list(kept) == ["other.yaml"]
    rule = hand("GET", "/apis/monitoring.coreos.com/v1/namespaces/ops/prometheusrules/web-autoscaler")
    assert rule["spec"]["groups"][0]["name"] == "autoscaler"
    assert hand("GET", "/apis/networking.k8s.io/v1/namespaces/ops/networkpolicies")["items"]
    run("uninstall", "web", *config)
    gone = "/apis/apps/v1/namespaces/ops/deployments"
    until(lambda: not hand("GET", gone)["items"], what="nothing is left", within=60)


PATHS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
}


def test_the_manifests_for_those_without_helm_are_taken_as_kubectl_applies_them_twice(
    control_plane: ControlPlane,
) -> None:
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    control_plane.hand("POST", "/api/v1/namespaces", {"metadata": {"name": "autoscaler", "labels": label}})
    for file in ("namespaced", "everywhere", "everywhere"):
        for each in yaml.safe_load_all((PLAIN / f"{file}.yaml").read_text()):
            meta = each["metadata"]
            path = f"{PATHS[each['kind']].format(meta.get('namespace'))}/{meta['name']}"
            control_plane.hand("PATCH", f"{path}?fieldValidation=Strict", each, kind="application/apply-patch+yaml")
    pods = "/api/v1/namespaces/autoscaler/pods"
    until(lambda: control_plane.hand("GET", pods)["items"], what="a pod of the daemon is made", within=60)
