"""A count as one operation per container: which leave, what the new ones are made like, and what cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.targets.compose.container import VERSION, Container
from autoscaler.targets.compose.declared import Declared
from autoscaler.targets.compose.maker import SPEC
from autoscaler.targets.compose.specs import Spec
from autoscaler.targets.compose.state import Known, counted

MARGIN_S = 60.0
AGAIN_S = 0.5
WAY_OUT = "what compose makes has the daemon's environment, not that of whoever ran compose first"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is carried out by: the service's containers, and what else is known of it.

    `project` are all containers of the project; `labels` are of any of them, for where its files are. `busy` says
    that other hands are making or taking away containers just now.
    """

    mine: Sequence[Container]
    project: Sequence[Container] = ()
    spec: Spec | None = None
    file: Declared | None = None
    labels: Mapping[str, str] = {}
    busy: bool = False
    own: str = ""  # the container this daemon runs in


def split(operation: Operation, look: Look, known: Known, now: float) -> Advanced:
    """The order's parts, or why there are none; the order again where it has to wait a little."""
    present = counted(look.mine, known)
    more = operation.count - len(present)
    if more == 0:
        return Outcome(operation, OutcomeKind.APPLIED, now, count=operation.count)
    if look.own and any(each.id.startswith(look.own) for each in look.mine):
        return _refused(operation, now, "this is the service that the autoscaler itself runs in")
    if more < 0:
        return _fewer(operation, look, victims(present, operation.sick, _hosts(look))[:-more], now)
    if look.busy:
        if now >= operation.deadline:
            return Outcome(
                operation, OutcomeKind.CONFLICT, now, "somebody goes on making or taking away containers of the project"
            )
        return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
    if not present and operation.before > 0:
        return Outcome(operation, OutcomeKind.CONFLICT, now, "somebody took all its containers away meanwhile")
    return _more(operation, look, present, more, now)


def _fewer(operation: Operation, look: Look, leaving: Sequence[Container], now: float) -> Advanced:
    if look.file is not None and "pre_stop" in look.file.hooks:
        said = "its compose file has pre_stop, which only compose itself runs; lifecycle.before_stop is our word for it"
        return _refused(operation, now, said)
    hosts = _hosts(look)
    for each in leaving:
        if each.id in hosts:
            said = f"{hosts[each.id]} would lose its network with {each.final_name} (network_mode)"
            return _refused(operation, now, said)
    return Split(tuple(_part(operation, OperationKind.REMOVE, each.id[:12], now, instance=each.id) for each in leaving))


def _more(operation: Operation, look: Look, present: Sequence[Container], more: int, now: float) -> Advanced:
    source = pattern_source(present) or (None if look.spec is not None else pattern_source(look.mine))
    hooks = look.file.hooks if look.file is not None else ()
    if hooks or (source is None and look.spec is None):
        return _by_compose(operation, look, more, hooks, now)
    taken = {each.number for each in look.mine}
    free = [number for number in range(1, len(taken) + more + 1) if number not in taken][:more]
    facts = {"source": source.id if source is not None else SPEC}
    parts = [
        _part(operation, OperationKind.CREATE, str(n), now, facts={**facts, "number": str(n), **_only(present, at)})
        for at, n in enumerate(free)
    ]
    return Split(tuple(parts))


def _only(present: Sequence[Container], at: int) -> dict[str, str]:
    """Marks the first of a service that has none: it may have what only one container can have."""
    return {"only": "yes"} if not present and at == 0 else {}


def _by_compose(operation: Operation, look: Look, more: int, hooks: Sequence[str], now: float) -> Advanced:
    """One part for the compose program; it counts every container of the service, whatever it does."""
    if hooks:
        why = f"its compose file has {' and '.join(hooks)}, which only compose itself runs"
    else:
        why = "there is no container left to make another one like, and none is remembered"
    if look.file is None:
        return _refused(operation, now, f"{why}; the project's compose file cannot be read here")
    if any(each.draining for each in look.mine):
        return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
    facts = {
        "place": msgspec.json.encode(look.file.place).decode(),
        "scale": str(len(look.mine) + more),
        "first": "yes" if look.labels.get(VERSION, "").startswith("1.") else "no",
        "said": f"made by the compose program: {why}; {WAY_OUT}",
    }
    return Split((_part(operation, OperationKind.CREATE, "compose", now, facts=facts),))


def pattern_source(present: Sequence[Container]) -> Container | None:
    """The container others are made like: one that serves, the newest."""
    return max(present, key=lambda each: (each.ready, each.state == "running", each.created), default=None)


def victims(present: Sequence[Container], sick: Sequence[str], hosts: Mapping[str, str] = {}) -> list[Container]:
    """Who goes first: not running, unhealthy, still starting, unlike the others, and then the highest number.

    Those in whose network others live (`hosts`) go last.
    """
    makes = [(each.config_hash, each.image) for each in present]

    def order(each: Container) -> tuple[bool, bool, int, bool, int]:
        illness = {"unhealthy": 1, "starting": 2}.get(each.health, 3) if each.state == "running" else 0
        unlike = makes.count((each.config_hash, each.image)) * 2 < len(makes)
        return each.id in hosts, each.id not in sick, illness, not unlike, -each.number

    return sorted(present, key=order)


def _hosts(look: Look) -> dict[str, str]:
    """Containers in whose network others live, and the name of one of those."""
    return {each.lives_in: each.name for each in look.project if each.lives_in}


def _refused(operation: Operation, now: float, why: str) -> Outcome:
    return Outcome(operation, OutcomeKind.REFUSED, now, why)


def _part(
    whole: Operation,
    kind: OperationKind,
    mark: str,
    now: float,
    *,
    instance: str = "",
    facts: dict[str, str] | None = None,
) -> Operation:
    lasts = whole.ready_within_s + whole.drain_s + (whole.stop_within_s or MARGIN_S) + MARGIN_S
    return msgspec.structs.replace(
        whole,
        id=f"{whole.id}-{mark}",
        kind=kind,
        stage=BEGIN,
        wait_until=0.0,
        instance=instance,
        deadline=max(whole.started, now) + lasts,
        facts=facts or {},
    )
