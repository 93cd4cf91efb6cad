"""Containers that live in another one's network (`network_mode: service:…`) and follow when that one is replaced.

Each gets a twin in the network of the new one, under a name that says whose place it is to take, as any stand-in. What
is done to them is done one engine call at a time, and each may be done twice: the list of them is a fact of the
operation, so another daemon goes on from it; `found` makes it from names and labels where no memory is left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence

import msgspec

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.errors import Conflict, Gone, Refused
from autoscaler.model.operation import Operation
from autoscaler.targets.compose import turns
from autoscaler.targets.compose.clone import twin
from autoscaler.targets.compose.container import (
    DRAINING,
    FOLLOWS,
    LEAVING,
    ONEOFF,
    PROJECT,
    Container,
    container,
    lives_in,
)
from autoscaler.targets.compose.declared import declared
from autoscaler.targets.compose.maker import Maker

CHILDREN = "children"
LOOK_S = 0.25


class Child(msgspec.Struct, frozen=True):
    """One that follows: its id and final name, its twin, and how far that one or the old one is.

    `ran` and `well` are of the old one at the beginning: what did not run is made and not started, what was not well
    is not waited for without end.
    """

    id: str
    name: str
    new: str = ""
    ran: bool = True
    well: bool = True
    at: str = ""  # made copied started ready · marked stopped · gone named


def children(operation: Operation) -> list[Child]:
    """Who follows in this operation."""
    return msgspec.json.decode(operation.facts.get(CHILDREN, "[]"), type=list[Child])


def facts(those: Sequence[Child]) -> dict[str, str]:
    """The fact that keeps them; none for nobody."""
    return {CHILDREN: msgspec.json.encode(those).decode()} if those else {}


def ids(operation: Operation) -> list[str]:
    """Every container of theirs, old and new: what happens to these is our doing."""
    return [id for each in children(operation) for id in (each.id, each.new) if id]


def waiting(operation: Operation) -> bool:
    """True while some of the old ones were not stopped yet."""
    return any(each.at != "stopped" for each in children(operation))


class Followers:
    """Moves those who follow, one call at a time: each gives the operation again, or None where all are there."""

    def __init__(self, engine: DockerEngine, maker: Maker) -> None:
        self._engine = engine
        self._maker = maker

    async def of(self, old: Container) -> list[Child]:
        """Who lives in its network. Raises Refused where one cannot follow, Conflict while one is just being
        replaced itself, or this one is about to follow another.
        """
        if await self._host_moves(old):
            raise Conflict("the container in whose network it lives is just being replaced, and it follows")
        listed = await self._engine.containers([])
        modes = {str(each["Id"]): lives_in((each.get("HostConfig") or {}).get("NetworkMode")) for each in listed}
        inside = [each for each in listed if modes[str(each["Id"])] == old.id]
        found: list[Child] = []
        for each in inside:
            labels, name = each.get("Labels") or {}, str(each["Names"][0]).lstrip("/")
            if labels.get(PROJECT) != old.project or labels.get(ONEOFF) == "True":
                raise Refused(f"{name} would lose its network (network_mode), and compose did not make it")
            if each["Id"] in modes.values():
                raise Refused(f"{name} would lose its network (network_mode), and so would others that live in it")
            one = container(await self._engine.inspect(str(each["Id"])))
            file = await declared(labels, one.service)
            if file is not None and file.hooks:
                said = f"its compose file has {' and '.join(file.hooks)}, which only compose itself runs"
                raise Refused(f"{name} would lose its network (network_mode), and cannot follow: {said}")
            if one.draining or one.leaving or one.replaces:
                raise Conflict(f"{one.final_name}, which lives in its network, is just being replaced itself")
            ran = one.state in ("running", "restarting", "paused")
            found.append(Child(one.id, one.name, ran=ran, well=one.ready))
        return found

    async def _host_moves(self, one: Container) -> bool:
        """True while the container whose network this one uses is being replaced: it follows then."""
        if not one.lives_in:
            return False
        listed = await self._engine.containers([f"{PROJECT}={one.project}"])
        names = {str(each["Id"]): str(each["Names"][0]).lstrip("/") for each in listed}
        host = names.get(one.lives_in, "")
        marked = host.startswith((DRAINING, LEAVING))
        return marked or any(name.startswith(f"{one.lives_in[:12]}_") for name in names.values())

    async def join(self, operation: Operation, now: float) -> Operation | None:
        """Their twins are made in the new one's network, and run. Raises Refused where one is not ready in time."""
        for at, each in enumerate(those := children(operation)):
            match each.at:
                case "" | "stopped":
                    made = await self._make(operation, each)
                    return _put(operation, those, at, made)
                case "made":
                    told = {"new": each.new, "source": each.id}
                    await self._maker.fill(msgspec.structs.replace(operation, instance="", facts=told))
                    return _put(operation, those, at, msgspec.structs.replace(each, at="copied"))
                case "copied" if each.ran:
                    await self._engine.start(each.new)
                    started = msgspec.structs.replace(operation, facts={**operation.facts, "started": repr(now)})
                    return _put(started, those, at, msgspec.structs.replace(each, at="started"))
        for at, each in enumerate(those):
            if each.at == "started":
                if await self._ready(operation, each, now):
                    return _put(operation, those, at, msgspec.structs.replace(each, at="ready"))
                return msgspec.structs.replace(operation, wait_until=now + LOOK_S)
        return None

    async def quit(self, operation: Operation, *, mark: bool) -> Operation | None:
        """The old ones stop; with `mark` their names say so first: they come back where there is no new one."""
        for at, each in enumerate(those := children(operation)):
            if each.at == "stopped":
                continue
            with contextlib.suppress(Gone):
                if mark and each.at == "" and each.ran:
                    await self._renamed(each.id, f"{LEAVING}{each.name}")
                    return _put(operation, those, at, msgspec.structs.replace(each, at="marked"))
                one = container(await self._engine.inspect(each.id))
                await self._engine.stop(each.id, one.stop_timeout)
            return _put(operation, those, at, msgspec.structs.replace(each, at="stopped"))
        return None

    async def settle(self, operation: Operation) -> Operation | None:
        """The old ones are gone, and the new ones have their names."""
        for at, each in enumerate(those := children(operation)):
            if each.at not in ("gone", "named"):
                await self._engine.remove(each.id)
                return _put(operation, those, at, msgspec.structs.replace(each, at="gone"))
            if each.at == "gone":
                if each.new:
                    await self._renamed(each.new, each.name)
                return _put(operation, those, at, msgspec.structs.replace(each, at="named"))
        return None

    async def discard(self, operation: Operation) -> Operation | None:
        """The twins are taken away again."""
        for at, each in enumerate(those := children(operation)):
            if each.new:
                await self._engine.remove(each.new)
                return _put(operation, those, at, msgspec.structs.replace(each, new="", at=""))
        return None

    async def back(self, operation: Operation) -> Operation | None:
        """The old ones have their names again and run, in the network of the old one that runs again."""
        for at, each in enumerate(those := children(operation)):
            if each.at == "back":
                continue
            with contextlib.suppress(Gone):
                await self._renamed(each.id, each.name)
                if each.ran:
                    await self._engine.start(each.id)
            return _put(operation, those, at, msgspec.structs.replace(each, at="back"))
        return None

    async def _make(self, operation: Operation, child: Child) -> Child:
        """The twin, or the one made before; who is gone by now follows nobody."""
        try:
            record = await self._engine.inspect(child.id)
        except Gone:
            return msgspec.structs.replace(child, ran=False, at="ready")
        host = dict(record["HostConfig"])
        for key in ("NetworkMode", "IpcMode", "PidMode"):
            if lives_in(host.get(key)) == operation.instance:
                host[key] = f"container:{operation.facts['new']}"
        record = {**record, "HostConfig": host}
        image, number = await self._maker.image(record), container(record).number
        label, name = f"{FOLLOWS}{operation.id}", f"{child.id[:12]}_{child.name}"
        body = twin(record, child.name, number, image=image, operation=label).body
        try:
            new = await self._engine.create(name, body)
        except Conflict:
            there = container(await self._engine.inspect(name))
            if there.operation != label:
                raise
            new = there.id
        return msgspec.structs.replace(child, new=new, at="made")

    async def _ready(self, operation: Operation, child: Child, now: float) -> bool:
        """True where it serves, or has been waited for long enough without having served before."""
        one = container(await self._engine.inspect(child.new))
        if one.ready and turns.steady(one, operation, now):
            return True
        late = now >= float(operation.facts["follow_by"])
        if not child.well and (late or one.state in ("exited", "dead")):
            return True
        if one.state in ("exited", "dead"):
            raise Refused(f"{child.name}, which lives in its network, ended with exit code {one.exit_code}")
        if late:
            raise Refused(
                f"{child.name}, which lives in its network, was not ready within {operation.ready_within_s:g} s"
            )
        return False

    async def _renamed(self, id: str, name: str) -> None:
        if container(await self._engine.inspect(id)).name != name:
            await self._engine.rename(id, name)


