"""The triggers of a ScaledObject → signals and windows, with the report of every key."""

from __future__ import annotations

from typing import Any

import msgspec

from autoscaler.model.policy import Empty, Failing, Fallback, NotANumber, Signal, Window
from autoscaler.policy.importers import autoscaling, parts
from autoscaler.policy.importers.autoscaling import Aim
from autoscaler.policy.importers.manifest import Spec
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.scaledobject import Otherwise, ScaledObject, Trigger, aim, number
from autoscaler.policy.importers.windows import between
from autoscaler.policy.rules import window as rules
from autoscaler.policy.words import Path

_ELSEWHERE = ("authModes", "customHeaders", "unsafeSsl", "cortexOrgID", "timeout", "awsRegion", "identityOwner")
_PARAMETERS = ("namespace", "queryParameters")
_OF_RESOURCES = {"value", "type", "containerName"}
_KNOWN = {
    "prometheus": {"serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues", "metricName"},
    "cpu": _OF_RESOURCES,
    "memory": _OF_RESOURCES,
    "cron": {"timezone", "start", "end", "desiredReplicas"},
}


class Triggers:
    """Those of one ScaledObject. `low` is the least it runs, `sleeps` says that it may go to zero."""

    def __init__(self, read: ScaledObject, spec: Spec, wanted: Wanted, low: int, *, sleeps: bool) -> None:
        self.read, self.spec, self.wanted, self.low, self.sleeps = read, spec, wanted, low, sleeps
        self.failed = self._failed()

    def turned(self) -> tuple[tuple[Signal, ...], tuple[Window, ...]]:
        """The signals and windows that could be carried."""
        signals: list[Signal | None] = []
        windows: list[Window] = []
        names: set[str] = set()
        formula = self.read.advanced is not None and self.read.advanced.scalingModifiers is not None
        for index, trigger in enumerate(self.read.triggers):
            path: Path = ("triggers", index)
            if trigger.type in _KNOWN:
                for key in trigger.metadata:
                    self._other(trigger.type, key, (*path, "metadata", key))
            if formula and trigger.type not in ("cpu", "memory"):
                self.spec.lost(path, "its value goes into the formula of scalingModifiers, which cannot be said")
            elif trigger.type == "prometheus":
                signals.append(self._prometheus(trigger, path))
            elif trigger.type in ("cpu", "memory"):
                signals.append(self._resource(trigger, path))
            elif trigger.type == "cron":
                window = self._cron(trigger, path, names)
                windows += [] if window is None else [window]
            else:
                self.spec.lost(path, f"{trigger.type}: only prometheus, cpu, memory and cron are carried")
        return parts.named(signals), tuple(windows)

    def _prometheus(self, trigger: Trigger, path: Path) -> Signal:
        said, spec = trigger.metadata, self.spec
        metadata: Path = (*path, "metadata")
        threshold = number(said["threshold"])
        assert threshold is not None  # checked when it was read
        goal = "value" if trigger.metricType is Aim.VALUE else "per_replica"
        keys: dict[str, Any] = {goal: threshold}
        spec.equal((*metadata, "threshold"), f"{goal}: {threshold:g}")
        if self.sleeps:
            keys["wake_above"] = number(said.get("activationThreshold") or "0")
            self._wakes(keys["wake_above"], threshold, (*metadata, "activationThreshold"))
        elif said.get("activationThreshold"):
            spec.equal((*metadata, "activationThreshold"), "left out: it never sleeps, so there is nothing to wake")
        if said.get("ignoreNullValues", "true").lower() in ("true", "t", "1"):
            keys |= {"empty": Empty.ZERO, "nan": NotANumber.ZERO}
            why = "empty: 0 and nan: 0, as in KEDA; UNSAFE: series that vanish shrink the workload; remove both to hold"
            spec.equal((*metadata, "ignoreNullValues"), why)
        keys["server"] = self._server(trigger, metadata)
        if trigger.useCachedMetrics:
            spec.equal((*path, "useCachedMetrics"), "a query is asked once in a cycle anyway")
        if trigger.authenticationRef is not None:
            spec.different(
                (*path, "authenticationRef"), "secrets are not copied: they belong into the daemon's settings"
            )
        name = trigger.name or said.get("metricName") or "prometheus"
        return Signal(name=name, prometheus=said["query"], failed=self.failed, **keys)

    def _wakes(self, above: float, threshold: float, path: Path) -> None:
        if above > threshold * self.low:
            why = "; it sleeps only once the signal also asks for no more than the minimum"
            self.spec.different(path, f"wake_above: {above:g}{why}")
        else:
            self.spec.equal(path, f"wake_above: {above:g}")

    def _server(self, trigger: Trigger, path: Path) -> str | None:
        address = trigger.metadata["serverAddress"]
        server = self.wanted.servers.get(address)
        if server is not None:
            self.spec.equal((*path, "serverAddress"), f"server: {server}")
        else:
            why = f"asked of the daemon's own Prometheus; if that is not {address}: --server {address}=NAME"
            self.spec.different((*path, "serverAddress"), why)
        return server

    def _other(self, kind: str, key: str, path: Path) -> None:
        """What is written in a trigger beside what is turned."""
        if kind == "prometheus" and key in _ELSEWHERE:
            self.spec.different(path, "not copied: it belongs into the daemon's settings of that server")
        elif kind == "prometheus" and key in _PARAMETERS:
            self.spec.lost(path, "queries have no parameters of their own; put it into the query or the server's url")
        elif key not in _KNOWN[kind]:
            self.spec.lost(path, "not known")

    def _failed(self) -> Failing | Fallback:
        """What a signal does while it is missing."""
        fallback, spec, path = self.read.fallback, self.spec, ("fallback",)
        if fallback is None:
            return Failing.HOLD
        if all(each.type != "prometheus" for each in self.read.triggers):
            spec.equal(path, "left out: cpu, memory and cron triggers have none in KEDA either")
            return Failing.HOLD
        count = min(fallback.replicas, self.read.maxReplicaCount)
        if fallback.behavior in (Otherwise.STATIC, Otherwise.IF_HIGHER) and count >= self.low:
            now = "at once, not after failureThreshold polls"
            never = "" if fallback.behavior is Otherwise.IF_HIGHER else "; it raises or holds, it never shrinks"
            spec.different(path, f"failed: {{at_least: {count}}}: {now}{never}")
            return Fallback(at_least=count)
        if fallback.behavior is Otherwise.CURRENT:
            spec.equal(path, "a missing reading holds the count anyway")
        else:
            spec.different(path, f"a missing reading holds the count, it does not go to {fallback.replicas}")
        return Failing.HOLD

    def _resource(self, trigger: Trigger, path: Path) -> Signal | None:
        said = trigger.metadata
        share = aim(trigger) is Aim.UTILIZATION
        goal = number(said["value"]) if share else autoscaling.amount(said["value"])
        assert goal is not None  # checked when it was read
        path = (*path, "metadata", "value")
        made = parts.resource(trigger.type, said.get("containerName", ""), goal, self.spec, path, share=share)
        return msgspec.structs.replace(made, name=trigger.name) if made is not None and trigger.name else made

    def _cron(self, trigger: Trigger, path: Path, names: set[str]) -> Window | None:
        said, spec = trigger.metadata, self.spec
        metadata: Path = (*path, "metadata")
        span = between(said["start"], said["end"])
        if isinstance(span, str):
            spec.lost(metadata, f"no window can say this: {span}")
            return None
        wanted = int(number(said["desiredReplicas"]) or 0)
        count = max(1, wanted)  # KEDA takes a window as a reason to run, so 0 is 1 there as well
        if count <= self.low and not self.sleeps:
            spec.equal(metadata, f"left out: {count} is not more than the minimum")
            return None
        least = min(max(count, self.low), self.read.maxReplicaCount)
        name = parts.unique(parts.readable(trigger.name or "cron"), names)
        window = Window(name=name, cron=said["start"], lasts=span, timezone=said["timezone"], min=least)
        for below, sentence, hint in rules.window(window):
            if below == ("timezone",):
                spec.problem((*metadata, "timezone"), sentence, hint)
            else:
                spec.lost(metadata, f"no window can say this: {sentence}")
            return None
        if wanted > least:
            why = f"it asks for {wanted}, and maxReplicaCount is {least}, as in KEDA"
            spec.equal((*metadata, "desiredReplicas"), why)
        elif not wanted:
            spec.equal((*metadata, "desiredReplicas"), "0 keeps one replica in its window in KEDA as well")
        if said["timezone"] == "UTC":
            spec.equal(metadata, f"schedule: min {least} in the window {name}")
        else:
            why = "it lasts by elapsed time, so it ends an hour off where the clock changes meanwhile"
            spec.different(metadata, f"schedule: min {least} in the window {name}; {why}")
        return window

    def nothing(self) -> Signal:
        """A load of zero: without any signal a count would stay after a window has closed."""
        self.spec.equal(("triggers",), "a signal that is always 0 brings the count back after a window")
        return Signal(name="nothing", prometheus="vector(0)", per_replica=1.0, wake_above=0.0 if self.sleeps else None)
