"""HorizontalPodAutoscalers and ScaledObjects of many shapes, written for the tests: as people write them, none copied.

Each shape has a name and a text. `QUERIES` are what a person would hand over for the metrics that are not CPU or
memory.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

QUERIES = {
    "http_requests_per_second": 'rate(http_requests_total{namespace="{namespace}", pod=~"{name}-.*"}[2m])',
    "queue_depth": 'sum(queue_depth{queue="orders"})',
    "ingress_rps": 'sum(rate(ingress_requests_total{service="{name}"}[2m]))',
    "sessions": "sum(sessions_open)",
}

_UTILIZATION = "- type: Resource\n  resource: {name: %s, target: {type: Utilization, averageUtilization: %d}}"
_AVERAGE = "- type: Resource\n  resource: {name: %s, target: {type: AverageValue, averageValue: %s}}"
_CONTAINER = (
    "- type: ContainerResource\n"
    "  containerResource: {name: cpu, container: %s, target: {type: Utilization, averageUtilization: 60}}"
)
_PODS = (
    "- type: Pods\n  pods:\n    metric: {name: http_requests_per_second}\n"
    "    target: {type: AverageValue, averageValue: %s}"
)
_EXTERNAL = (
    "- type: External\n  external:\n    metric: {name: queue_depth, selector: {matchLabels: {queue: orders}}}\n"
    "    target: {type: %s}"
)
_OBJECT = (
    "- type: Object\n  object:\n    describedObject: {apiVersion: networking.k8s.io/v1, kind: Ingress, name: main}\n"
    "    metric: {name: ingress_rps}\n    target: {type: %s}"
)

METRICS = {
    "cpu": _UTILIZATION % ("cpu", 70),
    "memory": _UTILIZATION % ("memory", 80),
    "cpu and memory": "\n".join([_UTILIZATION % ("cpu", 60), _UTILIZATION % ("memory", 75)]),
    "half a core": _AVERAGE % ("cpu", "500m"),
    "bytes": _AVERAGE % ("memory", "1.5Gi"),
    "one container": _CONTAINER % "app",
    "memory of a container": (
        "- type: ContainerResource\n"
        "  containerResource: {name: memory, container: cache, target: {type: AverageValue, averageValue: 2G}}"
    ),
    "requests of pods": _PODS % '"100"',
    "cpu and requests": "\n".join([_UTILIZATION % ("cpu", 50), _PODS % "1k"]),
    "a queue": _EXTERNAL % 'AverageValue, averageValue: "30"',
    "a queue as a whole": _EXTERNAL % "Value, value: 100",
    "an ingress": _OBJECT % "Value, value: 2k",
    "an ingress for each": _OBJECT % 'AverageValue, averageValue: "150"',
    "all kinds": "\n".join(
        (
            _UTILIZATION % ("cpu", 70),
            _CONTAINER % "app",
            _PODS % '"100"',
            _OBJECT % "Value, value: 2k",
            _EXTERNAL % 'AverageValue, averageValue: "30"',
        )
    ),
}
BEHAVIORS = {
    "silent": "",
    "empty": "behavior: {}",
    "slow down": "behavior:\n  scaleDown:\n    stabilizationWindowSeconds: 600\n"
    "    policies:\n    - {type: Percent, value: 10, periodSeconds: 60}",
    "all written": "behavior:\n  scaleDown: {stabilizationWindowSeconds: 300, selectPolicy: Min, policies: "
    "[{type: Pods, value: 2, periodSeconds: 60}, {type: Percent, value: 50, periodSeconds: 120}]}\n"
    "  scaleUp: {stabilizationWindowSeconds: 0, selectPolicy: Max, policies: "
    "[{type: Percent, value: 100, periodSeconds: 15}, {type: Pods, value: 4, periodSeconds: 15}]}",
    "never up": "behavior:\n  scaleUp: {selectPolicy: Disabled}",
    "careful up": "behavior:\n  scaleUp: {stabilizationWindowSeconds: 60, selectPolicy: Min, policies: "
    "[{type: Percent, value: 50, periodSeconds: 60}, {type: Pods, value: 2, periodSeconds: 60}]}\n"
    "  scaleDown: {stabilizationWindowSeconds: 3600, policies: [{type: Pods, value: 1, periodSeconds: 1800}]}",
    "never down": "behavior:\n  scaleDown: {selectPolicy: Disabled}",
}


def hpas() -> Iterator[tuple[str, str]]:
    """The generated shapes, then those written by hand."""
    for number, (metric, behavior) in enumerate(itertools.product(METRICS, BEHAVIORS)):
        yield f"{metric}, {behavior}", hpa(f"web-{number}", METRICS[metric], BEHAVIORS[behavior], low=1 + number % 3)
    yield from _HPAS.items()


def hpa(name: str, metrics: str, behavior: str, *, low: int = 2, high: int = 20) -> str:
    """One HPA of autoscaling/v2."""
    lines = [
        "apiVersion: autoscaling/v2",
        "kind: HorizontalPodAutoscaler",
        f"metadata:\n  name: {name}\n  namespace: shop",
        "spec:",
        f"  scaleTargetRef:\n    apiVersion: apps/v1\n    kind: Deployment\n    name: {name}",
        f"  minReplicas: {low}\n  maxReplicas: {high}",
        "  metrics:",
        *(f"  {line}" for line in metrics.splitlines()),
        *(f"  {line}" for line in behavior.splitlines()),
    ]
    return "\n".join(lines) + "\n"


def _v1(name: str, **keys: Any) -> str:
    spec = {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}, "maxReplicas": 5, **keys}
    return json.dumps(
        {
            "apiVersion": "autoscaling/v1",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": spec,
        },
        indent=2,
    )


_LISTED = (
    "apiVersion: v1\nkind: List\nitems:\n- apiVersion: autoscaling/v2\n  kind: HorizontalPodAutoscaler\n"
    "  metadata: {name: first, namespace: a, uid: 1f, resourceVersion: '7', managedFields: [{manager: kubectl}]}\n"
    "  spec:\n    scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: first}\n    maxReplicas: 4\n"
    "    metrics: null\n  status: {currentReplicas: 1, desiredReplicas: 1, conditions: []}\n"
)
_CHART = (
    "---\n# Source: shop/templates/service.yaml\napiVersion: v1\nkind: Service\nmetadata: {name: api}\n"
    "spec: {ports: [{port: 80}]}\n---\n# Source: shop/templates/hpa.yaml\n" + hpa("api", METRICS["cpu"], "") + "---\n"
)
_TOLERANT = "behavior: {scaleUp: {tolerance: '0.05'}, scaleDown: {tolerance: 50m}}"
_MANY = ("cpu and memory", "requests of pods", "an ingress")
_HPAS = {
    "v1": _v1("old", minReplicas=2, targetCPUUtilizationPercentage=75),
    "v1 of kubectl autoscale": _v1("bare"),
    "v1 with nothing where something might be": _v1("none", minReplicas=None, targetCPUUtilizationPercentage=None),
    "v2beta2": hpa("older", METRICS["cpu"], "").replace("autoscaling/v2", "autoscaling/v2beta2"),
    "as a cluster prints it": _LISTED,
    "as a chart prints it": _CHART,
    "with tolerances": hpa("calm", METRICS["cpu"], _TOLERANT),
    "to zero": hpa("jobs", METRICS["a queue"], "", low=0),
    "four metrics": hpa("busy", "\n".join(METRICS[each] for each in _MANY), ""),
    "a stateful set": hpa("db", METRICS["cpu"], "").replace("kind: Deployment", "kind: StatefulSet"),
    "a rollout": hpa("canary", METRICS["cpu"], "").replace("apps/v1", "argoproj.io/v1alpha1").replace(
        "kind: Deployment", "kind: Rollout"
    ),
    "a kind of one's own": hpa("shard", METRICS["cpu"], "").replace("apps/v1", "example.org/v1").replace(
        "kind: Deployment", "kind: Shard"
    ),
    "a resource nobody asks for": hpa("disk", _UTILIZATION % ("ephemeral-storage", 50), ""),
}  # fmt: skip


_PROMETHEUS: dict[str, Any] = {
    "serverAddress": "http://prometheus.monitoring:9090",
    "query": 'sum(rate(http_requests_total{app="web"}[2m]))',
    "threshold": "100",
}
_CRON = {"timezone": "Europe/Berlin", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "desiredReplicas": "6"}
_MEMORY = {"type": "memory", "metricType": "Utilization", "metadata": {"value": "80"}}
_CPU = {"type": "cpu", "metricType": "Utilization", "metadata": {"value": "70"}}
_FALLBACK = {"failureThreshold": 3, "replicas": 6}
_BOTH = {
    "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]},
    "scaleDown": {"selectPolicy": "Disabled"},
}
_SLOW = {
    "scaleDown": {"stabilizationWindowSeconds": 120, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]}
}


def prometheus(**metadata: Any) -> dict[str, Any]:
    """A prometheus trigger."""
    return {"type": "prometheus", "metadata": {**_PROMETHEUS, **metadata}}


def cron(**metadata: Any) -> dict[str, Any]:
    """A cron trigger."""
    return {"type": "cron", "metadata": {**_CRON, **metadata}}


def scaled_object(*triggers: dict[str, Any], notes: dict[str, str] | None = None, **spec: Any) -> str:
    """One ScaledObject."""
    ref = {"scaleTargetRef": {"name": "web"}}
    return json.dumps(
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": "web", "namespace": "shop", "annotations": notes or {}},
            "spec": {**ref, "triggers": list(triggers), **spec},
        }
    )


TRIGGERS: dict[str, tuple[dict[str, Any], ...]] = {
    "a rate": (prometheus(),),
    "a queue with an activation": (prometheus(query="sum(queue_depth)", threshold=5, activationThreshold="2"),),
    "a total": ({**prometheus(), "metricType": "Value"},),
    "nothing ignored": (prometheus(ignoreNullValues="false"),),
    "two queries": (prometheus(), {**prometheus(query="sum(jobs_waiting)", threshold="10"), "name": "jobs"}),
    "cpu beside a query": (_CPU, prometheus()),
    "office hours beside a query": (prometheus(), cron()),
    "cpu and memory": (_CPU, _MEMORY),
    "all four": (_CPU, _MEMORY, prometheus(), cron(timezone="UTC")),
}
SPECS: dict[str, dict[str, Any]] = {
    "silent": {},
    "never zero": {"minReplicaCount": 2, "maxReplicaCount": 20},
    "idle": {"idleReplicaCount": 0, "minReplicaCount": 3, "maxReplicaCount": 30, "cooldownPeriod": 600},
    "a fallback": {"minReplicaCount": 1, "fallback": {"failureThreshold": 3, "replicas": 6}},
    "a behavior": {"advanced": {"horizontalPodAutoscalerConfig": {"behavior": _SLOW}}},
    "a named hpa": {"advanced": {"horizontalPodAutoscalerConfig": {"name": "web", "behavior": _BOTH}}},
    "a count that stays": {"minReplicaCount": 1, "fallback": {**_FALLBACK, "behavior": "currentReplicas"}},
    "quick to sleep": {"pollingInterval": 15, "cooldownPeriod": 0, "maxReplicaCount": 5},
}


def scaled_objects() -> Iterator[tuple[str, str]]:
    """The generated shapes, then those written by hand."""
    for triggers, spec in itertools.product(TRIGGERS, SPECS):
        yield f"{triggers}, {spec}", scaled_object(*TRIGGERS[triggers], **SPECS[spec])
    yield from _SCALED_OBJECTS.items()


_ADVANCED = {"restoreToOriginalReplicaCount": True}
_FORMULA = {"scalingModifiers": {"formula": "rate + jobs", "target": "10"}}
_HIGHER = {"failureThreshold": 5, "replicas": 8, "behavior": "currentReplicasIfHigher"}
_STATEFUL = {"name": "db", "kind": "StatefulSet", "apiVersion": "apps/v1"}
_SCALED_OBJECTS = {
    "cpu": scaled_object(_CPU, minReplicaCount=1, maxReplicaCount=10),
    "memory": scaled_object(
        {"type": "memory", "metricType": "AverageValue", "metadata": {"value": "512Mi"}}, minReplicaCount=2
    ),
    "cpu of a container": scaled_object(
        {**_CPU, "metadata": {"value": "60", "containerName": "app"}}, minReplicaCount=1
    ),
    "cpu as it was written once": scaled_object(
        {"type": "cpu", "metadata": {"type": "Utilization", "value": "50"}}, minReplicaCount=1
    ),
    "office hours alone": scaled_object(cron(), minReplicaCount=1, maxReplicaCount=10),
    "nights and weekends": scaled_object(
        cron(start="0 22 * * *", end="0 6 * * *", timezone="Asia/Seoul"),
        {**cron(start="0 9 * * 6", end="0 21 * * 6", timezone="UTC"), "name": "saturday"},
        prometheus(),
    ),
    "two windows a day": scaled_object(
        cron(start="0 6 * * *", end="0 10 * * *", timezone="UTC"),
        {**cron(start="0 16 * * *", end="0 20 * * *", timezone="UTC", desiredReplicas="12"), "name": "evening"},
        minReplicaCount=1,
    ),
    "more than the most": scaled_object(prometheus(), cron(desiredReplicas="200"), maxReplicaCount=50),
    "a window for none": scaled_object(prometheus(), cron(desiredReplicas="0", timezone="UTC")),
    "a fallback of cpu": scaled_object(_CPU, minReplicaCount=1, fallback=_FALLBACK),
    "a fallback to less": scaled_object(
        prometheus(), minReplicaCount=1, fallback={**_FALLBACK, "behavior": "currentReplicasIfLower"}
    ),
    "a query proxy": scaled_object(
        prometheus(customHeaders="X-Scope-OrgID=shop", unsafeSsl="true", timeout="500"), minReplicaCount=1
    ),
    "a shared secret": scaled_object(
        {**prometheus(authModes="basic"), "authenticationRef": {"name": "all", "kind": "ClusterTriggerAuthentication"}}
    ),
    "of an environment": scaled_object(prometheus(), scaleTargetRef={"name": "web", "envSourceContainerName": "app"}),
    "a rollout": scaled_object(
        _CPU, prometheus(), scaleTargetRef={"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web"}
    ),
    "cached": scaled_object({**prometheus(), "useCachedMetrics": True, "name": "rate"}, minReplicaCount=1),
    "a topic": scaled_object({"type": "kafka", "metadata": {"topic": "orders", "lagThreshold": "50"}}),
    "a formula beside cpu": scaled_object(_CPU, {**prometheus(), "name": "rate"}, advanced=_FORMULA),
    "a first cooldown": scaled_object(prometheus(), initialCooldownPeriod=120),
    "as a chart prints it": "---\n# Source: web/templates/scaledobject.yaml\napiVersion: keda.sh/v1alpha1\n"
    "kind: ScaledObject\nmetadata: {name: web}\nspec:\n  scaleTargetRef: {name: web}\n  triggers:\n"
    "  - type: prometheus\n    metadata: {serverAddress: 'http://prom', query: sum(jobs), threshold: 5}\n---\n",
    "a fallback that only raises": scaled_object(prometheus(), minReplicaCount=2, fallback=_HIGHER),
    "a fallback below the minimum": scaled_object(
        prometheus(), minReplicaCount=4, fallback={"failureThreshold": 3, "replicas": 2}
    ),
    "a server with a secret": scaled_object(
        {**prometheus(authModes="bearer"), "authenticationRef": {"name": "prometheus"}}, minReplicaCount=1
    ),
    "no way to shrink": scaled_object(prometheus(), notes={"autoscaling.keda.sh/paused-scale-in": "true"}),
    "paused": scaled_object(prometheus(), notes={"autoscaling.keda.sh/paused": "true"}),
    "a restored count": scaled_object(prometheus(), advanced=_ADVANCED),
    "a restored count of cpu": scaled_object(_CPU, minReplicaCount=1, advanced=_ADVANCED),
    "a formula": scaled_object({**prometheus(), "name": "rate"}, {**prometheus(), "name": "jobs"}, advanced=_FORMULA),
    "a tenant": scaled_object(prometheus(namespace="team-a")),
    "a stateful set": scaled_object(prometheus(), scaleTargetRef=_STATEFUL),
    "a month and a weekday": scaled_object(prometheus(), cron(start="0 8 1 * 1", end="0 18 1 * 1")),
    "a paused count": scaled_object(prometheus(), notes={"autoscaling.keda.sh/paused-replicas": "4"}),
}
