"""Operations on containers, one engine call per stage. Each may be done twice: what is done already is found done.

CREATE   begin → connect → copy → start → wait
REMOVE   begin (marked as draining) → stop → remove
REPLACE  begin → connect → copy → start → wait → drain → stop → remove → rename

A new container that cannot be had is taken away again (`discard`); one that was never started and belongs to nobody
is found by a later daemon (`sweep`).

Names are the fence: the engine gives each only once, and they tell the next daemon what was going on.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import msgspec

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.errors import Conflict, Gone, Refused, TargetError, Unreachable
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.targets.compose.clone import SECRETS, cannot, twin
from autoscaler.targets.compose.container import DRAINING, Container, container, pattern
from autoscaler.targets.compose.state import Known, counted

CONNECT, COPY, START, WAIT, DRAIN, STOP, REMOVE, RENAME, DISCARD, SWEEP = (
    "connect", "copy", "start", "wait", "drain", "stop", "remove", "rename", "discard", "sweep",
)  # fmt: skip
LOOK_S = 0.25
AGAIN_S = 1.0
MARGIN_S = 60.0
STEADY_S = 2.0  # what a container without a health check must run to be called ready
NUMBERS = 100  # how many names taken by strangers a new container steps over

# The old one is leaving and the new one in its place, or nothing of it is left to keep: only forward from here.
_NO_WAY_BACK = (STOP, REMOVE, RENAME, DISCARD)
_ENDS = {Conflict: OutcomeKind.CONFLICT, Gone: OutcomeKind.GONE, Refused: OutcomeKind.REFUSED}


class Stages:
    """Carries out stages on an engine."""

    def __init__(self, engine: DockerEngine) -> None:
        self._engine = engine
        self._plain: set[str] = set()  # containers that have no secrets to copy

    async def advance(self, operation: Operation, now: float) -> Advanced:
        """Do the operation's stage.

        An engine that does not answer is asked again until the deadline, and so is one that refuses what would end an
        operation with no way back.
        """
        try:
            return await self._stage(operation, now)
        except Unreachable as error:
            if now < operation.deadline:
                return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
            return Outcome(operation, OutcomeKind.FAILED, now, error.message)
        except TargetError as error:
            if operation.stage in _NO_WAY_BACK and not isinstance(error, Gone) and now < operation.deadline:
                return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
            if "new" in operation.facts and operation.stage in (CONNECT, COPY, START, WAIT, DRAIN):
                return _to(operation, DISCARD, why=error.message, end=_ENDS[type(error)].value)
            return Outcome(operation, _ENDS[type(error)], now, error.message)

    async def _stage(self, operation: Operation, now: float) -> Advanced:
        if operation.kind is OperationKind.REMOVE:
            return await self._remove(operation, now)
        match operation.stage:
            case "begin":
                replacing = operation.kind is OperationKind.REPLACE
                return await (self._surge if replacing else self._create)(operation, now)
            case "connect":
                return await self._connect(operation)
            case "copy":
                source = operation.facts["source"]
                if source not in self._plain and not await self._engine.copy(source, operation.facts["new"], SECRETS):
                    self._plain.add(source)
                return _to(operation, START)
            case "start":
                await self._engine.start(operation.facts["new"])
                return _to(operation, WAIT, ready_by=repr(now + operation.ready_within_s), started=repr(now))
            case "wait":
                return await self._wait(operation, now)
            case "drain":
                return await self._take_place(operation, now)
            case "rename":
                new = container(await self._engine.inspect(operation.facts["new"]))
                if new.name != operation.facts["name"]:
                    await self._engine.rename(new.id, operation.facts["name"])
                return _applied(operation, now)
            case "discard":
                await self._engine.remove(operation.facts["new"])
                return _discarded(operation, now)
            case _:
                return await self._leave(operation, now)

    # up

    async def _create(self, operation: Operation, now: float) -> Advanced:
        number = int(operation.facts["number"])
        source = await self._engine.inspect(operation.facts["source"])
        why = cannot(source, beside=True)
        if why:
            return Outcome(operation, OutcomeKind.REFUSED, now, f"the service cannot have another container: {why}")
        sibling = container(source)
        stem = pattern(sibling.project, sibling.service).search(sibling.name)
        name = f"{stem['stem'] if stem else f'{sibling.project}-{sibling.service}-'}{number}"
        try:
            return await self._make(operation, source, name, name, number, now)
        except Conflict:
            there = container(await self._engine.inspect(name))
            mine = (there.project, there.service) == (sibling.project, sibling.service)
            passed = int(operation.facts.get("passed", "0"))
            if mine or passed >= NUMBERS:
                raise
            said = operation.facts.get("said") or f"{name} is the name of a container of somebody else"
            return _to(operation, BEGIN, number=str(number + 1), passed=str(passed + 1), said=said)

    async def _surge(self, operation: Operation, now: float) -> Advanced:
        source = await self._engine.inspect(operation.instance)
        old = container(source)
        if old.draining:
            return Outcome(operation, OutcomeKind.GONE, now, f"{old.final_name} is on its way out already")
        why = cannot(source, beside=False)
        if why:
            return Outcome(operation, OutcomeKind.REFUSED, now, f"a new one cannot run beside the sick one: {why}")
        return await self._make(operation, source, f"{old.id[:12]}_{old.final_name}", old.final_name, old.number, now)

    async def _make(
        self, operation: Operation, source: dict[str, object], name: str, final: str, number: int, now: float
    ) -> Advanced:
        """Create the twin under this name, or find the one this operation created before."""
        image = await self._image(source)
        made = twin(source, final, number, image=image, operation=operation.id)
        try:
            new = await self._engine.create(name, made.body)
        except Conflict:
            try:
                there = container(await self._engine.inspect(name))
            except Gone:
                if now >= operation.deadline:
                    raise
                return msgspec.structs.replace(operation, wait_until=now + LOOK_S)  # its maker is not done yet
            if there.operation != operation.id:
                raise
            new = there.id
        networks = msgspec.json.encode(made.networks).decode()
        return _to(operation, CONNECT, new=new, name=final, source=str(source["Id"]), networks=networks)

    async def _image(self, source: dict[str, object]) -> str:
        """The tag while it still means the sibling's image; else that image's id: never new image with old settings."""
        config = source["Config"]
        assert isinstance(config, dict)
        tag = str(config["Image"])
        return tag if await self._engine.image_id(tag) == source["Image"] else str(source["Image"])

    async def _connect(self, operation: Operation) -> Advanced:
        """One more of the networks besides the first; all of them before the start."""
        networks = msgspec.json.decode(operation.facts["networks"], type=list[tuple[str, dict[str, Any]]])
        done = int(operation.facts.get("connected", "0"))
        if done < len(networks):
            network, endpoint = networks[done]
            await self._engine.connect(operation.facts["new"], network, endpoint)
            done += 1
        return _to(operation, COPY if done >= len(networks) else CONNECT, connected=str(done))

    async def _wait(self, operation: Operation, now: float) -> Advanced:
        new = container(await self._engine.inspect(operation.facts["new"]))
        if new.ready and _steady(new, operation, now):
            replacing = operation.kind is OperationKind.REPLACE
            return _to(operation, DRAIN) if replacing else _applied(operation, now, _made(operation))
        if new.state in ("exited", "dead"):
            return _to(operation, DISCARD, why=f"it ended with exit code {new.exit_code}")
        if now >= float(operation.facts["ready_by"]):
            health = f", health: {new.health}" if new.health else ""
            return _to(operation, DISCARD, why=f"not ready within {operation.ready_within_s:g} s ({new.state}{health})")
        return msgspec.structs.replace(operation, wait_until=now + LOOK_S)

    # down

    async def _take_place(self, operation: Operation, now: float) -> Advanced:
        """Mark the old one as leaving: from here on the new one counts. Unless the old one is well again."""
        try:
            old = container(await self._engine.inspect(operation.instance))
            if not old.draining and old.ready:
                return _to(operation, DISCARD, why="the sick container is well again", end=OutcomeKind.CONFLICT.value)
            if not old.draining:
                await self._engine.rename(old.id, f"{DRAINING}{old.final_name}")
        except Gone:
            return _to(operation, RENAME)
        grace = repr(float(old.stop_timeout))
        return msgspec.structs.replace(_to(operation, STOP, grace=grace), wait_until=now + operation.drain_s)

    async def _remove(self, operation: Operation, now: float) -> Advanced:
        try:
            if operation.stage == BEGIN:
                old = container(await self._engine.inspect(operation.instance))
                if not old.draining:
                    await self._engine.rename(old.id, f"{DRAINING}{old.final_name}")
                marked = _to(operation, STOP, grace=repr(float(old.stop_timeout)))
                return msgspec.structs.replace(marked, wait_until=now + operation.drain_s)
            if operation.stage == SWEEP:
                left = container(await self._engine.inspect(operation.instance))
                if left.state != "created":
                    return Outcome(operation, OutcomeKind.CONFLICT, now, f"{left.name} was started by somebody else")
                return _to(operation, REMOVE)
            return await self._leave(operation, now)
        except Gone:
            return _applied(operation, now, "it was gone already")

    async def _leave(self, operation: Operation, now: float) -> Advanced:
        """Stop, then remove the old one; one that is gone already is fine."""
        if operation.stage == STOP:
            grace = operation.stop_within_s
            grace = float(operation.facts.get("grace", "10")) if grace is None else grace
            with contextlib.suppress(Gone):
                await self._engine.stop(operation.instance, max(1, round(grace)))
            return _to(operation, REMOVE)
        await self._engine.remove(operation.instance)
        return _to(operation, RENAME) if operation.kind is OperationKind.REPLACE else _applied(operation, now)


def split(operation: Operation, containers: Sequence[Container], known: Known, now: float) -> Advanced:
    """A count as one operation per container: new ones by free numbers, leaving ones the sick first."""
    present = counted(containers, known)
    more = operation.count - len(present)
    if more == 0:
        return Outcome(operation, OutcomeKind.APPLIED, now, count=operation.count)
    if more < 0:
        leaving = victims(present, operation.sick)[:-more]
        return Split(tuple(_part(operation, OperationKind.REMOVE, each.id[:12], instance=each.id) for each in leaving))
    source = pattern_source(present)
    if source is None:
        why = "there is no container left to make another one like"
        return Outcome(operation, OutcomeKind.REFUSED, now, why)
    taken = {each.number for each in containers}
    free = [number for number in range(1, len(taken) + more + 1) if number not in taken][:more]
    facts = {"source": source.id}
    return Split(tuple(_part(operation, OperationKind.CREATE, str(n), facts={**facts, "number": str(n)}) for n in free))


def pattern_source(present: Sequence[Container]) -> Container | None:
    """The container others are made like: one that serves, the newest."""
    return max(present, key=lambda each: (each.ready, each.state == "running", each.created), default=None)


def victims(present: Sequence[Container], sick: Sequence[str]) -> list[Container]:
    """Who goes first: not running, unhealthy, still starting, unlike the others, and then the highest number."""
    makes = [(each.config_hash, each.image) for each in present]

    def order(each: Container) -> tuple[bool, int, bool, int]:
        illness = {"unhealthy": 1, "starting": 2}.get(each.health, 3) if each.state == "running" else 0
        unlike = makes.count((each.config_hash, each.image)) * 2 < len(makes)
        return each.id not in sick, illness, not unlike, -each.number

    return sorted(present, key=order)


def _part(
    whole: Operation, kind: OperationKind, mark: str, *, instance: str = "", facts: dict[str, str] | None = None
) -> Operation:
    lasts = whole.ready_within_s + whole.drain_s + (whole.stop_within_s or MARGIN_S) + MARGIN_S
    return msgspec.structs.replace(
        whole,
        id=f"{whole.id}-{mark}",
        kind=kind,
        stage=BEGIN,
        instance=instance,
        deadline=whole.started + lasts,
        facts=facts or {},
    )


def _to(operation: Operation, stage: str, **facts: str) -> Operation:
    return msgspec.structs.replace(operation, stage=stage, wait_until=0.0, facts={**operation.facts, **facts})


def _steady(new: Container, operation: Operation, now: float) -> bool:
    """Without a health check only its running on shows that a new one serves."""
    ran_s = now - float(operation.facts.get("started", "0"))
    return bool(new.health) or (not new.restarts and ran_s >= min(STEADY_S, operation.ready_within_s))


def _applied(operation: Operation, now: float, detail: str = "") -> Outcome:
    return Outcome(operation, OutcomeKind.APPLIED, now, detail)


def _made(operation: Operation) -> str:
    """What there is to say about a new container: that it could not have the name it was meant to have."""
    said = operation.facts.get("said", "")
    return f"{said}, so the new one is {operation.facts['name']}" if said else ""


def _discarded(operation: Operation, now: float) -> Outcome:
    kind = OutcomeKind(operation.facts.get("end", OutcomeKind.FAILED.value))
    return Outcome(operation, kind, now, f"the new container was taken away again: {operation.facts.get('why', '')}")
