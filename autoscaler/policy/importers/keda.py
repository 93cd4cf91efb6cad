"""A KEDA ScaledObject → a policy, with the report of every key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from autoscaler.model.policy import (
    Behavior,
    Direction,
    Empty,
    Failing,
    Fallback,
    Idle,
    Legacy,
    Mode,
    NotANumber,
    Policy,
    Replicas,
    Select,
    Signal,
    Window,
)
from autoscaler.policy.importers import autoscaling, parts
from autoscaler.policy.importers.autoscaling import Aim
from autoscaler.policy.importers.behavior import behavior
from autoscaler.policy.importers.manifest import Object, Spec, Text, objects
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.report import Turned
from autoscaler.policy.importers.scaledobject import Otherwise, ScaledObject, Trigger, aim, faults, number
from autoscaler.policy.importers.windows import between
from autoscaler.policy.nodes import Problem
from autoscaler.policy.rules import window as rules
from autoscaler.policy.words import Path

KIND = "ScaledObject"
CYCLE_S = 15  # the HPA's, and the daemon's own
KEDAS = "autoscaling.keda.sh/"
PAUSED = f"{KEDAS}paused"
CLOSED = {f"{PAUSED}-scale-in": "down", f"{PAUSED}-scale-out": "up"}
_ELSEWHERE = ("authModes", "customHeaders", "unsafeSsl", "cortexOrgID", "timeout", "awsRegion", "identityOwner")
_PARAMETERS = ("namespace", "queryParameters")
_KNOWN = {"serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues", "metricName"}


def turn(texts: Sequence[Text], wanted: Wanted, namespace: str, problems: list[Problem]) -> list[Turned]:
    """Every ScaledObject of these texts as a policy; what cannot be read goes to `problems`."""
    made = (_turn(each, wanted, problems) for each in objects(texts, KIND, namespace, problems))
    return parts.settled([each for each in made if each is not None], problems)


def _turn(made: Object, wanted: Wanted, problems: list[Problem]) -> Turned | None:
    if not made.api.startswith("keda.sh/"):
        said = f"apiVersion: expected keda.sh/v1alpha1, got {made.api}"
        problems.append(Problem(made.file, made.node.line, made.node.column, said, "write keda.sh/v1alpha1"))
        return None
    before = len(problems)
    spec = Spec(made, problems, faults)
    read = spec.struct(made.spec, ScaledObject)
    if read is None or len(problems) > before:
        return None
    policy = _Turning(made, read, spec, wanted).policy()
    if len(problems) > before:
        return None
    return Turned(made.file, made.node.line, made.source, tuple(spec.findings), policy)


class _Turning:
    """One ScaledObject on its way."""

    def __init__(self, made: Object, read: ScaledObject, spec: Spec, wanted: Wanted) -> None:
        self.made, self.read, self.spec, self.wanted = made, read, spec, wanted
        self.low = max(1, read.minReplicaCount)
        asked = {each.type for each in read.triggers}
        self.sleeps = (read.minReplicaCount == 0 or read.idleReplicaCount is not None) and not asked <= {
            "cpu",
            "memory",
        }

    def policy(self) -> Policy | None:
        """The policy; None where nothing of it can be carried."""
        read, spec = self.read, self.spec
        said = read.scaleTargetRef
        ref = autoscaling.Ref(kind=said.kind, name=said.name, apiVersion=said.apiVersion)
        target = parts.target(ref, self.made, spec)
        if target is None:
            return None
        signals, windows = self._triggers()
        if not signals and windows:
            signals = (self._nothing(),)
        if not signals:
            spec.lost(("triggers",), "no trigger could be carried, so no policy is written")
            return None
        idle = self._idle(signals)
        self._counts()
        self._others()
        parts.parity(self.wanted, spec)
        return Policy(
            name=self.made.name,
            target=target,
            replicas=Replicas(min=self.low, max=read.maxReplicaCount),
            signals=signals,
            mode=self._mode(),
            idle=idle,
            schedule=windows,
            parity=self.wanted.parity,
            behavior=self._behavior(),
        )

    def _triggers(self) -> tuple[tuple[Signal, ...], tuple[Window, ...]]:
        signals: list[Signal | None] = []
        windows: list[Window] = []
        names: set[str] = set()
        formula = self.read.advanced is not None and self.read.advanced.scalingModifiers is not None
        for index, trigger in enumerate(self.read.triggers):
            path: Path = ("triggers", index)
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
        for key in said:
            self._other(key, (*metadata, key))
        if trigger.useCachedMetrics:
            spec.equal((*path, "useCachedMetrics"), "a query is asked once in a cycle anyway")
        if trigger.authenticationRef is not None:
            spec.different(
                (*path, "authenticationRef"), "secrets are not copied: they belong into the daemon's settings"
            )
        name = trigger.name or said.get("metricName") or "prometheus"
        return Signal(name=name, prometheus=said["query"], failed=self._failed(), **keys)

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

    def _other(self, key: str, path: Path) -> None:
        if key in _ELSEWHERE:
            self.spec.different(path, "not copied: it belongs into the daemon's settings of that server")
        elif key in _PARAMETERS:
            self.spec.lost(path, "queries have no parameters of their own; put it into the query or the server's url")
        elif key not in _KNOWN:
            self.spec.lost(path, "not known")

    def _failed(self) -> Failing | Fallback:
        """What a signal does while it is missing."""
        fallback, spec, path = self.read.fallback, self.spec, ("fallback",)
        if fallback is None:
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
        count = int(number(said["desiredReplicas"]) or 1)
        if count <= self.low and not self.sleeps:
            spec.equal(metadata, f"left out: {count} is not more than the minimum")
            return None
        least = min(max(count, self.low), self.read.maxReplicaCount)
        name = parts.unique((trigger.name or "cron")[: parts.LONGEST_NAME], names)
        window = Window(name=name, cron=said["start"], lasts=span, timezone=said["timezone"], min=least)
        for below, sentence, hint in rules.window(window):
            if below == ("timezone",):
                spec.problem((*metadata, "timezone"), sentence, hint)
            else:
                spec.lost(metadata, f"no window can say this: {sentence}")
            return None
        if said["timezone"] == "UTC":
            spec.equal(metadata, f"schedule: min {least} in the window {name}")
        else:
            why = "it lasts by elapsed time, so it ends an hour off where the clock changes meanwhile"
            spec.different(metadata, f"schedule: min {least} in the window {name}; {why}")
        return window

    def _nothing(self) -> Signal:
        """A load of zero: without any signal a count would stay after a window has closed."""
        self.spec.equal(("triggers",), "a signal that is always 0 brings the count back after a window")
        return Signal(name="nothing", prometheus="vector(0)", per_replica=1.0, wake_above=0.0 if self.sleeps else None)

    def _idle(self, signals: tuple[Signal, ...]) -> Idle | None:
        read, spec = self.read, self.spec
        key = "idleReplicaCount" if read.idleReplicaCount is not None else "minReplicaCount"
        if not self.sleeps:
            if read.minReplicaCount == 0:
                spec.equal((key,), "min: 1, as cpu and memory alone never go to 0 in KEDA either")
            elif read.idleReplicaCount is not None:
                spec.different((key,), "left out: cpu and memory alone cannot wake")
            return None
        if all(each.wake_above is None for each in signals):
            spec.lost((key,), "no trigger that was carried can wake, so it never sleeps: min is 1")
            return None
        after = max(1.0, float(read.cooldownPeriod))
        if any(each.wake_above is None for each in signals):
            spec.different((key,), "idle: it sleeps only once cpu and memory ask for no more than the minimum as well")
        else:
            spec.equal((key,), f"idle: {read.idleReplicaCount or 0} replicas")
        spec.equal(("cooldownPeriod",), f"idle.after: {after:g} s")
        return Idle(replicas=read.idleReplicaCount or 0, after=after)

    def _counts(self) -> None:
        read, spec = self.read, self.spec
        spec.equal(("maxReplicaCount",), f"replicas: {{min: {self.low}, max: {read.maxReplicaCount}}}")
        if self.sleeps and read.pollingInterval != CYCLE_S:
            why = f"asked in every cycle ({CYCLE_S} s by default), for waking too, not every {read.pollingInterval} s"
            spec.different(("pollingInterval",), why)

    def _others(self) -> None:
        read, spec, advanced = self.read, self.spec, self.read.advanced
        if read.initialCooldownPeriod:
            spec.lost(("initialCooldownPeriod",), "a policy has none; what is seen first is held for a down window")
        if advanced is not None and advanced.restoreToOriginalReplicaCount:
            path: Path = ("advanced", "restoreToOriginalReplicaCount")
            spec.lost(path, "a policy that is removed leaves the count as it is (from idle: its minimum)")
        if advanced is not None and advanced.scalingModifiers is not None:
            spec.lost(("advanced", "scalingModifiers"), "a formula over triggers cannot be said; write it as one query")
        for note in self.made.annotations:
            if note == f"{PAUSED}-replicas":
                spec.lost((), f"annotation {note}: say it by `autoscaler override`, which ends by itself")
            elif note.startswith(KEDAS) and note not in (PAUSED, *CLOSED):
                spec.lost((), f"annotation {note}: not known")

    def _mode(self) -> Mode:
        if self.made.annotations.get(PAUSED, "false").lower() != "true":
            return self.wanted.mode
        self.spec.different((), f"annotation {PAUSED}: mode: observe; `autoscaler pause` does it without an edit")
        return Mode.OBSERVE

    def _behavior(self) -> Behavior | Legacy:
        advanced = self.read.advanced
        config = advanced.horizontalPodAutoscalerConfig if advanced is not None else None
        path: Path = ("advanced", "horizontalPodAutoscalerConfig", "behavior")
        made = behavior(config.behavior if config is not None else None, self.spec, path)
        for note, half in CLOSED.items():
            if self.made.annotations.get(note, "false").lower() == "true":
                self.spec.equal((), f"annotation {note}: behavior.{half}.select: disabled")
                made = Behavior() if isinstance(made, Legacy) else made
                shut: Direction = msgspec.structs.replace(getattr(made, half), select=Select.DISABLED)
                made = msgspec.structs.replace(made, **{half: shut})
        return made
