"""A policy → a HorizontalPodAutoscaler of autoscaling/v2, with the report of every key an HPA cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from autoscaler.model.policy import Parity, Policy, Reduce, Resource, Signal
from autoscaler.model.policy.target import APPS
from autoscaler.policy.defaults import brief
from autoscaler.policy.importers import behavior
from autoscaler.policy.importers.autoscaling import NAME
from autoscaler.policy.importers.parts import ANNOTATION, GUARDS, unique
from autoscaler.policy.importers.queries import averaged
from autoscaler.policy.importers.report import Carried, KeyReport, Turned, line_of
from autoscaler.policy.load import Loaded
from autoscaler.policy.nodes import dump
from autoscaler.policy.words import Path, dotted

_SAID = {"name", "target", "replicas", "signals", "behavior", "parity", "kind", "version"}
_OF_SIGNALS = {"name", "prometheus", "resource", "container", "reduce", "per_replica", "value", "utilization", "steps"}
_WHY = {
    "mode": "an HPA always acts",
    "labels": "they are for our own filters",
    "idle": "an HPA does not sleep",
    "schedule": "an HPA has no windows",
    "combine": "the largest wish of an HPA's metrics always wins",
    "recycle": "an HPA replaces nothing",
    "every": "the cluster's controller has one interval for all",
    "wake_above": "an HPA does not sleep",
    "server": "the adapter decides whom it asks",
    "at_most": "a metric of an HPA has no limit of its own",
    "empty": "what is missing is always in doubt for an HPA",
    "nan": "what is missing is always in doubt for an HPA",
    "failed": "what is missing holds the count of an HPA",
}

_SOURCES = {"scrape": "direct scrape", "push": "what is pushed to us"}


class Made(msgspec.Struct, frozen=True):
    """One policy with its report and the manifest it became; None where nothing of it could be carried."""

    turned: Turned
    manifest: dict[str, Any] | None


def export(loaded: Sequence[Loaded]) -> list[Made]:
    """The manifests of these policies, in their order."""
    return [_Export(each).made() for each in loaded]


def manifests(made: Sequence[Made]) -> str:
    """One document for each that could be made."""
    return "---\n".join(
        f"# from {each.turned.file}:{each.turned.line}, {each.turned.source}\n{dump(each.manifest)}"
        for each in made
        if each.manifest is not None
    )


class _Export:
    """One policy on its way."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._policy = loaded.placed.policy
        self._findings: list[KeyReport] = []
        self._queries: dict[str, str] = {}
        self._names: set[str] = set()

    def made(self) -> Made:
        """The policy as a manifest."""
        placed, policy = self._loaded.placed, self._policy
        manifest = self._manifest(policy)
        source = f"policy {policy.name}"
        return Made(Turned(placed.file, placed.line, source, tuple(self._findings)), manifest)

    def _say(self, carried: Carried, path: Path, sentence: str) -> None:
        line = line_of(self._loaded.nodes, path, self._loaded.placed.line)
        self._findings.append(KeyReport(line, dotted(path), carried, sentence))

    def _manifest(self, policy: Policy) -> dict[str, Any] | None:
        target, replicas = policy.target.kubernetes, policy.replicas
        if target is None or replicas is None:
            key = "target" if target is None else "replicas"
            why = "an HPA scales Kubernetes workloads" if target is None else "an HPA needs bounds"
            self._say(Carried.NOT_CARRIED, (key,), f"{why}: no manifest is written")
            return None
        if not policy.target.explicit:
            why = "an HPA scales one workload, and this target finds any number: no manifest is written"
            self._say(Carried.NOT_CARRIED, ("target",), why)
            return None
        (namespace,), scaled = target.namespaces, target.name or ""
        for key, name in (("namespace", namespace), ("name", scaled)):
            if not re.search(NAME, name):
                path = ("target", "kubernetes", key)
                self._say(Carried.NOT_CARRIED, path, f"Kubernetes takes no such name, {name}: no manifest is written")
                return None
        metrics = [made for i, each in enumerate(policy.signals) if (made := self._metric(each, ("signals", i)))]
        for key in brief(policy):
            if key not in _SAID:
                self._say(Carried.NOT_CARRIED, (key,), _WHY.get(key, "an HPA cannot say it"))
        if not metrics:
            why = "no signal could be carried, and an HPA without metrics follows CPU: no manifest is written"
            self._say(Carried.NOT_CARRIED, ("signals",), why)
            return None
        self._say(Carried.EQUAL, ("replicas",), f"minReplicas: {replicas.min}, maxReplicas: {replicas.max}")
        self._behavior(policy)
        metadata: dict[str, Any] = {"name": _plain(policy.name), "namespace": namespace}
        if self._queries:
            metadata["annotations"] = {f"{ANNOTATION}{name}": query for name, query in self._queries.items()}
        speed = behavior.manifest(policy.behavior)
        return {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata,
            "spec": {
                "scaleTargetRef": {"apiVersion": target.apiVersion or APPS, "kind": target.kind, "name": scaled},
                "minReplicas": replicas.min,
                "maxReplicas": replicas.max,
                "metrics": metrics,
                **({} if speed is None else {"behavior": speed}),
            },
        }

    def _behavior(self, policy: Policy) -> None:
        for said in behavior.unsaid(policy.behavior):
            self._say(Carried.NOT_CARRIED, ("behavior",), said)
        self._say(Carried.EQUAL, ("behavior",), "windows, rates, select and tolerance one to one")
        if policy.parity is Parity.GUARDED:
            self._say(Carried.DIFFERENT, ("parity",), f"an HPA has no guards. Here: {GUARDS.partition(';')[0]}")

    def _metric(self, signal: Signal, path: Path) -> dict[str, Any] | None:
        for key in _unsaid(signal):
            self._say(Carried.NOT_CARRIED, (*path, key), _WHY.get(key, "an HPA cannot say it"))
        sayable = signal.prometheus is not None or signal.resource is not None
        if not sayable or signal.steps is not None or not signal.votes:
            what = "steps" if signal.steps is not None else "a signal without a goal"
            why = what if sayable else _SOURCES[signal.source]
            self._say(Carried.NOT_CARRIED, path, f"{why}: an HPA cannot say it")
            return None
        return self._asked(signal, path) if signal.resource is None else self._resource(signal.resource, signal, path)

    def _resource(self, resource: Resource, signal: Signal, path: Path) -> dict[str, Any]:
        if signal.utilization is not None:
            aim: dict[str, Any] = {"type": "Utilization", "averageUtilization": round(signal.utilization * 100)}
        else:
            aim = {"type": "AverageValue", "averageValue": _amount(signal.per_replica or 0.0)}
        kind = "ContainerResource" if signal.container else "Resource"
        self._say(Carried.EQUAL, path, f"{kind} {resource.value}: from metrics.k8s.io, as here")
        container = {"container": signal.container} if signal.container else {}
        return {"type": kind, kind[:1].lower() + kind[1:]: {"name": resource.value, **container, "target": aim}}

    def _asked(self, signal: Signal, path: Path) -> dict[str, Any]:
        name = unique(_metric_name(signal.name), self._names)
        assert signal.prometheus is not None  # the caller knows
        single = averaged(signal.prometheus) if signal.value is not None else None
        self._queries[name] = signal.prometheus if single is None else single
        pods = single is not None or (signal.reduce is Reduce.SUM and signal.per_replica is not None)
        kind = "Pods" if pods else "External"
        goal = next(each for each in (signal.per_replica, signal.value, signal.utilization) if each is not None)
        average = kind == "Pods" or signal.per_replica is not None
        aim = (
            {"type": "AverageValue", "averageValue": _amount(goal)}
            if average
            else {"type": "Value", "value": _amount(goal)}
        )
        which = "external" if kind == "External" else "custom"
        why = f"{kind} {name}: an adapter of the {which} metrics API must serve it by this query, kept as an annotation"
        self._say(Carried.DIFFERENT, path, why)
        return {"type": kind, kind.lower(): {"metric": {"name": name}, "target": aim}}


