"""What the types alone cannot say: rules across keys and across policies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from autoscaler.model.policy import Policy, Rate, Replicas, Signal, TargetSpec, When
from autoscaler.policy.placeholders import WORDS, used

Path = tuple[str | int, ...]
Fault = tuple[Path, str, str]  # where below the struct, what, hint

_SOURCES = ("prometheus", "scrape")
_GOALS = ("per_replica", "value", "utilization")
_PLATFORMS = tuple(TargetSpec.__struct_fields__)


def faults(struct: object) -> Iterator[Fault]:
    """What is wrong with one struct of a policy as a whole."""
    rule = _RULES.get(type(struct))
    if rule is not None:
        yield from rule(struct)


def steered(policy: Policy) -> tuple[str, ...] | None:
    """What a policy's target is, for finding two policies on one workload; None where it is nobody else's."""
    target = policy.target
    if target.compose is not None:
        return ("compose", target.compose.project, target.compose.service)
    if target.kubernetes is not None:
        return ("kubernetes", target.kubernetes.namespace, target.kubernetes.kind, target.kubernetes.name)
    return None


def _written(struct: object, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if getattr(struct, name) is not None]


def _target(target: TargetSpec) -> Iterator[Fault]:
    platforms = _written(target, _PLATFORMS)
    if len(platforms) != 1:
        said = f"expected exactly one of {', '.join(_PLATFORMS)}, got {' and '.join(platforms) or 'none'}"
        yield (), said, "write one policy per workload"


def _replicas(replicas: Replicas) -> Iterator[Fault]:
    if replicas.max < replicas.min:
        said = f"must be at least replicas.min ({replicas.min}), got {replicas.max}"
        yield ("max",), said, "raise max, or lower min"


def _signal(signal: Signal) -> Iterator[Fault]:
    sources = _written(signal, _SOURCES)
    if len(sources) != 1:
        said = f"expected exactly one source of {', '.join(_SOURCES)}, got {' and '.join(sources) or 'none'}"
        yield (), said, "keep one; a second signal may have the other" if sources else "add prometheus: QUERY"
    goals = _written(signal, _GOALS)
    if len(goals) != 1:
        said = f"expected exactly one goal of {', '.join(_GOALS)}, got {' and '.join(goals) or 'none'}"
        yield (), said, "keep one" if goals else "add per_replica: the load one replica should carry"


def _rate(rate: Rate) -> Iterator[Fault]:
    ways = _written(rate, ("replicas", "percent"))
    if len(ways) != 1:
        got = " and ".join(ways) or "none"
        yield (), f"expected exactly one of replicas, percent, got {got}", "two limits are two rates"


def _when(when: When) -> Iterator[Fault]:
    if not _written(when, when.__struct_fields__):
        yield (), "expected at least one cause, got none", "add unhealthy_for: 30s"


def _policy(policy: Policy) -> Iterator[Fault]:
    if policy.replicas is None and policy.signals:
        yield (), "replicas is missing: signals need bounds", "add replicas: {min: 1, max: 10}"
    if policy.replicas is None and not policy.signals and policy.recycle is None:
        yield (), "this policy does nothing", "add replicas and signals, or recycle"
    seen: set[str] = set()
    platforms = _written(policy.target, _PLATFORMS)
    for index, signal in enumerate(policy.signals):
        path: Path = ("signals", index)
        if signal.name in seen:
            yield (*path, "name"), f"there is another signal named {signal.name}", "names are unique in a policy"
        seen.add(signal.name)
        if signal.scrape is not None and signal.scrape.port is None and "process" not in platforms:
            yield (*path, "scrape"), "port is missing", "add port: the one the instances serve their metrics on"
        if signal.prometheus is not None and len(platforms) == 1:
            yield from _placeholders(platforms[0], signal.prometheus, (*path, "prometheus"))


def _placeholders(platform: str, query: str, path: Path) -> Iterator[Fault]:
    known = WORDS[platform]
    for word in dict.fromkeys(used(query)):
        if word not in known:
            fits = " ".join(f"{{{each}}}" for each in known)
            yield path, f"{{{word}}} stands for nothing with a {platform} target", f"known here: {fits}"


_RULES: dict[type, Callable[[Any], Iterator[Fault]]] = {
    Policy: _policy,
    Rate: _rate,
    Replicas: _replicas,
    Signal: _signal,
    TargetSpec: _target,
    When: _when,
}
