"""Rules of targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoscaler.model.policy import ComposeTarget, KubernetesTarget, Placed, PlacedCleanup, Policy
from autoscaler.model.policy.target import BUILT_IN, EVERY
from autoscaler.policy.convert import Fault


def compose(target: ComposeTarget) -> Iterator[Fault]:
    """A project is a name, or all of them."""
    if EVERY in target.project and target.project != EVERY:
        said = f'expected a project\'s name, or "*" for every project, got {target.project}'
        yield ("project",), said, "a part of a name cannot be given; labels can, by selector"
    if target.service is not None and EVERY in target.service:
        yield ("service",), f"expected a service's name, got {target.service}", "several services are found by selector"


def kubernetes(target: KubernetesTarget) -> Iterator[Fault]:
    """Namespaces are names or all of them, a workload has a name or labels, and a custom kind its group and version."""
    for namespace in target.namespaces:
        if EVERY in namespace and target.namespace != EVERY:
            said = f'expected a namespace\'s name, or "*" for every namespace, got {namespace}'
            yield ("namespace",), said, "a part of a name cannot be given; labels can, by selector"
    if not target.namespaces:
        yield ("namespace",), "expected at least one namespace, got an empty list", 'name them, or write "*"'
    if target.name is not None and EVERY in target.name:
        yield ("name",), f"expected a workload's name, got {target.name}", "several workloads are found by selector"
    if target.apiVersion is None and target.kind not in BUILT_IN:
        said = f"needs apiVersion beside it: {target.kind} is none of {', '.join(BUILT_IN)}"
        yield ("kind",), said, "add apiVersion: GROUP/VERSION, as its manifests have it"


def steered(policy: Policy) -> tuple[str, ...] | None:
    """The one workload a policy names, for finding two policies on it; None for a selector and for processes."""
    compose, kubernetes = policy.target.compose, policy.target.kubernetes
    if compose is not None and policy.target.explicit:
        engine = () if compose.engine is None else (f"engine {compose.engine}",)
        return ("compose", *engine, compose.project, compose.service or "")
    if kubernetes is not None and policy.target.explicit:
        return ("kubernetes", *kubernetes.namespaces, kubernetes.full_kind, kubernetes.name or "")
    return None


def twice(
    placed: Sequence[Placed], cleanups: Sequence[PlacedCleanup] = ()
) -> Iterator[tuple[Placed | PlacedCleanup, str, str]]:
    """Policies that have a name or a workload which an earlier one has, with a sentence and a hint; clean-ups too."""
    yield from _named_twice(placed, cleanups)
    workloads: dict[tuple[str, ...], Placed] = {}
    for each in placed:
        workload = steered(each.policy)
        if workload is None:
            continue
        first = workloads.setdefault(workload, each)
        if first is not each:
            said = (
                f"target: policy {first.policy.name} at {first.file}:{first.line} steers {'/'.join(workload)} already"
            )
            yield each, said, "one workload has one policy; put both into one"


def _named_twice(
    placed: Sequence[Placed], cleanups: Sequence[PlacedCleanup]
) -> Iterator[tuple[Placed | PlacedCleanup, str, str]]:
    names: dict[str, Placed | PlacedCleanup] = {}
    everything: list[Placed | PlacedCleanup] = [*placed, *cleanups]
    for each in everything:
        name = each.policy.name if isinstance(each, Placed) else each.cleanup.name
        first = names.setdefault(name, each)
        if first is not each:
            said = f"name: there is another policy named {name} at {first.file}:{first.line}"
            yield each, said, "names are unique in the set"
