"""Rules of a policy as a whole, and of the parts that are neither target, signal nor window."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.model.policy import Algorithm, Behavior, Fallback, Objective, Parity, Policy, Replicas, ZeroIf
from autoscaler.policy.convert import Fault
from autoscaler.policy.rules.query import placeholders
from autoscaler.policy.rules.shape import ONE_OF, written
from autoscaler.policy.rules.signal import GOALS
from autoscaler.policy.units import duration
from autoscaler.policy.words import Path, nearest

LONGEST_EVERY_S = 60.0  # between two readings that adaptive can draw a line across

# Platforms that give nobody CPU and memory, with the reason.
_UNMEASURED = {
    "process": "does not go with a process target: nothing measures single workers",
}


def policy(policy: Policy) -> Iterator[Fault]:
    """What a policy needs to do anything."""
    if policy.replicas is None and policy.signals:
        yield (), "replicas is missing: signals need bounds", "add replicas: {min: 1, max: 10}"
    if policy.replicas is None and not policy.signals and policy.recycle is None:
        yield (), "this policy does nothing", "add replicas and signals, or recycle"
    behavior = policy.behavior
    if policy.parity is Parity.STRICT and isinstance(behavior, Behavior) and behavior.reversals is not None:
        said = "does not go with parity: strict, which has no guards"
        yield ("behavior", "reversals"), said, "remove one of the two"


def adaptive(policy: Policy) -> Iterator[Fault]:
    """What goes with `algorithm: adaptive`, acted on or compared, and with it only."""
    objective, key = policy.objective, "algorithm" if policy.algorithm is Algorithm.ADAPTIVE else "compare"
    if policy.compare is policy.algorithm:
        other = next(each.value for each in Algorithm if each is not policy.algorithm)
        said = f"must be another than algorithm, which is {policy.algorithm.value}"
        yield ("compare",), said, f"compare: {other}, or remove it"
    if Algorithm.ADAPTIVE not in (policy.algorithm, policy.compare):
        if objective is not None:
            yield ("objective",), "does nothing without algorithm: adaptive", "add algorithm: adaptive, or remove it"
        return
    if policy.parity is Parity.STRICT:
        yield (key,), "does not go with parity: strict, which is the HPA as it is", "remove one of the two"
    if policy.every is not None and policy.every > LONGEST_EVERY_S:
        said = f"must be at most {duration(LONGEST_EVERY_S)} with {key}: adaptive, got {duration(policy.every)}"
        yield ("every",), said, "it learns from what comes every 15 s"


def objective(objective: Objective) -> Iterator[Fault]:
    """A latency, a share, or both; each with what belongs to it."""
    latency, service, share = objective.latency, objective.service_time, ("good", "total", "target")
    said = written(objective, share)
    if latency is None and not said:
        yield (), "expected latency, or good, total and target, got none", "add latency: 300ms"
    for key in share:
        if said and key not in said:
            yield (key,), f"is missing beside {' and '.join(said)}", "a share needs good, total and target: 99.9%"
    if service is not None and latency is None:
        yield ("service_time",), "does nothing without latency", "add latency: 300ms, or remove it"
    if service is not None and latency is not None and latency <= service:
        said_too = f"must be more than service_time ({duration(service)}), got {duration(latency)}"
        yield ("latency",), said_too, "no number of replicas answers faster than an idle one"


def named(policy: Policy) -> Iterator[Fault]:
    """Signals that others name are there, and one without a goal is named by another."""
    known = {signal.name for signal in policy.signals}
    uses: list[tuple[Path, str]] = [
        (("signals", index, key), getattr(signal, key))
        for index, signal in enumerate(policy.signals)
        for key in written(signal, ("busy", "served"))
    ]
    aim = policy.objective or Objective()
    uses += [(("objective", key), name) for key, name in (("good", aim.good), ("total", aim.total)) if name is not None]
    for path, name in uses:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else "add a signal of that name; it needs no goal"
            yield path, f"there is no signal named {name}", hint
    told = {name for _, name in uses}
    for index, signal in enumerate(policy.signals):
        path = ("signals", index)
        if not signal.votes and signal.wake_above is None and signal.name not in told:
            said = f"expected exactly one goal of {', '.join(GOALS)}, or only wake_above, got none"
            yield path, said, "add per_replica: the load one replica should carry"
        for key in written(signal, ("busy", "served")):
            if getattr(signal, key) == signal.name:
                yield (*path, key), "names the signal itself", "name another, which needs no goal"


def signals(policy: Policy) -> Iterator[Fault]:
    """The signals of a policy beside each other and beside its target and bounds."""
    names: set[str] = set()
    platforms = written(policy.target, ONE_OF[type(policy.target)][0])
    for index, signal in enumerate(policy.signals):
        path: Path = ("signals", index)
        if signal.name in names:
            yield (*path, "name"), f"there is another signal named {signal.name}", "names are unique in a policy"
        names.add(signal.name)
        if signal.scrape is not None and signal.scrape.port is None and "process" not in platforms:
            yield (*path, "scrape"), "port is missing", "add port: the one the instances serve their metrics on"
        if len(platforms) == 1:
            if signal.resource is not None and platforms[0] in _UNMEASURED:
                yield (*path, "resource"), _UNMEASURED[platforms[0]], "ask prometheus, or scrape the instances"
            if signal.container is not None and platforms[0] != "kubernetes":
                said = f"does not go with a {platforms[0]} target: an instance there is one container"
                yield (*path, "container"), said, "remove it"
            if signal.prometheus is not None:
                yield from placeholders(platforms[0], signal.prometheus, (*path, "prometheus"))
            if signal.push is not None:
                yield from placeholders(platforms[0], signal.push.match, (*path, "push", "match"))
            if isinstance(signal.empty, ZeroIf):
                yield from placeholders(platforms[0], signal.empty.zero_if, (*path, "empty", "zero_if"))
        if signal.wake_above is not None and policy.idle is None:
            said = "does nothing without idle: there is nothing to wake from"
            yield (*path, "wake_above"), said, "add idle: {after: 10m}, or remove it"
        if policy.replicas is not None:
            counts = {"at_most": signal.at_most}
            if isinstance(signal.failed, Fallback):
                counts["failed.at_least"] = signal.failed.at_least
            for key, count in counts.items():
                yield from _inside(policy.replicas, count, (*path, *key.split(".")))


def idle(policy: Policy) -> Iterator[Fault]:
    """What idle needs: bounds to go below, and something to wake by. Every platform so far can go to zero."""
    idle, replicas = policy.idle, policy.replicas
    if idle is None:
        return
    if replicas is None:
        yield ("idle",), "needs replicas: it goes below their minimum", "add replicas: {min: 1, max: 10}"
    elif idle.replicas >= replicas.min:
        said = f"must be less than replicas.min ({replicas.min}), got {idle.replicas}"
        yield ("idle", "replicas"), said, "lower it, or raise replicas.min"
    if all(signal.wake_above is None for signal in policy.signals):
        said = "needs a signal with wake_above: without one it would sleep for ever"
        yield ("idle",), said, "add wake_above: 0 to a signal that is there while nothing runs"


def replicas(replicas: Replicas) -> Iterator[Fault]:
    """Bounds in their order."""
    if replicas.max < replicas.min:
        said = f"must be at least replicas.min ({replicas.min}), got {replicas.max}"
        yield ("max",), said, "raise max, or lower min"


def lifecycle(policy: Policy) -> Iterator[Fault]:
    """What a platform cannot do, or needs to be told more exactly."""
    said, target = policy.lifecycle, policy.target
    if target.kubernetes is not None:
        hint = "write it into the pod's own preStop hook and terminationGracePeriodSeconds"
        for key in ("before_stop", "drain"):
            if getattr(said, key):
                why = "does not go with a kubernetes target: the cluster chooses the pod and ends it in one go"
                yield ("lifecycle", key), why, hint
    if target.compose is not None and said.before_stop is not None and not said.before_stop.http.startswith(":"):
        yield ("lifecycle", "before_stop", "http"), f"port is missing, got {said.before_stop.http}", ":8000/drain"


def _inside(replicas: Replicas, count: int | None, path: Path) -> Iterator[Fault]:
    if count is not None and not replicas.min <= count <= replicas.max:
        said = f"must be within replicas ({replicas.min} to {replicas.max}), got {count}"
        yield path, said, "the bounds are law; a wish outside of them means nothing"
