"""A KEDA ScaledObject → a policy, with the report of every key."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.model.policy import (
    Behavior,
    Direction,
    Idle,
    Legacy,
    Mode,
    Policy,
    Replicas,
    Select,
    Signal,
)
from autoscaler.policy.importers import autoscaling, parts
from autoscaler.policy.importers.behavior import behavior
from autoscaler.policy.importers.manifest import Object, Spec, Text, objects
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.report import Turned
from autoscaler.policy.importers.scaledobject import ScaledObject, faults
from autoscaler.policy.importers.triggers import Triggers
from autoscaler.policy.nodes import Problem
from autoscaler.policy.words import Path

KIND = "ScaledObject"
CYCLE_S = 15  # the HPA's, and the daemon's own
KEDAS = "autoscaling.keda.sh/"
PAUSED = f"{KEDAS}paused"
CLOSED = {f"{PAUSED}-scale-in": "down", f"{PAUSED}-scale-out": "up"}


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
        triggers = Triggers(read, spec, self.wanted, self.low, sleeps=self.sleeps)
        signals, windows = triggers.turned()
        self._advanced()
        if not signals and windows:
            signals = (triggers.nothing(),)
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

    def _advanced(self) -> None:
        advanced, spec = self.read.advanced, self.spec
        if advanced is None:
            return
        if advanced.restoreToOriginalReplicaCount:
            path: Path = ("advanced", "restoreToOriginalReplicaCount")
            spec.lost(path, "a policy that is removed leaves the count as it is (from idle: its minimum)")
        if advanced.scalingModifiers is not None:
            spec.lost(("advanced", "scalingModifiers"), "a formula over triggers cannot be said; write it as one query")
        config = advanced.horizontalPodAutoscalerConfig
        if config is not None and config.name:
            spec.equal(("advanced", "horizontalPodAutoscalerConfig", "name"), "left out: no HPA is made")

    def _others(self) -> None:
        read, spec = self.read, self.spec
        if read.scaleTargetRef.envSourceContainerName:
            path: Path = ("scaleTargetRef", "envSourceContainerName")
            spec.equal(path, "left out: no trigger that is carried reads the environment of a container")
        if read.initialCooldownPeriod:
            spec.lost(("initialCooldownPeriod",), "a policy has none; what is seen first is held for a down window")
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
