"""REPLACE by a rollout restart: the owner replaces all its pods by its own strategy, as kubectl does.

Stages: begin (can it roll, and is the pod still there?) → restart (the one call; made twice it says the same) → taken
(the owner's wish is seen here: from then on it is a rollout, and nothing is recycled until that is over).
"""

from __future__ import annotations

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Workload
from autoscaler.clock import text
from autoscaler.errors import TargetError
from autoscaler.model.operation import BEGIN, Advanced, Operation, Outcome, OutcomeKind
from autoscaler.targets.kubernetes.cache import Book
from autoscaler.targets.kubernetes.scale import failed

RESTART = "restart"
TAKEN = "taken"
LOOK_AGAIN_S = 0.5
ROLLS = ("Deployment", "StatefulSet")


async def restart(api: KubernetesApi, book: Book, operation: Operation, now: float) -> Advanced:
    """The next stage of a rollout restart, or its outcome."""
    ref = operation.ref
    workload = book.workloads.get(ref.namespace, ref.name)
    if workload is None:
        return Outcome(operation, OutcomeKind.GONE, now, f"{ref.kind} {ref.name} is gone")
    if operation.stage == BEGIN:
        pod, why = book.instance(operation.instance), cannot(book.kind.name, workload)
        if pod is None or pod.draining:
            return Outcome(operation, OutcomeKind.GONE, now, "the pod is gone already, or going")
        if why:
            return Outcome(operation, OutcomeKind.REFUSED, now, f"a rollout restart is out of the question: {why}")
        return msgspec.structs.replace(operation, stage=RESTART)
    if operation.stage == RESTART:
        try:
            generation = await api.restart(book.kind.resource, ref.namespace, ref.name, at=text(operation.started))
        except TargetError as error:
            return failed(operation, error, now)
        return msgspec.structs.replace(operation, stage=TAKEN, facts={"generation": str(generation)})
    if workload.metadata.generation >= int(operation.facts["generation"]):
        return Outcome(operation, OutcomeKind.APPLIED, now, f"{ref.kind} {ref.name} replaces all its pods (restarted)")
    if now >= operation.deadline:
        return Outcome(operation, OutcomeKind.FAILED, now, "the restart was ordered, and nothing was seen of it")
    return msgspec.structs.replace(operation, wait_until=now + LOOK_AGAIN_S)


def cannot(kind: str, workload: Workload) -> str:
    """Why nothing would move, or everything at once; empty where all goes as it should."""
    if kind not in ROLLS:
        return f"a {kind} does not roll"
    if workload.spec.paused:
        return "its rollouts are paused (kubectl rollout resume)"
    if workload.spec.strategy.type == "Recreate":
        return "its strategy is Recreate, which ends all its pods before it makes others"
    rolling = workload.spec.update_strategy.rolling_update
    if rolling is not None and rolling.partition > 0:
        return f"its updateStrategy has a partition of {rolling.partition}: pods below it stay as they are"
    return "its updateStrategy is OnDelete" if workload.spec.update_strategy.type == "OnDelete" else ""
