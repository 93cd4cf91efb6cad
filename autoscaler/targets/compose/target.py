"""Compose services: state from the engine's list, kept fresh by its events; operations by cloning a sibling."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from autoscaler import log
from autoscaler.clients.compose_program import ComposeProgram
from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clients.docker_stock import DockerStock
from autoscaler.errors import Gone, TargetError, Unreachable
from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.ports import Clock
from autoscaler.targets.compose import followers, stages
from autoscaler.targets.compose.claims import Claims
from autoscaler.targets.compose.container import ONEOFF, PROJECT, SERVICE, Container, container
from autoscaler.targets.compose.declared import declared
from autoscaler.targets.compose.hands import COMPOSE_S, Hands, Key
from autoscaler.targets.compose.leftovers import left
from autoscaler.targets.compose.maker import Maker
from autoscaler.targets.compose.order import Look, pattern_source, split
from autoscaler.targets.compose.specs import Spec, Specs
from autoscaler.targets.compose.state import Known, counted, state
from autoscaler.targets.compose.stockroom import ComposeStockroom
from autoscaler.targets.compose.survey import Survey
from autoscaler.targets.naming import named, service

EVENTS = (
    "create", "start", "die", "kill", "oom", "destroy", "health_status", "pause", "unpause", "rename", "stop",
)  # fmt: skip
RESYNC_S = 60.0
AGAIN_S = 1.0
TAGS_S = 5.0  # how often it is asked what an image's name means
PATIENCE_S = 5.0  # what one look at a project may take
PAST_S = 3600.0  # how far back events are asked for at first; the engine remembers few

_HEALTH = ("healthy", "unhealthy", "health: starting")


class ComposeTarget:
    """The services of compose projects on one engine.

    `specs` is the folder that remembers how services are made that have no container left (None: this process's memory
    does), `host` the engine for the compose program, `own` the id of the container this runs in, or its beginning.
    """

    def __init__(
        self,
        engine: DockerEngine,
        clock: Clock,
        *,
        instance: str = "default",
        specs: Path | None = None,
        host: str | None = None,
        own: str = "",
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._instance = instance
        self._own = own
        self._specs = Specs(specs)
        self._maker = Maker(engine, self._specs, ComposeProgram(host))
        self._stages = stages.Stages(engine, self._maker)
        self._known = Known()
        self._hands = Hands(self._known.stopped)
        self._claims = Claims(engine, self._hands, self._specs)
        self._survey = Survey(self._specs, self._claims.zero_is_ours, own)
        self._surveyed = -math.inf
        self._news = True  # containers came or went since the last survey
        self._refs: dict[Key, WorkloadRef] = {}
        self._watching: set[WorkloadRef] = set()  # those whose images are asked for
        self._tags: dict[str, tuple[float, str]] = {}  # an image's name → when it was asked for, and its id
        self._cache: dict[str, tuple[str, Container]] = {}  # id → what the list said, and the inspected container
        self._fresh_at = 0.0
        self._listening = False
        self._heard: float | None = None  # the time of the newest event
        self._making: set[str] = set()  # operations of ours that are open
        self._forgetful: set[Key] = set()  # services that could not be remembered: told once

    def discover(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        """The services these policies name, present or not, and those their selectors found in the last survey."""
        found = self._found(policies)
        self._watching = {ref for ref, policy in found if policy.recycle and policy.recycle.when.image_changed}
        self._refs = {(ref.namespace, ref.name): ref for ref, _ in found}
        return found

    async def survey(self, policies: Sequence[Policy]) -> bool:
        """Look for what selectors find; True where that is not what was discovered last. Keeps what is known when
        the engine is away, and asks it only when there was news.
        """
        selectors = [each for each in policies if each.target.compose is not None and not each.target.explicit]
        if not selectors:
            return False
        steady = self._clock.monotonic()
        if self._news or not self._listening or steady - self._surveyed > RESYNC_S:
            self._news = False
            try:
                async with asyncio.timeout(PATIENCE_S):
                    self._survey.look(await self._engine.containers([f"{ONEOFF}=False"]), self._clock.now())
                self._surveyed = steady
            except (TimeoutError, TargetError):
                self._news = True  # the states say that the engine is away
        return {ref for ref, _ in self._found(policies)} != set(self._refs.values())

    def _found(self, policies: Sequence[Policy]) -> list[tuple[WorkloadRef, Policy]]:
        found: list[tuple[WorkloadRef, Policy]] = []
        for policy in policies:
            if policy.target.compose is not None and policy.target.explicit:
                found.append((named(policy, self._instance), policy))
            elif policy.target.compose is not None:
                found += [(service(*key, self._instance), policy) for key in self._survey.found(policy)]
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
            counts = bool(counted(mine, self._known))
            foreign_at = await self._claims.foreign_at((ref.namespace, ref.name), mine, now, zero=not counts)
            images = await self._images(mine) if ref in self._watching else {}
            states.append(
                state(ref, mine, self._known, now=now, foreign_at=foreign_at, making=self._making, images=images)
            )
        return states

    async def advance(self, operation: Operation) -> Advanced:
        """Make the operation's next call."""
        now = self._clock.now()
        if operation.instance and operation.stage in (stages.STOP, stages.REMOVE, stages.RESTART):
            self._hands.ours(operation.instance)
        elif operation.stage == stages.DISCARD:
            self._hands.ours(operation.facts["new"])
        for id in followers.ids(operation):
            self._hands.ours(id)
        if operation.kind is OperationKind.SCALE:
            return await self._order(operation, now)
        self._making.add(operation.id)
        key = operation.ref.namespace, operation.ref.name
        if operation.stage == stages.COMPOSE:
            self._hands.composing(key, math.inf)
        after = await self._stages.advance(operation, now)
        if operation.stage == stages.COMPOSE:
            self._hands.composing(key, self._clock.now() + COMPOSE_S)
        if isinstance(after, Outcome):
            self._making.discard(operation.id)
        return after

    async def _order(self, operation: Operation, now: float) -> Advanced:
        """A count: what there is to carry it out by, and its parts."""
        project, name = operation.ref.namespace, operation.ref.name
        try:
            everything = await self._containers(project)
            mine = [each for each in everything if each.service == name]
            labels = await self._labels(mine or everything, (project, name))
            look = Look(
                mine=mine,
                project=everything,
                spec=self._specs.of(project, name),
                file=await declared(labels, name),
                labels=labels,
                busy=self._hands.busy((project, name), now),
                own=self._own,
            )
            source = pattern_source(counted(mine, self._known))
            if operation.count == 0 and source is not None:
                await self._maker.remember(await self._engine.inspect(source.id), now, zero=True)
            return split(operation, look, self._known, now)
        except TargetError as error:
            ends = {Unreachable: OutcomeKind.FAILED, Gone: OutcomeKind.CONFLICT}
            return Outcome(operation, ends.get(type(error), OutcomeKind.REFUSED), now, error.message)

    async def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Services with news from the engine; all of them after it was away."""
        while True:
            try:
                began = self._clock.now()
                since = began - PAST_S if self._heard is None else self._heard
                async with contextlib.aclosing(await self._engine.events(EVENTS, since)) as stream:
                    self._listening = True
                    self._cache.clear()
                    for ref in list(self._refs.values()):
                        yield ref
                    async for event in stream:
                        about = self._told(event, began)
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
            # One that was stopped to be replaced comes back sick, and its start has emptied the log of its health.
            self._known.healthy.update(each.id for each in everything if each.leaving)
            for ref in refs:
                if ref.namespace == project:
                    found += left(ref, everything, self._clock.now())
        return found

    async def pull(self, ref: WorkloadRef) -> tuple[list[str], list[str]]:
        """Have the engine pull the images of a service's containers by their tags; those that mean another image
        since, and what could not be had, in words. Raises TargetError.
        """
        there = await self._containers(ref.namespace)
        newer: list[str] = []
        failed: list[str] = []
        for tag in sorted({each.tag for each in there if each.service == ref.name and each.tag}):
            if "@" in tag or tag.startswith("sha256:"):
                continue  # it means the same image for ever
            try:
                before = await self._engine.image_id(tag)
                await self._engine.pull(tag)
                if await self._engine.image_id(tag) != before:
                    newer.append(tag)
            except TargetError as error:
                failed.append(error.message)
            self._tags.pop(tag, None)
        return newer, failed

    def stockroom(self) -> ComposeStockroom:
        """What lies about on this engine."""
        return ComposeStockroom(DockerStock(self._engine), self._specs, self._known.stopped)

    async def close(self) -> None:
        """Let go of the engine."""
        await self._stages.close()
        await self._engine.close()

    # looking

    async def _images(self, mine: Sequence[Container]) -> dict[str, str]:
        """What the names of these containers' images mean, as of a few seconds ago; only what is known of them."""
        now, found = self._clock.monotonic(), dict[str, str]()
        for tag in {each.tag for each in mine if each.tag}:
            at, id = self._tags.get(tag, (-math.inf, ""))
            if now - at >= TAGS_S:
                with contextlib.suppress(TargetError):
                    id = await self._engine.image_id(tag) or ""
                self._tags[tag] = now, id
            if id:
                found[tag] = id
        return found

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
            record = await self._engine.inspect(id)
        except Gone:
            self._cache.pop(id, None)
            return None
        one = container(record)
        if one.ready and not one.draining:
            await self._remember(one, record)
        return one

    async def _remember(self, one: Container, record: dict[str, Any]) -> None:
        """Keep how a healthy container of a steered service is made, where that is not kept already."""
        key = one.project, one.service
        spec = self._specs.of(*key)
        if key not in self._refs or (spec is not None and not _news(one, spec)):
            return
        try:
            await self._maker.remember(record, self._clock.now())
            self._forgetful.discard(key)
        except TargetError as error:
            if key not in self._forgetful:
                self._forgetful.add(key)
                log.event("not remembered", level=log.WARNING, workload=self._refs[key].key, text=error.message)

    async def _labels(self, containers: Sequence[Container], key: Key) -> dict[str, str]:
        """Labels that tell where the project's files are: of one of these containers, else as remembered."""
        for each in sorted(containers, key=lambda each: -each.created):
            with contextlib.suppress(Gone):
                return dict((await self._engine.inspect(each.id))["Config"].get("Labels") or {})
        spec = self._specs.of(*key)
        return spec.labels if spec is not None else {}

    def _told(self, event: dict[str, Any], began: float) -> WorkloadRef | None:
        """Note what an event says about a container; the workload it is about, if it is one of ours and news."""
        told = event.get("Actor") or {}
        id, about = str(told.get("ID", "")), told.get("Attributes") or {}
        action = str(event.get("Action", ""))
        at = min(float(event.get("timeNano") or 0) / 1e9 or began, self._clock.now())
        self._heard = max(at, self._heard or at)
        self._cache.pop(id, None)
        self._news = self._news or action in ("create", "destroy")
        self._hands.told(action, id, about, at, past=at < began)
        if action == "destroy":
            self._known.forget(id)
        elif action == "oom":
            self._known.oom(id, at)
        ref = self._refs.get((about.get(PROJECT, ""), about.get(SERVICE, "")))
        return ref if at >= began else None


def _news(one: Container, spec: Spec) -> bool:
    """True where a container is made otherwise than remembered, or came after the zero that is remembered."""
    if spec.zero_at is not None and one.created > spec.zero_at:
        return True
    return (spec.config_hash, spec.record["Image"]) != (one.config_hash, one.image)


def _mark(listed: dict[str, object]) -> str:
    """What the list tells that changes when the container does; its uptime does not count."""
    status = str(listed.get("Status", ""))
    health = next((word for word in _HEALTH if f"({word})" in status), "")
    return f"{listed.get('State')} {health} {listed.get('Names')}"
