"""Making one container: from a sibling, from a remembered spec, or by the compose program where neither will do."""

from __future__ import annotations

from typing import Any

import msgspec

from autoscaler.clients.compose_program import ComposeProgram
from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.clock import text
from autoscaler.errors import Conflict, Refused
from autoscaler.model.operation import Operation
from autoscaler.targets.compose import clone
from autoscaler.targets.compose.container import HASH, PROJECT, SERVICE, container
from autoscaler.targets.compose.declared import SECRETS, Place, declared
from autoscaler.targets.compose.specs import Spec, Specs, reduced

SPEC = "spec"  # a source by this name is the remembered spec of the service


class Maker:
    """Reads what a new container is made from, and makes it."""

    def __init__(self, engine: DockerEngine, specs: Specs, program: ComposeProgram) -> None:
        self.specs = specs
        self._engine = engine
        self._program = program
        self._plain: set[tuple[str, str]] = set()  # containers that have nothing at a path

    async def source(self, operation: Operation) -> dict[str, Any]:
        """What the new one is made like, its networks as they are now. Raises Gone, Refused."""
        id = operation.instance or operation.facts["source"]
        if id != SPEC:
            return await self._engine.inspect(id)
        spec = self._spec(operation)
        return clone.resolved(spec.record, await self._engine.networks(clone.names_of_networks(spec.record)))

    async def renewed(self, source: dict[str, Any]) -> dict[str, Any]:
        """The source as the image that its tag means by now wants it. Raises Refused where an image is not there."""
        tag = clone.named(source)
        new, old = await self._engine.image(tag), await self._engine.image(str(source["Image"]))
        if new is None:
            raise Refused(f"its image {tag} is not on the engine")
        if new["Id"] == source["Image"]:
            return source
        if old is None:
            raise Refused(
                f"the image it is made from ({source['Image'][:19]}) is gone, so its own settings are unknown"
            )
        return clone.renewed(source, old.get("Config") or {}, str(new["Id"]))

    async def newest(self, old: dict[str, Any]) -> dict[str, Any]:
        """The container of the same service whose configuration is the newest. Raises Gone, Conflict."""
        one = container(old)
        listed = await self._engine.containers([f"{PROJECT}={one.project}", f"{SERVICE}={one.service}"])
        others = [str(each["Id"]) for each in listed if (each.get("Labels") or {}).get(HASH) != one.config_hash]
        made = [await self._engine.inspect(id) for id in others]
        newer = [each for each in made if container(each).origin > one.origin]
        if not newer:
            raise Conflict("nothing is there any more that is made from a newer configuration")
        return max(newer, key=lambda each: container(each).origin)

    async def image(self, source: dict[str, Any]) -> str:
        """The tag while it still means the sibling's image; else that image's id: never new image with old settings.

        Raises Refused where the image is there no longer.
        """
        tag, id = clone.named(source), str(source["Image"])
        if await self._engine.image_id(tag) == id:
            return tag
        if await self._engine.image_id(id) is None:
            raise Refused(f"its image {tag} ({id[:19]}) is not on the engine any more")
        return id

    async def fill(self, operation: Operation) -> str:
        """Copy what compose itself had copied in before the start; what that was, in words, empty for nothing."""
        new, id = operation.facts["new"], operation.facts["source"]
        if id == SPEC:
            for each in self._spec(operation).files:
                await self._engine.put(new, each)
            return ""
        copied: list[str] = []
        for path in await self._paths(await self._engine.inspect(id)):
            content = None if (id, path) in self._plain else await self._engine.archive(id, path)
            if content is None:
                self._plain.add((id, path))
            else:
                await self._engine.put(new, content)
                copied.append(path)
        return ", ".join(copied)

    async def remember(self, record: dict[str, Any], now: float, *, zero: bool = False) -> None:
        """Keep how this container is made, what was copied into it included. Raises TargetError.

        With `zero` it is the last one, and an order of ours takes it away now.
        """
        one = container(record)
        files = [await self._engine.archive(one.id, path) for path in await self._paths(record)]
        before = self.specs.of(one.project, one.service)
        same = before is not None and before.config_hash == one.config_hash and before.record["Image"] == one.image
        spec = Spec(
            project=one.project,
            service=one.service,
            config_hash=one.config_hash,
            record=reduced(record),
            files=tuple(each for each in files if each is not None),
            since=before.since if same and before is not None else min(one.created, now),
            kept=now,
            zero_at=now if zero else None,
        )
        await self.specs.keep(spec)

    async def compose(self, operation: Operation) -> None:
        """Have the compose program bring the service to the operation's count. Raises Refused."""
        told = operation.facts
        where = msgspec.json.decode(told["place"], type=Place)
        await self._program.scale(
            operation.ref.name, int(told["scale"]), project=operation.ref.namespace, files=where.files,
            folder=where.folder, environment=where.environment, first=told["first"] == "yes",
        )  # fmt: skip

    async def said(self, operation: Operation) -> str:
        """What an owner should know about a container made from a remembered spec."""
        spec = self._spec(operation)
        file = await declared(spec.labels, spec.service)
        newer = "; the compose file was changed since" if file is not None and file.changed > spec.since else ""
        return f"made as remembered from {text(spec.since)}{newer}"

    def _spec(self, operation: Operation) -> Spec:
        spec = self.specs.of(operation.ref.namespace, operation.ref.name)
        if spec is None:
            raise Refused("how it is made is not remembered any more")
        return spec

    async def _paths(self, record: dict[str, Any]) -> list[str]:
        """Where compose may have copied something to: what is mounted there needs no copy."""
        one = container(record)
        file = await declared(record["Config"].get("Labels") or {}, one.service)
        mounts = [str(each.get("Destination")) for each in record.get("Mounts") or ()]
        wanted = dict.fromkeys(file.copied if file is not None else ())
        if not any(each == SECRETS or each.startswith(f"{SECRETS}/") for each in mounts):
            wanted = {path: None for path in wanted if not path.startswith(f"{SECRETS}/")} | {SECRETS: None}
        return [path for path in wanted if path not in mounts]
