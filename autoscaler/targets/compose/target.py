"""Compose services: state from the engine's list, kept fresh by its events; operations by cloning a sibling."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.errors import Gone, TargetError, Unreachable
from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.compose import stages
from autoscaler.targets.compose.container import ONEOFF, OPERATION, PROJECT, SERVICE, Container, container
from autoscaler.targets.compose.state import Known, state
from autoscaler.targets.naming import named

EVENTS = ("create", "start", "die", "oom", "destroy", "health_status", "pause", "unpause", "rename", "stop")
RESYNC_S = 60.0
AGAIN_S = 1.0
LEFTOVER_S = 300.0
PATIENCE_S = 5.0  # what one look at a project may take

_HEALTH = ("healthy", "unhealthy", "health: starting")


class ComposeTarget:
    """The services of compose projects on one engine."""

    def __init__(self, engine: DockerEngine, clock: Clock, *, instance: str = "default") -> None:
        self._engine = engine
        self._clock = clock
        self._instance = instance
        self._stages = stages.Stages(engine)
        self._known = Known()
        self._refs: dict[tuple[str, str], WorkloadRef] = {}
        self._cache: dict[str, tuple[str, Container]] = {}  # id → what the list said, and the inspected container
        self._fresh_at = 0.0
        self._listening = False
        self._ours: set[str] = set()  # containers that our open operations stop, until they are gone
        self._foreign: dict[str, float] = {}  # workload → when other hands created or destroyed last

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        """The services these policies name, present or not."""
        found = [(named(each, self._instance), each) for each in policies if each.target.compose is not None]
        self._refs = {(ref.namespace, ref.name): ref for ref, _ in found}
        return found

    async def states(self, refs: Sequence[WorkloadRef]) -> list[TargetState | Missing]:
        """How each service stands now, from one list of all its project's containers."""
        projects = dict.fromkeys(ref.namespace for ref in refs)
        found: dict[str, list[Container] | TargetError] = {}
        for project in projects:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    found[project] = await self._containers(project)
            except TimeoutError:
                found[project] = Unreachable(f"the Docker engine gave no answer within {PATIENCE_S:g} s")
            except TargetError as error:
                found[project] = error
        now = self._clock.now()
        states: list[TargetState | Missing] = []
        for ref in refs:
            seen = found[ref.namespace]
            if isinstance(seen, TargetError):
                states.append(Missing(MissingWhy.FAILED, seen.message))
                continue
            mine = [each for each in seen if each.service == ref.name]
            for each in mine:
                self._known.look(each, now)
            states.append(state(ref, mine, self._known, now=now, foreign_at=self._foreign.get(ref.key)))
        return states

    async def advance(self, operation: Operation) -> Advanced:
        """Make the operation's next call."""
        now = self._clock.now()
        if operation.instance and operation.stage in (stages.STOP, stages.REMOVE):
            self._ours.add(operation.instance)
        elif operation.stage == stages.DISCARD:
            self._ours.add(operation.facts["new"])
        if operation.kind is not OperationKind.SCALE:
            return await self._stages.advance(operation, now)
        try:
            everything = await self._containers(operation.ref.namespace)
        except TargetError as error:
            return Outcome(operation, OutcomeKind.FAILED, now, error.message)
        mine = [each for each in everything if each.service == operation.ref.name]
        return stages.split(operation, mine, self._known, now)

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Services with news from the engine; all of them after it was away."""
        while True:
            try:
                async with contextlib.aclosing(await self._engine.events(EVENTS)) as stream:
                    self._listening = True
                    self._cache.clear()
                    for ref in list(self._refs.values()):
                        yield ref
                    async for event in stream:
                        about = self._told(event)
                        if about is not None:
                            yield about
            except TargetError:
                pass  # the states say that the engine is away
            finally:
                self._listening = False
            await self._clock.sleep(AGAIN_S)

    async def leftovers(self, refs: Sequence[WorkloadRef]) -> list[Operation]:
        """Operations that nobody remembers, told by the names and labels of what they left. Raises TargetError."""
        found: list[Operation] = []
        for project in dict.fromkeys(ref.namespace for ref in refs):
            everything = await self._containers(project)
            for ref in refs:
                if ref.namespace == project:
                    found += self._left(ref, [each for each in everything if each.service == ref.name])
        return found

    async def close(self) -> None:
        """Let go of the engine."""
        await self._engine.close()

    # looking

    async def _containers(self, project: str) -> list[Container]:
        """Every container of a project's services; only those are inspected that changed since the last look."""
        listed = await self._engine.containers([f"{PROJECT}={project}", f"{ONEOFF}=False"])
        if not self._listening or self._clock.monotonic() - self._fresh_at > RESYNC_S:
            self._cache.clear()
            self._fresh_at = self._clock.monotonic()
        marks = {str(each["Id"]): _mark(each) for each in listed}
        # Events empty the cache while we wait for the engine: what is returned must not lose a container by that.
        found = {id: each for id, (mark, each) in self._cache.items() if marks.get(id) == mark}
        stale = [id for id in marks if id not in found]
        inspected = await asyncio.gather(*map(self._inspect, stale))
        for id, fresh in zip(stale, inspected, strict=True):
            if fresh is not None:
                found[id] = fresh
                self._cache[id] = marks[id], fresh
        return [found[id] for id in marks if id in found]

    async def _inspect(self, id: str) -> Container | None:
        try:
            return container(await self._engine.inspect(id))
        except Gone:
            self._cache.pop(id, None)
            return None

    def _told(self, event: dict[str, object]) -> WorkloadRef | None:
        """Note what an event says about a container; the workload it is about, if it is one of ours."""
        actor = event.get("Actor")
        told = actor if isinstance(actor, dict) else {}
        id, labels, action = str(told.get("ID", "")), told.get("Attributes") or {}, str(event.get("Action", ""))
        self._cache.pop(id, None)
        ref = self._refs.get((labels.get(PROJECT, ""), labels.get(SERVICE, "")))
        if ref is None:
            return None
        if action == "stop" and id not in self._ours:
            self._known.stopped.add(id)
        elif action == "start":
            self._known.stopped.discard(id)
        elif action == "destroy":
            if id not in self._ours:
                self._foreign[ref.key] = self._clock.now()
            self._ours.discard(id)
        elif action == "create" and not labels.get(OPERATION):
            self._foreign[ref.key] = self._clock.now()
        return ref

    # what a dead daemon left

    def _left(self, ref: WorkloadRef, mine: Sequence[Container]) -> list[Operation]:
        by_short = {each.id[:12]: each for each in mine}
        found: list[Operation] = []
        replaced: set[str] = set()
        now = repr(self._clock.now() + LEFTOVER_S)
        for each in mine:
            if not each.replaces:
                continue
            old = by_short.get(each.replaces)
            facts = {"new": each.id, "name": each.final_name, "source": each.id, "ready_by": now}
            stage = stages.RENAME if old is None else stages.STOP if old.draining else stages.DISCARD
            if stage == stages.DISCARD and each.state == "running":
                stage = stages.WAIT
            elif stage == stages.DISCARD:
                facts |= {"why": "a daemon that died left it half made", "end": OutcomeKind.CONFLICT.value}
            found.append(self._operation(ref, OperationKind.REPLACE, stage, old.id if old else each.replaces, facts))
            replaced.add(each.replaces)
        for each in mine:
            if each.draining and each.id[:12] not in replaced:
                found.append(self._operation(ref, OperationKind.REMOVE, stages.STOP, each.id, {}))
            elif each.state == "created" and each.operation and not each.replaces:
                # Under the id of the operation that made it: where that one is still open, it goes on with it.
                sweep = self._operation(ref, OperationKind.REMOVE, stages.SWEEP, each.id, {}, id=each.operation)
                found.append(sweep)
        return found

    def _operation(
        self, ref: WorkloadRef, kind: OperationKind, stage: str, instance: str, facts: dict[str, str], *, id: str = ""
    ) -> Operation:
        now = self._clock.now()
        return Operation(
            id=id or f"left-{instance[:12]}",
            kind=kind,
            ref=ref,
            started=now,
            deadline=now + LEFTOVER_S,
            stage=stage,
            instance=instance,
            reason="leftover",
            facts=facts,
        )


def _mark(listed: dict[str, object]) -> str:
    """What the list tells that changes when the container does; its uptime does not count."""
    status = str(listed.get("Status", ""))
    health = next((word for word in _HEALTH if f"({word})" in status), "")
    return f"{listed.get('State')} {health} {listed.get('Names')}"