def _unsaid(signal: Signal) -> Iterator[str]:
    """The keys of a signal that an HPA has no word for."""
    for field in msgspec.structs.fields(signal):
        if field.name not in _OF_SIGNALS and getattr(signal, field.name) != field.default:
            yield "scrape" if field.name == "scrape" else field.encode_name


def _plain(name: str) -> str:
    """An object's name that Kubernetes takes.

    >>> _plain("Requests in flight")
    'requests-in-flight'
    """
    return re.sub(r"[^a-z0-9.-]+", "-", name.lower()).strip("-.")[:63].strip("-.") or "unnamed"


def _metric_name(name: str) -> str:
    """A metric's name that fits into a path and into the key of an annotation.

    >>> _metric_name("http_requests per s")
    'http_requests-per-s'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-._")[:63].strip("-._") or "unnamed"


def _amount(number: float) -> str:
    """A number as a Kubernetes quantity, in thousandths where it is no whole one.

    >>> _amount(50.0), _amount(0.5), _amount(536870912.0), _amount(0.0005)
    ('50', '500m', '536870912', '500u')
    """
    exact = Decimal(repr(number))
    for unit, size in (("", 1), ("m", 1000), ("u", 10**6)):
        if exact * size == int(exact * size):
            return f"{int(exact * size)}{unit}"
    return f"{round(exact * 10**9)}n"