def found(old: str, new: str, everything: Collection[Container]) -> list[Child]:
    """Who follows from the container `old` to the one called `new` (empty: none yet), by what is there now."""
    twins = {e.replaces: e for e in everything if new and e.lives_in == new and e.operation.startswith(FOLLOWS)}
    twins.pop("", None)
    inside = [each for each in everything if each.lives_in[:12] == old[:12] and each.lives_in]
    those = [
        Child(each.id, each.final_name, ran=each.state == "running" or each.leaving, well=False, **_at(each, twins))
        for each in inside
    ]
    return those + [Child(short, each.final_name, each.id, at="ready") for short, each in twins.items()]


def follows(one: Container, everything: Collection[Container]) -> bool:
    """True where what is open about this container is part of replacing the one in whose network it lives."""
    if not one.lives_in:
        return False
    host = next((each for each in everything if each.id == one.lives_in), None)
    if host is not None and (host.leaving or host.draining or host.replaces):
        return True
    return any(each.replaces == one.lives_in[:12] for each in everything)


def _at(old: Container, twins: dict[str, Container]) -> dict[str, str]:
    """How far it is: a twin that was made but not started is filled again, which does no harm."""
    there = twins.pop(old.id[:12], None)
    if there is not None:
        return {"new": there.id, "at": "made" if there.state == "created" else "started"}
    return {"at": "stopped"} if old.leaving and old.state != "running" else {"at": "marked" if old.leaving else ""}


def _put(operation: Operation, those: list[Child], at: int, child: Child) -> Operation:
    """The operation with one of them further; at once."""
    changed = [*those[:at], child, *those[at + 1 :]]
    return msgspec.structs.replace(operation, wait_until=0.0, facts={**operation.facts, **facts(changed)})
