"""What lies about on an engine, for clean-ups: its own records as plain data, and removals one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import Any

from autoscaler.clients.docker_stock import DockerStock
from autoscaler.clock import parse
from autoscaler.errors import Gone, TargetError
from autoscaler.model.cleanup import OUTSIDE, Ended, Freed, Image, Item, Mounted, Stock, Use, Volume, What
from autoscaler.targets.compose.container import PROJECT, UNNAMED, Container, container, lives_in
from autoscaler.targets.compose.specs import Specs

ANONYMOUS = "com.docker.volume.anonymous"  # the label newer engines give to a volume without a name

Record = dict[str, Any]


class ComposeStockroom:
    """`specs` remember the images of services at zero, `stopped` is which containers somebody stopped by hand."""

    def __init__(self, docker: DockerStock, specs: Specs, stopped: Collection[str]) -> None:
        self._docker = docker
        self._specs = specs
        self._stopped = stopped
        self._made: dict[str, frozenset[str]] = {}  # container → the anonymous volumes made for it

    async def uses(self) -> list[Use]:
        """What every container holds on to; only those with an anonymous volume not met before are inspected."""
        listed = await self._docker.containers()
        there = {str(each["Id"]) for each in listed}
        self._made = {id: made for id, made in self._made.items() if id in there}
        new = [each for each in listed if _unnamed(each) and each["Id"] not in self._made]
        found = await asyncio.gather(*map(self._made_for, new))
        self._made.update(zip((str(each["Id"]) for each in new), found, strict=True))
        return [
            Use(
                project=_project(each),
                image=str(each.get("ImageID", "")),
                volumes=tuple(
                    Mounted(name, made=name in self._made.get(str(each["Id"]), ())) for name in _volumes(each)
                ),
            )
            for each in listed
        ]

    async def stock(self, project: str) -> Stock:
        """Everything that could go."""
        found = await self._docker.everything()
        containers: list[Record] = found.get("Containers") or []
        volumes: list[Record] = found.get("Volumes") or []
        mine = [each for each in containers if _project(each) == project and each.get("State") in ("exited", "dead")]
        inspected = await asyncio.gather(*(self._inspect(str(each["Id"])) for each in mine))
        lenders = {lives_in((each.get("HostConfig") or {}).get("NetworkMode")) for each in containers}
        sizes = {str(each["Name"]): _usage(each) for each in volumes}
        return Stock(
            ended=tuple(
                self._ended(one, each, lenders, sizes)
                for each, one in zip(mine, inspected, strict=True)
                if one is not None and one.state in ("exited", "dead")
            ),
            images=tuple(map(_image, found.get("Images") or [])),
            volumes=tuple(map(_volume, volumes)),
            used_images=frozenset(
                [*(str(each.get("ImageID", "")) for each in containers), *(str(s.record["Image"]) for s in self._specs)]
            ),
            used_volumes=frozenset(
                [
                    *(name for each in containers for name in _volumes(each)),
                    *(str(each["Name"]) for each in volumes if (each.get("UsageData") or {}).get("RefCount", 0) > 0),
                ]
            ),
        )

    async def remove(self, item: Item) -> Freed:
        """One call; the engine refuses what is in use."""
        ways = {
            What.CONTAINER: self._docker.remove_container,
            What.IMAGE: self._docker.remove_image,
            What.VOLUME: self._docker.remove_volume,
        }
        try:
            await ways[item.what](item.id)
        except TargetError as error:
            return Freed(item, error.message)
        return Freed(item)

    async def _inspect(self, id: str) -> Container | None:
        try:
            return container(await self._docker.engine.inspect(id))
        except Gone:
            return None

    async def _made_for(self, listed: Record) -> frozenset[str]:
        """The anonymous volumes that the engine made for this container: those that nothing it was told names."""
        try:
            told = (await self._docker.engine.inspect(str(listed["Id"])))["HostConfig"]
        except Gone:
            return frozenset()
        named = {str(bind).partition(":")[0] for bind in told.get("Binds") or ()}
        named |= {str(mount.get("Source", "")) for mount in told.get("Mounts") or ()}
        lent = bool(told.get("VolumesFrom"))  # then they may be another container's
        return frozenset() if lent else frozenset(_unnamed(listed)) - named

    def _ended(self, one: Container, listed: Record, lenders: set[str], sizes: dict[str, tuple[int, int]]) -> Ended:
        along = [sizes.get(name, (0, 0)) for name in _unnamed(listed)]
        return Ended(
            id=one.id,
            name=one.final_name,
            project=one.project,
            finished=one.finished or one.created,
            exit_code=one.exit_code,
            kept_running=one.kept_running,
            by_hand=one.id in self._stopped,
            marked=one.draining or bool(one.replaces),
            lends=one.id in lenders,
            size=max(0, int(listed.get("SizeRw") or 0)) + sum(size for size, users in along if users == 1),
        )


def _project(record: Record) -> str:
    return str((record.get("Labels") or {}).get(PROJECT, OUTSIDE))


def _volumes(record: Record) -> list[str]:
    mounts = record.get("Mounts") or []
    return [str(each["Name"]) for each in mounts if each.get("Type") == "volume" and each.get("Name")]


def _unnamed(record: Record) -> list[str]:
    return [name for name in _volumes(record) if UNNAMED.fullmatch(name)]


def _usage(record: Record) -> tuple[int, int]:
    """A volume's size and how many containers have it; an engine that does not know says -1."""
    told = record.get("UsageData") or {}
    return max(0, int(told.get("Size") or 0)), int(told.get("RefCount") or 0)


def _image(record: Record) -> Image:
    shared = max(0, int(record.get("SharedSize") or 0))
    return Image(
        id=str(record["Id"]),
        names=tuple(name for name in record.get("RepoTags") or () if name != "<none>:<none>"),
        created=float(record.get("Created") or 0),
        project=_project(record),
        size=max(0, int(record.get("Size") or 0) - shared),
    )


def _volume(record: Record) -> Volume:
    name, labels = str(record["Name"]), set(record.get("Labels") or ())
    return Volume(
        name=name,
        plain=bool(UNNAMED.fullmatch(name)) and record.get("Driver") == "local" and labels <= {ANONYMOUS},
        created=parse(str(record["CreatedAt"])) if record.get("CreatedAt") else 0.0,
        size=_usage(record)[0],
    )
