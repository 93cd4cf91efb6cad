"""The shape of a KEDA ScaledObject as structs: what is written there is read, and checked, by these."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from autoscaler.model.policy import Node
from autoscaler.policy.convert import Fault
from autoscaler.policy.importers import autoscaling
from autoscaler.policy.importers.autoscaling import MOST, NAME, Aim, Behaviors, ObjectName
from autoscaler.policy.words import nearest

SUPPORTED = ("prometheus", "cpu", "memory", "cron")
_OTHERS = """
activemq activemq-artemis apache-kafka arangodb artemis-queue aws-cloudwatch aws-dynamodb aws-dynamodb-streams
aws-kinesis-stream aws-sqs-queue azure-app-insights azure-blob azure-data-explorer azure-eventhub azure-log-analytics
azure-monitor azure-pipelines azure-queue azure-servicebus beanstalkd cassandra couchdb datadog dynatrace
elasticsearch etcd external external-push forgejo-runner gcp-cloudtasks gcp-pubsub gcp-stackdriver gcp-storage
github-runner graphite huawei-cloudeye ibmmq influxdb kafka kubernetes-resource kubernetes-workload liiklus loki
metrics-api mongodb mssql mysql nats-jetstream new-relic nsq openstack-metric openstack-swift postgresql predictkube
pulsar rabbitmq redis redis-cluster redis-cluster-streams redis-sentinel redis-sentinel-streams redis-streams
selenium-grid solace-direct-messaging solace-event-queue solr splunk splunk-observability stan sumologic temporal
"""
OTHERS = tuple(_OTHERS.split())  # types of trigger that there are and that are not carried

_KEYS = {"prometheus": ("serverAddress", "query", "threshold"), "cron": ("timezone", "start", "end", "desiredReplicas")}


class Ref(Node, frozen=True, kw_only=True):
    """What is scaled."""

    name: ObjectName
    kind: str = "Deployment"
    apiVersion: str = ""
    envSourceContainerName: str = ""


class AuthRef(Node, frozen=True, kw_only=True):
    """Where a trigger's secrets are."""

    name: str
    kind: str = "TriggerAuthentication"


class Trigger(Node, frozen=True, kw_only=True):
    """One trigger; its metadata is text by text."""

    type: Annotated[str, Meta(min_length=1)]
    metadata: dict[str, str]
    name: str = ""
    metricType: Aim | None = None
    useCachedMetrics: bool = False
    authenticationRef: AuthRef | None = None


class Otherwise(enum.Enum):
    """What a fallback is."""

    STATIC = "static"
    CURRENT = "currentReplicas"
    IF_HIGHER = "currentReplicasIfHigher"
    IF_LOWER = "currentReplicasIfLower"
    MODIFIERS = "scalingModifiers"


class Fallback(Node, frozen=True, kw_only=True):
    """A count for when triggers cannot be read."""

    failureThreshold: Annotated[int, Meta(ge=0)]
    replicas: Annotated[int, Meta(ge=0)]
    behavior: Otherwise = Otherwise.STATIC


class HpaConfig(Node, frozen=True, kw_only=True):
    """Handed on to the HPA that KEDA makes."""

    name: str = ""
    behavior: Behaviors | None = None


class Modifiers(Node, frozen=True, kw_only=True):
    """A formula over the triggers."""

    formula: str
    target: str = ""
    activationTarget: str = ""
    metricType: str = ""


class Advanced(Node, frozen=True, kw_only=True):
    """The rest."""

    horizontalPodAutoscalerConfig: HpaConfig | None = None
    restoreToOriginalReplicaCount: bool = False
    scalingModifiers: Modifiers | None = None


class ScaledObject(Node, frozen=True, kw_only=True):
    """The spec."""

    scaleTargetRef: Ref
    triggers: Annotated[tuple[Trigger, ...], Meta(min_length=1)]
    pollingInterval: Annotated[int, Meta(ge=1)] = 30
    cooldownPeriod: Annotated[int, Meta(ge=0, le=604_800)] = 300
    initialCooldownPeriod: Annotated[int, Meta(ge=0)] = 0
    idleReplicaCount: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    minReplicaCount: Annotated[int, Meta(ge=0, le=MOST)] = 0
    maxReplicaCount: Annotated[int, Meta(ge=1, le=MOST)] = 100
    fallback: Fallback | None = None
    advanced: Advanced | None = None


