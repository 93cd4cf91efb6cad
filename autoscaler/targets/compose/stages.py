"""Operations on containers, one engine call per stage. Each may be done twice: what is done already is found done.

CREATE   begin → connect → copy → start → wait, or begin → compose where only the compose program can
REMOVE   begin (marked as draining) → tell → stop → remove
REPLACE  begin → connect → copy → start → wait → join → drain → tell → quit → stop → remove → settle → rename
         begin (marked as leaving) → tell → quit → stop → make → connect → copy → start → wait → join → remove → settle
         → rename

The second is for two that cannot run side by side (a fixed port or address): the old one stops first, and is kept until
the new one is ready. Where that never is, the old one gets its name back (`restore`) and is started again (`restart`).
`join`, `quit` and `settle` are of containers that live in its network and follow (`followers`).
Only where a policy has `before_stop` is an instance told. A new container that cannot be had is taken away again
(`discard`); one that was never started and belongs to nobody is found by a later daemon (`sweep`).

Names are the fence: the engine gives each only once, and they tell the next daemon what was going on.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clients.http_probe import HttpProbe
from autoscaler.errors import Conflict, Gone, Refused, TargetError, Unreachable
from autoscaler.model.decision import Reason
from autoscaler.model.operation import BEGIN, Advanced, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.targets.compose import followers, turns
from autoscaler.targets.compose.clone import cannot, twin
from autoscaler.targets.compose.container import DRAINING, LEAVING, Container, container, pattern
from autoscaler.targets.compose.declared import declared
from autoscaler.targets.compose.maker import SPEC, Maker
from autoscaler.targets.turns import first, to

COMPOSE, CONNECT, COPY, START, WAIT, DRAIN, TELL, STOP, REMOVE, RENAME, DISCARD, SWEEP = (
    "compose", "connect", "copy", "start", "wait", "drain", "tell", "stop", "remove", "rename", "discard", "sweep",
)  # fmt: skip
MAKE, RESTORE, RESTART = "make", "restore", "restart"
JOIN, QUIT, SETTLE = "join", "quit", "settle"
LOOK_S = 0.25
AGAIN_S = 1.0
NUMBERS = 100  # how many names taken by strangers a new container steps over

# The old one is leaving and the new one in its place, or nothing of it is left to keep: only forward from here.
_NO_WAY_BACK = (TELL, QUIT, STOP, REMOVE, SETTLE, RENAME, DISCARD, RESTORE, RESTART)
_BUILDING = (CONNECT, COPY, START, WAIT, JOIN, DRAIN)
_ENDS = {Conflict: OutcomeKind.CONFLICT, Gone: OutcomeKind.GONE, Refused: OutcomeKind.REFUSED}


class Stages:
    """Carries out stages on an engine."""

    def __init__(self, engine: DockerEngine, maker: Maker) -> None:
        self._engine = engine
        self._maker = maker
        self._followers = followers.Followers(engine, maker)
        self._choosing = asyncio.Lock()  # of two that share a network only one begins, and the other sees its mark
        self._probe = HttpProbe()

    async def advance(self, operation: Operation, now: float) -> Advanced:
        """Do the operation's stage.

        An engine that does not answer is asked again until the deadline, and so is one that refuses what would end an
        operation with no way back.
        """
        try:
            return await self._stage(operation, now)
        except Unreachable as error:
            if now < operation.deadline or first(operation):  # it must come back, however long that takes
                return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
            return Outcome(operation, OutcomeKind.FAILED, now, error.message)
        except TargetError as error:
            if operation.stage in _NO_WAY_BACK and not isinstance(error, Gone) and now < operation.deadline:
                return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
            if "new" in operation.facts and operation.stage in _BUILDING:
                return to(operation, DISCARD, why=error.message, end=_ENDS[type(error)].value)
            if operation.stage == MAKE:
                return to(operation, RESTORE, why=error.message, end=_ENDS[type(error)].value)
            return Outcome(operation, _ENDS[type(error)], now, error.message)

    async def close(self) -> None:
        """Close what instances are told with; the engine is somebody else's."""
        await self._probe.close()

    async def _stage(self, operation: Operation, now: float) -> Advanced:
        if operation.kind is OperationKind.REMOVE:
            return await self._remove(operation, now)
        match operation.stage:
            case "begin":
                replacing = operation.kind is OperationKind.REPLACE
                return await (self._surge if replacing else self._create)(operation, now)
            case "compose":
                await self._maker.compose(operation)
                return turns.applied(operation, now, operation.facts["said"])
            case "connect":
                return await self._connect(operation)
            case "copy":
                copied = await self._maker.fill(operation)
                return to(operation, START, **({"copied": copied} if copied else {}))
            case "start":
                await self._engine.start(operation.facts["new"])
                return to(operation, WAIT, ready_by=repr(now + operation.ready_within_s), started=repr(now))
            case "wait":
                return await self._wait(operation, now)
            case "join":
                return await self._followers.join(operation, now) or to(
                    operation, REMOVE if first(operation) else DRAIN
                )
            case "drain":
                return await self._take_place(operation, now)
            case "quit":
                return await self._followers.quit(operation, mark=first(operation)) or to(operation, STOP)
            case "settle":
                return await self._followers.settle(operation) or to(operation, RENAME)
            case "rename":
                new = container(await self._engine.inspect(operation.facts["new"]))
                if new.name != operation.facts["name"]:
                    await self._engine.rename(new.id, operation.facts["name"])
                return turns.applied(operation, now, turns.made(operation))
            case "discard":
                if (more := await self._followers.discard(operation)) is not None:
                    return more
                await self._engine.remove(operation.facts["new"])
                return to(operation, RESTORE) if first(operation) else turns.discarded(operation, now)
            case "make":
                return await self._build(operation, now)
            case "restore" | "restart":
                return await self._back(operation, now)
            case _:
                return await self._leave(operation, now)

    # up

    async def _create(self, operation: Operation, now: float) -> Advanced:
        if "place" in operation.facts:
            return to(operation, COMPOSE)
        number = int(operation.facts["number"])
        source = await self._maker.source(operation)
        why = cannot(source, beside=True)
        only = bool(why) and "only" in operation.facts
        if why and not only:
            return Outcome(operation, OutcomeKind.REFUSED, now, f"the service cannot have another container: {why}")
        if operation.facts["source"] == SPEC and "said" not in operation.facts:
            operation = to(operation, BEGIN, said=await self._maker.said(operation))
        sibling = container(source)
        stem = pattern(sibling.project, sibling.service).search(sibling.name)
        name = f"{stem['stem'] if stem else f'{sibling.project}-{sibling.service}-'}{number}"
        if only and stem is None:
            name = sibling.final_name
        try:
            return await self._make(operation, source, name, name, number, now)
        except Conflict:
            there = container(await self._engine.inspect(name))
            mine = (there.project, there.service) == (sibling.project, sibling.service)
            passed = int(operation.facts.get("passed", "0"))
            if mine or passed >= NUMBERS:
                raise
            taken = operation.facts.get("taken") or name
            return to(operation, BEGIN, number=str(number + 1), passed=str(passed + 1), taken=taken)

    async def _surge(self, operation: Operation, now: float) -> Advanced:
        source = await self._maker.source(operation)
        old = container(source)
        if old.draining:
            return Outcome(operation, OutcomeKind.GONE, now, f"{old.final_name} is on its way out already")
        file = await declared(source["Config"].get("Labels") or {}, old.service)
        if file is not None and file.hooks:
            said = f"its compose file has {' and '.join(file.hooks)}, which only compose itself runs"
            return Outcome(operation, OutcomeKind.REFUSED, now, f"nothing can take its place: {said}")
        async with self._choosing:
            try:
                those = await self._followers.of(old)
            except Conflict:
                if now >= operation.deadline:
                    raise
                return msgspec.structs.replace(operation, wait_until=now + AGAIN_S)
            if those or old.lives_in:
                operation = to(operation, BEGIN, **followers.facts(those))
                return await self._instead(operation, source, old, now)
        return await self._instead(operation, source, old, now)

    async def _instead(self, operation: Operation, source: dict[str, Any], old: Container, now: float) -> Advanced:
        """Make the new one, or where two cannot run side by side mark the old one as leaving."""
        alone = cannot(source, beside=False)
        if not alone and not old.leaving:
            return await self._build(operation, now)
        if operation.surge:
            said = f"how: surge, but a new one cannot run beside the old one: {alone}"
            return Outcome(operation, OutcomeKind.REFUSED, now, said)
        well = operation.unless_ready and old.ready
        if old.leaving and well:  # marked by this very stage, and no further
            return to(operation, RESTORE, first=alone, why="it is well again", end=OutcomeKind.CONFLICT.value)
        if well:
            return Outcome(operation, OutcomeKind.CONFLICT, now, "the sick container is well again")
        if not old.leaving:
            await self._maker.image(await self._pattern(operation, source))  # what cannot be made stops nothing
            await self._engine.rename(old.id, f"{LEAVING}{old.final_name}")
        ran = "yes" if old.state in ("running", "restarting", "paused") else "no"
        return turns.leaving(to(operation, STOP, first=alone, ran=operation.facts.get("ran", ran)), old, now)

    async def _pattern(self, operation: Operation, old: dict[str, Any]) -> dict[str, Any]:
        """What the new one is made like: the old one, with a newer image or configuration where that is the reason."""
        if operation.reason == Reason.CONFIG_CHANGED.value:
            return await self._maker.newest(old)
        return await self._maker.renewed(old) if operation.reason == Reason.IMAGE_CHANGED.value else old

    async def _build(self, operation: Operation, now: float) -> Advanced:
        """Make the new one under a name that says whose place it is to take."""
        source = await self._maker.source(operation)
        old = container(source)
        like = await self._pattern(operation, source)
        return await self._make(operation, like, f"{old.id[:12]}_{old.final_name}", old.final_name, old.number, now)

    async def _back(self, operation: Operation, now: float) -> Advanced:
        """The old one has its place again: its name first, then it runs, where it did."""
        if operation.stage == RESTORE:
            old = container(await self._engine.inspect(operation.instance))
            if old.leaving:
                await self._engine.rename(old.id, old.final_name)
            return to(operation, RESTART)
        if operation.facts.get("ran") != "no":
            await self._engine.start(operation.instance)
        if (more := await self._followers.back(operation)) is not None:
            return more
        return turns.discarded(operation, now)

    async def _make(
        self, operation: Operation, source: dict[str, object], name: str, final: str, number: int, now: float
    ) -> Advanced:
        """Create the twin under this name, or find the one this operation created before."""
        image = await self._maker.image(source)
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
        like = operation.facts.get("source") or str(source["Id"])
        return to(operation, CONNECT, new=new, name=final, source=like, networks=networks)

    async def _connect(self, operation: Operation) -> Advanced:
        """One more of the networks besides the first; all of them before the start."""
        networks = msgspec.json.decode(operation.facts["networks"], type=list[tuple[str, dict[str, Any]]])
        done = int(operation.facts.get("connected", "0"))
        if done < len(networks):
            network, endpoint = networks[done]
            await self._engine.connect(operation.facts["new"], network, endpoint)
            done += 1
        return to(operation, COPY if done >= len(networks) else CONNECT, connected=str(done))

    async def _wait(self, operation: Operation, now: float) -> Advanced:
        new = container(await self._engine.inspect(operation.facts["new"]))
        if new.ready and turns.steady(new, operation, now):
            if operation.kind is not OperationKind.REPLACE:
                return turns.applied(operation, now, turns.made(operation))
            if followers.children(operation):
                return to(operation, JOIN, follow_by=repr(now + operation.ready_within_s))
            return to(operation, REMOVE if first(operation) else DRAIN)
        if new.state in ("exited", "dead"):
            return to(operation, DISCARD, why=f"it ended with exit code {new.exit_code}")
        if now >= float(operation.facts["ready_by"]):
            health = f", health: {new.health}" if new.health else ""
            return to(operation, DISCARD, why=f"not ready within {operation.ready_within_s:g} s ({new.state}{health})")
        return msgspec.structs.replace(operation, wait_until=now + LOOK_S)

    # down

    async def _take_place(self, operation: Operation, now: float) -> Advanced:
        """Mark the old one as leaving: from here on the new one counts. Unless the old one is well again."""
        try:
            old = container(await self._engine.inspect(operation.instance))
            if operation.unless_ready and not old.draining and old.ready:
                return to(operation, DISCARD, why="the sick container is well again", end=OutcomeKind.CONFLICT.value)
            if not old.draining:
                await self._engine.rename(old.id, f"{DRAINING}{old.final_name}")
        except Gone:
            return to(operation, SETTLE if followers.children(operation) else RENAME)
        return turns.leaving(operation, old, now)

    async def _tell(self, operation: Operation, now: float) -> Advanced:
        """Tell the instance that it is about to leave. One that does not hear leaves all the same."""
        url = operation.facts.get("url", "")
        failed = await self._probe.tell(url) if url else "it has no address"
        said = f"before_stop: POST {url or operation.before_stop}: {failed}" if failed else ""
        told = to(operation, STOP, **({"untold": said} if said else {}))
        return msgspec.structs.replace(told, wait_until=now + operation.drain_s)

    async def _remove(self, operation: Operation, now: float) -> Advanced:
        try:
            if operation.stage == BEGIN:
                old = container(await self._engine.inspect(operation.instance))
                if not old.draining:
                    await self._engine.rename(old.id, f"{DRAINING}{old.final_name}")
                return turns.leaving(operation, old, now)
            if operation.stage == SWEEP:
                left = container(await self._engine.inspect(operation.instance))
                if left.state != "created":
                    return Outcome(operation, OutcomeKind.CONFLICT, now, f"{left.name} was started by somebody else")
                return to(operation, REMOVE)
            return await self._leave(operation, now)
        except Gone:
            return turns.applied(operation, now, "it was gone already")

    async def _leave(self, operation: Operation, now: float) -> Advanced:
        """Tell, stop, then remove the old one; one that is gone already is fine."""
        if operation.stage == TELL:
            return await self._tell(operation, now)
        if operation.stage == STOP and followers.waiting(operation):
            return to(operation, QUIT)  # they leave before it, while it still has its network
        if operation.stage == STOP:
            grace = operation.stop_within_s
            grace = float(operation.facts.get("grace", "10")) if grace is None else grace
            with contextlib.suppress(Gone):
                await self._engine.stop(operation.instance, max(1, round(grace)))
            return to(operation, MAKE if first(operation) else REMOVE)
        await self._engine.remove(operation.instance)
        return (
            to(operation, SETTLE if followers.children(operation) else RENAME)
            if operation.kind is OperationKind.REPLACE
            else turns.applied(operation, now, turns.made(operation))
        )
