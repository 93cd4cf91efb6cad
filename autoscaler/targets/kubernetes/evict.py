"""REPLACE: a pod is evicted or deleted, without a surge, because its owner puts a new one in its place at once.

Stages: begin (is it still the pod we saw, and as sick?) → evict (the one call that destroys) → settle (gone, and as
many ready as before or as are wanted).
"""

from __future__ import annotations

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Workload
from autoscaler.errors import Conflict, Gone, TargetError
from autoscaler.model.operation import BEGIN, Advanced, Operation, Outcome, OutcomeKind
from autoscaler.model.policy import Method
from autoscaler.targets.kubernetes.cache import Book
from autoscaler.targets.kubernetes.scale import failed

EVICT = "evict"
SETTLE = "settle"
LOOK_AGAIN_S = 0.5


async def replace(api: KubernetesApi, book: Book, operation: Operation, now: float) -> Advanced:
    """The next stage of a replacement, or its outcome."""
    workload = book.workloads.get(operation.ref.namespace, operation.ref.name)
    if workload is None:
        return Outcome(operation, OutcomeKind.GONE, now, f"{operation.ref.kind} {operation.ref.name} is gone")
    if operation.stage == BEGIN:
        return _begin(book, workload, operation, now)
    if operation.stage == EVICT:
        return await _evict(api, book, operation, now)
    return _settle(book, workload, operation, now)


def _begin(book: Book, workload: Workload, operation: Operation, now: float) -> Advanced:
    pod = book.instance(operation.instance)
    if pod is None or pod.draining:
        return Outcome(operation, OutcomeKind.GONE, now, "the pod is gone already, or going")
    if pod.ready and operation.unless_ready:
        return Outcome(operation, OutcomeKind.CONFLICT, now, f"pod {pod.name} is ready again and was left alone")
    served = "yes" if pod.ready else ""
    facts = {"pod": pod.name, "ready": str(book.ready(workload)), "served": served}
    return msgspec.structs.replace(operation, stage=EVICT, facts=facts)


async def _evict(api: KubernetesApi, book: Book, operation: Operation, now: float) -> Advanced:
    name = operation.facts["pod"]
    settle = msgspec.structs.replace(operation, stage=SETTLE, wait_until=now + LOOK_AGAIN_S)
    pod = book.instance(operation.instance)
    if pod is not None and pod.ready and operation.unless_ready:
        return Outcome(operation, OutcomeKind.CONFLICT, now, f"pod {name} is ready again and was left alone")
    try:
        take = api.delete if operation.method == Method.DELETE.value else api.evict
        await take(operation.ref.namespace, name, uid=operation.instance)
    except (Gone, Conflict):
        return settle  # this very pod is gone: our own first call, or somebody else's
    except TargetError as error:
        return failed(operation, error, now)
    return settle


def _settle(book: Book, workload: Workload, operation: Operation, now: float) -> Advanced:
    name, ready = operation.facts["pod"], book.ready(workload)
    taken = "deleted" if operation.method == Method.DELETE.value else "evicted"
    gone = book.instance(operation.instance) is None
    before = int(operation.facts["ready"])
    wanted = min(before if operation.facts.get("served") else before + 1, workload.spec.replicas or 0)
    if gone and ready >= wanted:
        return Outcome(operation, OutcomeKind.APPLIED, now, f"pod {name} was {taken}; {ready} ready again")
    if now >= operation.deadline:
        state = "gone" if gone else "still terminating"
        detail = f"pod {name} was {taken} and is {state}, but {ready} of {wanted} are ready"
        return Outcome(operation, OutcomeKind.FAILED, now, detail)
    return msgspec.structs.replace(operation, wait_until=now + LOOK_AGAIN_S)
