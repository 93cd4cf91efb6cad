"""What a dead daemon left: operations that nobody remembers, told by the names and labels of containers."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.model.operation import Operation, OperationKind, OutcomeKind
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.compose import followers, stages
from autoscaler.targets.compose.container import FOLLOWS, Container
from autoscaler.targets.compose.followers import follows
from autoscaler.targets.compose.followers import found as found_of

LEFTOVER_S = 300.0


def left(ref: WorkloadRef, everything: Sequence[Container], now: float) -> list[Operation]:
    """The operations to go on with, of all containers of the project. A stand-in that compose makes is compose's own
    business, and who follows the container in whose network it lives is part of replacing that one.
    """
    mine = [each for each in everything if each.service == ref.name and not follows(each, everything)]
    by_short = {each.id[:12]: each for each in mine}
    found: list[Operation] = []
    replaced: set[str] = set()
    until = repr(now + LEFTOVER_S)
    for each in mine:
        if not each.replaces or not each.operation:
            continue
        old = by_short.get(each.replaces)
        first = {"first": "a daemon that died had stopped it"} if old is not None and old.leaving else {}
        facts = {"new": each.id, "name": each.final_name, "source": each.id, "ready_by": until, **first}
        facts |= followers.facts(found_of(old.id if old else each.replaces, each.id, everything))
        stage = stages.SETTLE if old is None else stages.STOP if old.draining else stages.DISCARD
        if stage == stages.DISCARD and each.state == "running":
            stage = stages.WAIT
        elif stage == stages.DISCARD:
            facts |= {"why": "a daemon that died left it half made", "end": OutcomeKind.CONFLICT.value}
        instance = old.id if old else each.replaces
        found.append(_operation(ref, OperationKind.REPLACE, stage, instance, now, facts))
        replaced.add(each.replaces)
    for each in mine:
        if each.leaving and each.id[:12] not in replaced:
            facts = {"first": "a daemon that died had stopped it", "why": "a daemon that died had begun to replace it"}
            facts |= followers.facts(found_of(each.id, "", everything))
            facts["end"] = OutcomeKind.CONFLICT.value
            found.append(_operation(ref, OperationKind.REPLACE, stages.RESTORE, each.id, now, facts))
        if each.draining and each.id[:12] not in replaced:
            found.append(_operation(ref, OperationKind.REMOVE, stages.STOP, each.id, now))
        elif each.state == "created" and each.operation and not each.replaces and not _kept(each):
            # Under the id of the operation that made it: where that one is still open, it goes on with it.
            found.append(_operation(ref, OperationKind.REMOVE, stages.SWEEP, each.id, now, id=each.operation))
    return found


def _kept(each: Container) -> bool:
    """True for one that was made because the old one was there, and was not started because that one did not run."""
    return each.operation.startswith(FOLLOWS)


def _operation(
    ref: WorkloadRef,
    kind: OperationKind,
    stage: str,
    instance: str,
    now: float,
    facts: dict[str, str] | None = None,
    *,
    id: str = "",
) -> Operation:
    return Operation(
        id=id or f"left-{instance[:12]}",
        kind=kind,
        ref=ref,
        started=now,
        deadline=now + LEFTOVER_S,
        stage=stage,
        instance=instance,
        reason="leftover",
        facts=facts or {},
    )
