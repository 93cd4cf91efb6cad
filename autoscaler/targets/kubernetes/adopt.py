"""ADOPT: another autoscaler of a workload is put away, because the policy says so; what it was goes on record.

An HPA is deleted, a ScaledObject is paused as KEDA has it. One that comes back is somebody's doing and left alone.
Stages: begin (what is it? nothing is lost before that is on record) → put away.
"""

from __future__ import annotations

from typing import Any

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import PAUSED, Partial
from autoscaler.errors import Gone, TargetError
from autoscaler.model.operation import BEGIN, Advanced, Operation, Outcome, OutcomeKind
from autoscaler.targets.kubernetes.cache import Book
from autoscaler.targets.kubernetes.others import RESOURCES, SCALED_OBJECT
from autoscaler.targets.kubernetes.scale import failed

PUT_AWAY = "put away"
KEPT = ("apiVersion", "kind", "spec")
NAMED = ("name", "namespace", "labels", "annotations")

Adopted = set[tuple[str, str, str]]  # kind, namespace and name


async def adopt(api: KubernetesApi, book: Book, operation: Operation, adopted: Adopted, now: float) -> Advanced:
    """The next stage of an adoption, or its outcome. `adopted` is what was put away before."""
    try:
        if operation.stage == BEGIN:
            return await _begin(api, book, operation, adopted, now)
        return await _put_away(api, book, operation, adopted, now)
    except Gone:
        return Outcome(operation, OutcomeKind.GONE, now, "the other autoscaler is gone already")
    except TargetError as error:
        return _with_what_it_was(failed(operation, error, now))


async def _begin(api: KubernetesApi, book: Book, operation: Operation, adopted: Adopted, now: float) -> Advanced:
    ref = operation.ref
    workload = book.workloads.get(ref.namespace, ref.name)
    found = book.others(workload) if workload is not None else []
    if not found:
        return Outcome(operation, OutcomeKind.GONE, now, "the other autoscaler is gone already")
    kind, meta = found[0]
    if (kind, meta.namespace, meta.name) in adopted:
        said = f"{kind} {meta.name} came back after it was put away: take it out of what makes it"
        return Outcome(operation, OutcomeKind.REFUSED, now, said)
    whole = await api.get(RESOURCES[kind], meta.namespace, meta.name, dict[str, Any])
    kept = {key: whole[key] for key in KEPT if key in whole}
    kept["metadata"] = {key: whole["metadata"][key] for key in NAMED if key in whole["metadata"]}
    was = msgspec.json.encode(kept).decode()
    facts = {"kind": kind, "name": meta.name, "uid": whole["metadata"]["uid"], "was": was}
    return msgspec.structs.replace(operation, stage=PUT_AWAY, facts=facts)


async def _put_away(api: KubernetesApi, book: Book, operation: Operation, adopted: Adopted, now: float) -> Advanced:
    facts, namespace = operation.facts, operation.ref.namespace
    kind, name, uid = facts["kind"], facts["name"], facts["uid"]
    if kind == SCALED_OBJECT:
        pause = {"metadata": {"uid": uid, "annotations": {PAUSED: "true"}}}
        await api.merge(RESOURCES[kind], namespace, name, pause, Partial)
        done = f"{kind} {name} is paused by its annotation {PAUSED}"
    else:
        try:
            await api.delete(namespace, name, uid=uid, resource=RESOURCES[kind])
            done = f"{kind} {name} is deleted; it was {facts['was']}"
        except Gone:  # by an earlier call of ours whose answer was lost, as far as anybody can tell
            done = f"{kind} {name} is gone by now; it was {facts['was']}"
    book.gone_other(kind, uid)
    adopted.add((kind, namespace, name))
    return Outcome(operation, OutcomeKind.APPLIED, now, done)


def _with_what_it_was(after: Advanced) -> Advanced:
    """An outcome with what the other autoscaler was, where a call went unanswered: that one may have landed."""
    if not isinstance(after, Outcome) or not {"was", "tries"} <= set(after.operation.facts):
        return after
    said = f"{after.detail}; should it be gone, it was {after.operation.facts['was']}"
    return msgspec.structs.replace(after, detail=said)
