"""What to say of a workload that cannot be steered as it is named."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from autoscaler.clients.kubernetes_wire import OwnerReference
from autoscaler.model.target import WorkloadRef

NAMED = 8  # how many of a namespace's workloads a message names


def absent(ref: WorkloadRef, names: Sequence[str], namespaces: Collection[str] = (), *, listed: bool = False) -> str:
    """What to say of a workload that is not there, given the names of those that are, and the namespaces known of:
    all there are where they were `listed`.

    >>> absent(WorkloadRef("kubernetes", "shop", "Deployment", "wep"), ["api", "web"])
    'Deployment shop/wep does not exist; did you mean web? shop has: api, web'
    >>> absent(WorkloadRef("kubernetes", "shpo", "Deployment", "web"), [])
    'Deployment shpo/web does not exist; shpo has no Deployment at all: is the namespace right?'
    """
    said = f"{ref.kind} {ref.namespace}/{ref.name} does not exist"
    if not names and listed and ref.namespace in namespaces:
        return f"{said}; {ref.namespace} has no {ref.kind} at all"
    if not names:
        wrong = misplaced(ref.namespace, namespaces, listed=listed)
        return f"{said}; {wrong or f'{ref.namespace} has no {ref.kind} at all: is the namespace right?'}"
    near = difflib.get_close_matches(ref.name, names, n=1)
    meant = f" did you mean {near[0]}?" if near else ""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{said};{meant} {ref.namespace} has: {', '.join(names[:NAMED])}{more}"


def misplaced(namespace: str, namespaces: Collection[str], *, listed: bool) -> str:
    """What to say of a namespace that may be misspelt, given those known of; empty where it may well be meant so.

    >>> misplaced("shpo", ["shop", "pay"], listed=True)
    'there is no namespace shpo: did you mean shop?'
    >>> misplaced("shpo", ["shop"], listed=False)
    'is the namespace shpo right? did you mean shop?'
    >>> misplaced("fruit", ["shop"], listed=False), misplaced("shop", ["shop"], listed=True)
    ('', '')
    """
    if namespace in namespaces:
        return ""
    near = difflib.get_close_matches(namespace, sorted(namespaces), n=1)
    meant = f"did you mean {near[0]}?" if near else ""
    if listed:
        return f"there is no namespace {namespace}" + (f": {meant}" if meant else "")
    return f"is the namespace {namespace} right? {meant}" if meant else ""


def steered_by(ref: WorkloadRef, owner: OwnerReference) -> str:
    """What to say of a workload whose count another one sets.

    >>> owner = OwnerReference(uid="u", name="web", kind="Deployment", controller=True)
    >>> steered_by(WorkloadRef("kubernetes", "shop", "ReplicaSet", "web-5d"), owner)
    'ReplicaSet shop/web-5d belongs to Deployment web, which sets its count: name kind: Deployment, name: web instead'
    """
    said = f"{ref.kind} {ref.namespace}/{ref.name} belongs to {owner.kind} {owner.name}, which sets its count"
    return f"{said}: name kind: {owner.kind}, name: {owner.name} instead"
