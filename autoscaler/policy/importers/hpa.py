"""A HorizontalPodAutoscaler, autoscaling/v1 or v2 → a policy, with the report of every key."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.model.policy import HPA_BEHAVIOR, Behavior, Idle, Legacy, Mode, Policy, Reduce, Replicas, Signal
from autoscaler.policy.importers import parts
from autoscaler.policy.importers.autoscaling import (
    SOURCES,
    Aim,
    Goal,
    Metric,
    MetricSource,
    ObjectSource,
    Source,
    SpecV1,
    SpecV2,
    aim_of,
    faults,
)
from autoscaler.policy.importers.behavior import behavior
from autoscaler.policy.importers.manifest import Object, Spec, Text, objects
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.queries import LONGEST_TARGET, average
from autoscaler.policy.importers.report import Turned
from autoscaler.policy.nodes import Problem
from autoscaler.policy.words import Path

KIND = "HorizontalPodAutoscaler"
CPU_PERCENT = 80  # of an HPA without metrics
VERSIONS: dict[str, type[SpecV1] | type[SpecV2]] = {
    "autoscaling/v1": SpecV1,
    "autoscaling/v2": SpecV2,
    "autoscaling/v2beta2": SpecV2,
}
IN_V1 = ("autoscaling.alpha.kubernetes.io/metrics", "autoscaling.alpha.kubernetes.io/behavior")


def turn(texts: Sequence[Text], wanted: Wanted, namespace: str, problems: list[Problem]) -> list[Turned]:
    """Every HPA of these texts as a policy; what cannot be read goes to `problems`."""
    made = (_turn(each, wanted, problems) for each in objects(texts, KIND, namespace, problems))
    return parts.settled([each for each in made if each is not None], problems)


def _turn(made: Object, wanted: Wanted, problems: list[Problem]) -> Turned | None:
    kind = VERSIONS.get(made.api)
    if kind is None:
        said = f"apiVersion: expected autoscaling/v1 or autoscaling/v2, got {made.api}"
        hint = "`kubectl get hpa.v2.autoscaling -o yaml` prints any of them as v2"
        problems.append(Problem(made.file, made.node.line, made.node.column, said, hint))
        return None
    before = len(problems)
    spec = Spec(made, problems, faults)
    read = spec.struct(made.spec, kind)
    if read is None or len(problems) > before:
        return None
    policy = _policy(made, read, spec, wanted)
    return Turned(made.file, made.node.line, made.source, tuple(spec.findings), policy)


def _policy(made: Object, read: SpecV1 | SpecV2, spec: Spec, wanted: Wanted) -> Policy | None:
    target = parts.target(read.scaleTargetRef, made, spec)
    if target is None:
        return None
    wanted = msgspec.structs.replace(wanted, scaled=(read.scaleTargetRef.kind, read.scaleTargetRef.name))
    if isinstance(read, SpecV1):
        percent = CPU_PERCENT if read.targetCPUUtilizationPercentage is None else read.targetCPUUtilizationPercentage
        path: Path = ("targetCPUUtilizationPercentage",)
        found = [parts.resource("cpu", "", percent, spec, path, share=True)]
        for key in IN_V1:
            if key in made.annotations:
                spec.lost((), f"annotation {key}: read the object as v2: `kubectl get hpa.v2.autoscaling -o yaml`")
        speed = behavior(None, spec, ("behavior",))
    else:
        found = [_signal(each, made, spec, wanted, ("metrics", i)) for i, each in enumerate(read.metrics)]
        if not read.metrics:
            found = [parts.resource("cpu", "", CPU_PERCENT, spec, ("metrics",), share=True)]
        speed = behavior(read.behavior, spec, ("behavior",))
    signals = parts.named(found)
    if not signals:
        spec.lost(("metrics",), "no metric could be carried, so no policy is written")
        return None
    low = 1 if read.minReplicas is None else read.minReplicas
    spec.equal(("maxReplicas",), f"replicas: {{min: {max(1, low)}, max: {read.maxReplicas}}}")
    parts.parity(wanted, spec)
    policy = Policy(
        name=made.name,
        target=target,
        replicas=Replicas(min=max(1, low), max=read.maxReplicas),
        signals=signals,
        mode=wanted.mode,
        parity=wanted.parity,
        behavior=speed,
    )
    return policy if low else _to_zero(policy, read, spec)


def _to_zero(policy: Policy, read: SpecV1 | SpecV2, spec: Spec) -> Policy:
    """`minReplicas: 0`: an idle that wakes by the metrics that are there while nothing runs."""
    metrics = () if isinstance(read, SpecV1) else read.metrics
    outside = {_named(each) for each in metrics if each.type in (Source.OBJECT, Source.EXTERNAL)}
    waking = tuple(
        msgspec.structs.replace(each, wake_above=0.0) if each.name in outside else each for each in policy.signals
    )
    if waking == policy.signals:
        spec.lost(("minReplicas",), "0 needs an Object or External metric with a query to wake by; min is 1")
        return policy
    window = HPA_BEHAVIOR.down.stabilization if isinstance(policy.behavior, Legacy) else _window(policy.behavior)
    after = max(window or 0.0, 15.0)
    spec.different(("minReplicas",), f"idle: to 0 once nothing is asked for during {after:g} s, back above 0")
    return msgspec.structs.replace(policy, signals=waking, idle=Idle(after=after))


def _window(behavior: Behavior) -> float | None:
    written = behavior.down.stabilization
    return HPA_BEHAVIOR.down.stabilization if written is None else written


def _named(metric: Metric) -> str:
    source = getattr(metric, SOURCES[metric.type])
    return str(source.name if metric.type in (Source.RESOURCE, Source.CONTAINER_RESOURCE) else source.metric.name)


def _signal(metric: Metric, made: Object, spec: Spec, wanted: Wanted, path: Path) -> Signal | None:
    resource, container = metric.resource, metric.containerResource
    if resource is not None and metric.type is Source.RESOURCE:
        return _resource(resource.name, "", resource.target, spec, (*path, "resource"))
    if container is not None and metric.type is Source.CONTAINER_RESOURCE:
        return _resource(container.name, container.container, container.target, spec, (*path, "containerResource"))
    key = SOURCES[metric.type]
    source: MetricSource | ObjectSource = getattr(metric, key)
    return _asked(metric.type, source, made, spec, wanted, (*path, key))


def _resource(name: str, container: str, goal: Goal, spec: Spec, path: Path) -> Signal | None:
    return parts.resource(name, container, aim_of(goal), spec, path, share=goal.type is Aim.UTILIZATION)


def _asked(
    kind: Source, source: MetricSource | ObjectSource, made: Object, spec: Spec, wanted: Wanted, path: Path
) -> Signal | None:
    """A metric of the custom or external metrics API, by the query that is behind it."""
    name = source.metric.name
    query = wanted.query(made, name)
    whose = "by the query that was given"
    if query is None:
        query, whose = _by_rule(kind, source, wanted), "by the query of the adapter's rule"
        if query is not None and kind is Source.PODS and len(wanted.scaled[1]) > LONGEST_TARGET:
            why = f"the rule's query finds pods by their names, which are cut beyond {LONGEST_TARGET} characters"
            spec.lost(path, f"{why} of their workload's: give --query '{name}=PROMQL'")
            return None
    if query is None:
        what = "one series per pod" if kind is Source.PODS else "one series"
        labels = "; its selector belongs into the query" if source.metric.selector is not None else ""
        spec.lost(
            path, f"{name} comes from the {_api(kind)} metrics API: give --query '{name}=PROMQL' ({what}){labels}"
        )
        return None
    aim = aim_of(source.target)
    if kind is Source.PODS and wanted.strict:
        spec.equal(path, f"value: {aim:g} of the average pod, {whose}: one series per pod")
        return Signal(name=name, prometheus=average(query), value=aim)
    if kind is Source.PODS:
        spec.different(path, f"per_replica: {aim:g}, the total ÷ this, not average × ready pods; {whose}")
        return Signal(name=name, prometheus=query, reduce=Reduce.SUM, per_replica=aim)
    goal = "value" if source.target.type is Aim.VALUE else "per_replica"
    spec.equal(path, f"{goal}: {aim:g}, {whose}")
    value, share = (aim, None) if goal == "value" else (None, aim)
    return Signal(name=name, prometheus=query, value=value, per_replica=share)


def _by_rule(kind: Source, source: MetricSource | ObjectSource, wanted: Wanted) -> str | None:
    """The query that the adapter's rules have for a metric; none for a selector with expressions."""
    selector = source.metric.selector
    if selector is not None and selector.matchExpressions:
        return None
    labels = (selector.matchLabels if selector is not None else None) or {}
    described = source.describedObject if isinstance(source, ObjectSource) else None
    about = (described.kind, described.name) if described is not None else wanted.scaled
    return wanted.rules.query(kind, source.metric.name, labels, about)


def _api(kind: Source) -> str:
    return "external" if kind is Source.EXTERNAL else "custom"


def mode(said: str | None, *, strict: bool) -> Mode:
    """The mode of what is written: as said; strict parity only observes unless somebody says otherwise."""
    if said is None:
        return Mode.OBSERVE if strict else Mode.ACT
    return Mode(said)
