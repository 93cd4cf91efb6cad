"""SCALE: one compare-and-set on /scale; where that fails, one look at what stands there and who put it."""

from __future__ import annotations

import msgspec

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import Scale, Workload, Written
from autoscaler.errors import Conflict, Gone, TargetError, Unreachable
from autoscaler.model.operation import BEGIN, Advanced, Operation, Outcome, OutcomeKind
from autoscaler.targets.kubernetes.kinds import Kind
from autoscaler.targets.kubernetes.writers import OURS, known_as, owner

LOOK = "look"
PAUSE_S = 1.0
PAUSE_MOST_S = 15.0


async def order(api: KubernetesApi, kind: Kind, operation: Operation, now: float) -> tuple[Advanced, Scale | None]:
    """Make the one call: the outcome (with what stands there now), or what to do next."""
    ref = operation.ref
    try:
        scale = await api.set_scale(
            kind.resource,
            ref.namespace,
            ref.name,
            count=operation.count,
            before=operation.before,
            version=operation.version,
        )
    except Conflict:
        return msgspec.structs.replace(operation, stage=LOOK), None
    except TargetError as error:
        return failed(operation, error, now), None
    detail = f"{operation.before} → {operation.count} ordered"
    return Outcome(operation, OutcomeKind.APPLIED, now, detail, count=scale.spec.replicas), scale


async def look(api: KubernetesApi, kind: Kind, operation: Operation, now: float) -> Advanced:
    """Why the compare failed: our own order had landed before its answer was lost, or somebody else was faster."""
    ref = operation.ref
    try:
        if kind.custom:  # where its count is, only its /scale knows
            found: Workload | Written = await api.get(kind.resource, ref.namespace, ref.name, Written)
            count = (await api.get_scale(kind.resource, ref.namespace, ref.name)).spec.replicas
        else:
            found = whole = await api.get(kind.resource, ref.namespace, ref.name, Workload)
            count = whole.spec.replicas or 0
    except TargetError as error:
        return failed(operation, error, now)
    if count == operation.count:
        return Outcome(operation, OutcomeKind.APPLIED, now, f"{count} was ordered already", count=count)
    if count == operation.before and operation.before == 0:
        # The version moves with every change of status: the count is still the one we decided from.
        return msgspec.structs.replace(operation, stage=BEGIN, version=found.metadata.resource_version)
    name = owner(found) or "somebody"
    by = "another autoscaler" if name == OURS else known_as(name)
    detail = f"{by} set {count} while {operation.before} → {operation.count} was on its way; nothing changed"
    return Outcome(operation, OutcomeKind.CONFLICT, now, detail)


def failed(operation: Operation, error: TargetError, now: float) -> Advanced:
    """The same stage again, later, where asking again may help and there is time; else the outcome."""
    if isinstance(error, Gone):
        return Outcome(operation, OutcomeKind.GONE, now, error.message)
    if not isinstance(error, Unreachable):
        return Outcome(operation, OutcomeKind.REFUSED, now, str(error))
    tries = int(operation.facts.get("tries", "0"))
    pause = min(PAUSE_MOST_S, PAUSE_S * 2.0**tries) if error.retry_after_s is None else error.retry_after_s
    if now + pause >= operation.deadline:
        return Outcome(operation, OutcomeKind.FAILED, now, str(error))
    facts = {**operation.facts, "tries": str(tries + 1)}
    return msgspec.structs.replace(operation, wait_until=now + pause, facts=facts)
