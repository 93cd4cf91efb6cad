"""What both importers do alike: the target, the words of the command, CPU and memory, and a policy put together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from autoscaler.model.policy import KubernetesTarget, Mode, Parity, Resource, Signal, TargetSpec
from autoscaler.model.policy.target import APPS, BUILT_IN, GROUP_VERSION
from autoscaler.policy.importers.adapter import NONE, Rules
from autoscaler.policy.importers.autoscaling import Ref
from autoscaler.policy.importers.manifest import Object, Spec
from autoscaler.policy.importers.report import Turned
from autoscaler.policy.nodes import Problem
from autoscaler.policy.words import Path
from autoscaler.unseen import visible

RESOURCES = tuple(each.value for each in Resource)
LONGEST_NAME = 200  # of a signal, with room for a number
ANNOTATION = "autoscaler.query/"  # `export` keeps a metric's query under this and the metric's name

GUARDS = (
    "guarded: the HPA's arithmetic, and guards that may hold the count up (missing data, first sight, settling, "
    "rollout); --parity strict leaves them out"
)
STRICT = "strict: the HPA's arithmetic without our guards"


class Wanted(msgspec.Struct, frozen=True):
    """The words of the command: queries by metric, the rules of an adapter, servers by address, parity and mode."""

    queries: Mapping[str, str] = msgspec.field(default_factory=dict)
    rules: Rules = NONE
    servers: Mapping[str, str] = msgspec.field(default_factory=dict)
    strict: bool = False
    mode: Mode = Mode.ACT
    scaled: tuple[str, str] = ("Deployment", "")  # kind and name of the workload at hand

    def query(self, made: Object, metric: str) -> str | None:
        """The query for a metric of an object: said for that object, said for all, or kept in its annotations."""
        for said in (self.queries.get(f"{made.name}/{metric}"), self.queries.get(metric)):
            if said is not None:
                return said
        return made.annotations.get(f"{ANNOTATION}{metric}")

    @property
    def parity(self) -> Parity:
        """As a policy says it."""
        return Parity.STRICT if self.strict else Parity.GUARDED


def target(ref: Ref, made: Object, spec: Spec) -> TargetSpec | None:
    """What is scaled; None where policies cannot name it, which is reported."""
    path: Path = ("scaleTargetRef",)
    own = ref.kind in BUILT_IN and ref.apiVersion in ("", APPS)
    if not own and not re.fullmatch(GROUP_VERSION, ref.apiVersion):
        why = f"{ref.kind} needs its apiVersion (GROUP/VERSION), got {ref.apiVersion or 'none'}: no policy is written"
        spec.lost((*path, "apiVersion"), why)
        return None
    spec.equal(path, f"target: {ref.kind} {made.namespace}/{ref.name}")
    group = None if own else ref.apiVersion
    aim = KubernetesTarget(namespace=made.namespace, kind=ref.kind, apiVersion=group, name=ref.name)
    return TargetSpec(kubernetes=aim)


def parity(wanted: Wanted, spec: Spec) -> None:
    """Say what holds for every policy that is written."""
    if wanted.strict:
        spec.equal((), STRICT)
        if wanted.mode is Mode.OBSERVE:
            spec.different((), "mode: observe: it decides and changes nothing, as strict parity has no guards")
    else:
        spec.different((), GUARDS)


def resource(name: str, container: str, goal: float, spec: Spec, path: Path, *, share: bool) -> Signal | None:
    """The signal of a resource target: percent of the requests (`share`), or an average in cores or bytes per pod."""
    if name not in RESOURCES:
        spec.lost(path, f"{name} is not measured of pods by metrics.k8s.io; only {' and '.join(RESOURCES)} are")
        return None
    signal = Signal(
        name=f"{name} of {container}" if container else name,
        resource=Resource(name),
        container=container or None,
        utilization=goal / 100 if share else None,
        per_replica=None if share else goal,
    )
    said = f"utilization: {goal:g}%" if share else f"per_replica: {goal:g}"
    spec.equal(path, f"{said}, from metrics.k8s.io, with pods that start or have no sample as the HPA takes them")
    return signal


def named(signals: Iterable[Signal | None]) -> tuple[Signal, ...]:
    """The signals that are there, each under a name of its own."""
    found: list[Signal] = []
    names: set[str] = set()
    for each in signals:
        if each is None:
            continue
        name = unique(readable(each.name), names)
        found.append(each if name == each.name else msgspec.structs.replace(each, name=name))
    return tuple(found)


def readable(name: str) -> str:
    r"""A name of somebody else as one of ours: no longer than one may be, and without what nobody sees.

    >>> print(readable("queue\u202e depth"))
    queue\x202e depth
    """
    return visible(name)[:LONGEST_NAME]


def unique(name: str, names: set[str]) -> str:
    """The name, or the first numbered one that nobody has; it is taken then.

    >>> names = {"cpu"}
    >>> unique("cpu", names), unique("cpu", names)
    ('cpu-2', 'cpu-3')
    """
    made, number = name, 1
    while made in names:
        number += 1
        made = f"{name}-{number}"
    names.add(made)
    return made


def settled(turned: Sequence[Turned], problems: list[Problem]) -> list[Turned]:
    """The same with policy names that are unique in the set; two objects on one workload are a problem."""
    names: set[str] = set()
    workloads: dict[Any, Turned] = {}
    done: list[Turned] = []
    for each in turned:
        if each.policy is None:
            done.append(each)
            continue
        aim = each.policy.target.kubernetes
        assert aim is not None
        first = workloads.setdefault((aim.namespaces, aim.full_kind, aim.name), each)
        if first is not each:
            said = (
                f"spec.scaleTargetRef: {first.source} at {first.file}:{first.line} scales {aim.kind} {aim.name} already"
            )
            problems.append(Problem(each.file, each.line, 1, said, "one workload has one policy; remove one of them"))
        name = each.policy.name if each.policy.name not in names else f"{aim.namespace}-{each.policy.name}"
        policy = msgspec.structs.replace(each.policy, name=unique(name, names))
        done.append(msgspec.structs.replace(each, policy=policy))
    return done