def faults(struct: object) -> Iterator[Fault]:
    """What the types alone cannot say of a ScaledObject."""
    if isinstance(struct, ScaledObject):
        yield from _counts(struct)
    elif isinstance(struct, Trigger):
        yield from _trigger(struct)
    else:
        yield from autoscaling.faults(struct)


def number(text: str) -> float | None:
    """A number of a trigger's metadata; None for what is not one."""
    try:
        made = float(text)
    except ValueError:
        return None
    return made if abs(made) < 1e300 else None


def _counts(spec: ScaledObject) -> Iterator[Fault]:
    low, high, idle = spec.minReplicaCount, spec.maxReplicaCount, spec.idleReplicaCount
    if low > high:
        said = f"must be at least minReplicaCount ({low}), got {high}"
        yield ("maxReplicaCount",), said, "raise maxReplicaCount, or lower minReplicaCount"
    if idle is not None and idle >= low:
        said = f"must be less than minReplicaCount ({low}), got {idle}"
        yield ("idleReplicaCount",), said, "remove it, or raise minReplicaCount"


def _trigger(trigger: Trigger) -> Iterator[Fault]:
    if trigger.type not in (*SUPPORTED, *OTHERS):
        near = nearest(trigger.type, (*SUPPORTED, *OTHERS))
        hint = f"did you mean {near}?" if near else f"carried are {', '.join(SUPPORTED)}"
        yield ("type",), f"there is no trigger {trigger.type}", hint
        return
    said = trigger.metadata
    for key in _KEYS.get(trigger.type, ()):
        if not said.get(key, "").strip():
            yield ("metadata",), f"{key} is missing", f"add {key}: a {trigger.type} trigger needs it"
    if trigger.type == "prometheus":
        yield from _number(said, "threshold", above=0.0)
        yield from _number(said, "activationThreshold")
        if trigger.metricType is Aim.UTILIZATION:
            yield ("metricType",), "expected AverageValue or Value: only cpu and memory are a Utilization", "remove it"
    elif trigger.type == "cron":
        yield from _number(said, "desiredReplicas", least=0.0)
    elif trigger.type in ("cpu", "memory"):
        yield from _resource(trigger)


def _number(
    said: dict[str, str], key: str, *, above: float | None = None, least: float | None = None
) -> Iterator[Fault]:
    if not said.get(key):
        return
    made = number(said[key])
    low = (above is not None and made is not None and made <= above) or (least is not None and (made or 0) < least)
    if made is None or made != made or low:
        more = f" above {above:g}" if above is not None else f" of at least {least:g}" if least is not None else ""
        yield ("metadata", key), f"expected a number{more}, got {said[key]}", "in quotes or without"


def _resource(trigger: Trigger) -> Iterator[Fault]:
    value, container = trigger.metadata.get("value"), trigger.metadata.get("containerName")
    if container and not re.search(NAME, container):
        yield ("metadata", "containerName"), f"expected a container's name, got {container}", "as the pod has it"
    if aim(trigger) is None or aim(trigger) is Aim.VALUE:
        yield (), "metricType: expected Utilization or AverageValue", "add metricType: Utilization"
    elif value is None:
        yield ("metadata",), "value is missing", "add value: '70'"
    else:
        made = number(value) if aim(trigger) is Aim.UTILIZATION else autoscaling.amount(value)
        if made is None or made <= 0:
            yield ("metadata", "value"), f"expected a number above 0, got {value}", "'70', or 500m beside AverageValue"


def aim(trigger: Trigger) -> Aim | None:
    """What a resource trigger's value is of; older ones say it in their metadata."""
    if trigger.metricType is not None:
        return trigger.metricType
    said = trigger.metadata.get("type")
    return Aim(said) if said in (Aim.UTILIZATION.value, Aim.AVERAGE_VALUE.value) else None
