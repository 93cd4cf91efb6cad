"""What a Docker engine has lying about, with sizes, and its removal: never by force, so what is in use stays."""

from __future__ import annotations

from typing import Any

from autoscaler.clients.docker_engine import DockerEngine, Record
from autoscaler.errors import Gone


class DockerStock:
    """The same engine, asked for everything it has. Raises TargetError."""

    def __init__(self, engine: DockerEngine) -> None:
        self.engine = engine

    async def containers(self) -> list[Record]:
        """Every container on the engine, in any state, as it lists them."""
        return await self.engine.containers([])

    async def everything(self) -> Record:
        """Containers, images and volumes with what they take up (`system df`). Slow on engines that have much."""
        found: Record = await self.engine.ask(lambda api: api.df())
        return found

    async def remove_container(self, id: str) -> None:
        """Remove a container that does not run, with the anonymous volumes that were made for it."""
        await self._gone(lambda api: api.remove_container(id, v=True, force=False))

    async def remove_image(self, id: str) -> None:
        """Remove an image and its one name; what it was built from stays."""
        await self._gone(lambda api: api.remove_image(id, force=False, noprune=True))

    async def remove_volume(self, name: str) -> None:
        """Remove a volume that no container has."""
        await self._gone(lambda api: api.remove_volume(name, force=False))

    async def _gone(self, call: Any) -> None:
        try:
            await self.engine.ask(call)
        except Gone:
            return
