"""The shape of a HorizontalPodAutoscaler as structs: what is written there is read, and checked, by these."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from autoscaler.model.policy import Node
from autoscaler.policy.convert import Fault
from autoscaler.policy.units import quantity

NAME = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"  # of an object, as Kubernetes takes it
ObjectName = Annotated[str, Meta(min_length=1, max_length=253, pattern=NAME, examples=["web"])]
MOST = 100_000  # replicas a policy may have
_TINY = {"n": 1e-9, "u": 1e-6}


class Ref(Node, frozen=True, kw_only=True):
    """What is scaled, or an object that is described."""

    kind: Annotated[str, Meta(min_length=1)]
    name: ObjectName
    apiVersion: str = ""


class Choose(enum.Enum):
    """Which policy counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class Unit(enum.Enum):
    """What a policy counts in."""

    PODS = "Pods"
    PERCENT = "Percent"


class Speed(Node, frozen=True, kw_only=True):
    """One limit of speed."""

    type: Unit
    value: Annotated[int, Meta(ge=1)]
    periodSeconds: Annotated[int, Meta(ge=1, le=1800)]


class Scaling(Node, frozen=True, kw_only=True):
    """One direction."""

    stabilizationWindowSeconds: Annotated[int, Meta(ge=0, le=3600)] | None = None
    selectPolicy: Choose | None = None
    policies: Annotated[tuple[Speed, ...], Meta(min_length=1)] | None = None
    tolerance: str | None = None


class Behaviors(Node, frozen=True, kw_only=True):
    """Both directions."""

    scaleUp: Scaling | None = None
    scaleDown: Scaling | None = None


class Requirement(Node, frozen=True, kw_only=True):
    """One expression of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] = ()


class Labels(Node, frozen=True, kw_only=True):
    """A label selector."""

    matchLabels: dict[str, str] | None = None
    matchExpressions: tuple[Requirement, ...] = ()


class Identifier(Node, frozen=True, kw_only=True):
    """A metric by its name."""

    name: Annotated[str, Meta(min_length=1)]
    selector: Labels | None = None


class Aim(enum.Enum):
    """What a metric's target is of."""

    UTILIZATION = "Utilization"
    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"


class Goal(Node, frozen=True, kw_only=True):
    """A metric's target."""

    type: Aim
    averageUtilization: Annotated[int, Meta(ge=1)] | None = None
    averageValue: str | None = None
    value: str | None = None


class ResourceSource(Node, frozen=True, kw_only=True):
    """CPU or memory of whole pods."""

    name: str
    target: Goal


class ContainerSource(Node, frozen=True, kw_only=True):
    """CPU or memory of one container of each pod."""

    name: str
    container: ObjectName
    target: Goal


class MetricSource(Node, frozen=True, kw_only=True):
    """A metric of pods, or of something outside."""

    metric: Identifier
    target: Goal


class ObjectSource(Node, frozen=True, kw_only=True):
    """A metric of another object."""

    describedObject: Ref
    metric: Identifier
    target: Goal


class Source(enum.Enum):
    """Where a metric comes from."""

    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


class Metric(Node, frozen=True, kw_only=True):
    """One metric; the key that fits its type is there."""

    type: Source
    resource: ResourceSource | None = None
    containerResource: ContainerSource | None = None
    pods: MetricSource | None = None
    object: ObjectSource | None = None
    external: MetricSource | None = None


class SpecV2(Node, frozen=True, kw_only=True):
    """autoscaling/v2."""

    scaleTargetRef: Ref
    maxReplicas: Annotated[int, Meta(ge=1, le=MOST)]
    minReplicas: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    metrics: tuple[Metric, ...] = ()
    behavior: Behaviors | None = None


class SpecV1(Node, frozen=True, kw_only=True):
    """autoscaling/v1."""

    scaleTargetRef: Ref
    maxReplicas: Annotated[int, Meta(ge=1, le=MOST)]
    minReplicas: Annotated[int, Meta(ge=0, le=MOST)] | None = None
    targetCPUUtilizationPercentage: Annotated[int, Meta(ge=1)] | None = None


GOALS = {Aim.UTILIZATION: "averageUtilization", Aim.AVERAGE_VALUE: "averageValue", Aim.VALUE: "value"}
SOURCES = {
    Source.RESOURCE: "resource",
    Source.CONTAINER_RESOURCE: "containerResource",
    Source.PODS: "pods",
    Source.OBJECT: "object",
    Source.EXTERNAL: "external",
}
_AIMS = {
    Source.RESOURCE: (Aim.UTILIZATION, Aim.AVERAGE_VALUE),
    Source.CONTAINER_RESOURCE: (Aim.UTILIZATION, Aim.AVERAGE_VALUE),
    Source.PODS: (Aim.AVERAGE_VALUE,),
    Source.OBJECT: (Aim.VALUE, Aim.AVERAGE_VALUE),
    Source.EXTERNAL: (Aim.VALUE, Aim.AVERAGE_VALUE),
}


def amount(text: str) -> float | None:
    """A Kubernetes quantity as a plain number; None for what is not one.

    >>> amount("500m"), amount("1k"), amount("1e3"), amount("2u"), amount("many")
    (0.5, 1000.0, 1000.0, 2e-06, None)
    """
    made = quantity(text)
    if made is not None:
        return made
    times = _TINY.get(text[-1:], 1.0)
    try:
        number = float(text[:-1] if times != 1.0 else text)
    except ValueError:
        return None
    return number * times if abs(number) < 1e30 else None


def faults(struct: object) -> Iterator[Fault]:
    """What the types alone cannot say of a HorizontalPodAutoscaler."""
    if isinstance(struct, (SpecV1, SpecV2)):
        low = 1 if struct.minReplicas is None else struct.minReplicas
        if low > struct.maxReplicas:
            said = f"must be at least minReplicas ({low}), got {struct.maxReplicas}"
            yield ("maxReplicas",), said, "raise maxReplicas, or lower minReplicas"
    elif isinstance(struct, Metric):
        yield from _metric(struct)
    elif isinstance(struct, Goal):
        yield from _goal(struct)
    elif isinstance(struct, Scaling) and struct.tolerance is not None:
        made = amount(struct.tolerance)
        if made is None or made < 0:
            yield ("tolerance",), f"expected a quantity such as 0.05 or 50m, got {struct.tolerance}", "0.05 is 5 %"


def _metric(metric: Metric) -> Iterator[Fault]:
    key = SOURCES[metric.type]
    source = getattr(metric, key)
    if source is None:
        yield (), f"{key} is missing: type is {metric.type.value}", f"add {key}, or correct type"
    elif source.target.type not in _AIMS[metric.type]:
        fits = " or ".join(each.value for each in _AIMS[metric.type])
        said = f"expected {fits} beside type {metric.type.value}, got {source.target.type.value}"
        yield (key, "target", "type"), said, f"write type: {_AIMS[metric.type][0].value}"


def _goal(goal: Goal) -> Iterator[Fault]:
    key = GOALS[goal.type]
    value = getattr(goal, key)
    if value is None:
        yield (), f"{key} is missing: type is {goal.type.value}", f"add {key}, or correct type"
    elif isinstance(value, str):
        made = amount(value)
        if made is None or made <= 0:
            yield (key,), f"expected a quantity above 0 such as 100, 500m or 1Gi, got {value}", "500m is a half"


def aim_of(goal: Goal) -> float:
    """The number a target names: percent, or a plain number."""
    value = getattr(goal, GOALS[goal.type])
    number = float(value) if isinstance(value, int) else amount(value)
    assert number is not None  # checked when it was read
    return number
