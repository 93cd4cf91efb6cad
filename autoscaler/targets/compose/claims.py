"""Whose doing a count is: when other hands changed it last, and whether a zero is still ours."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.clients.docker_engine import DockerEngine
from autoscaler.errors import TargetError
from autoscaler.targets.compose import clone
from autoscaler.targets.compose.container import Container
from autoscaler.targets.compose.hands import Hands, Key
from autoscaler.targets.compose.specs import Specs
from autoscaler.targets.compose.state import MIXED_S


class Claims:
    """Puts together what events told, what containers tell of their beginning, and which networks are gone."""

    def __init__(self, engine: DockerEngine, hands: Hands, specs: Specs) -> None:
        self._engine = engine
        self._hands = hands
        self._specs = specs
        self._lost: dict[Key, float] = {}  # services at zero whose networks are gone → when that was first seen

    async def foreign_at(self, key: Key, mine: Sequence[Container], now: float, *, zero: bool) -> float | None:
        """When other hands made or took away containers of a service last; at zero, any container of its project.

        Events of the time before this process are mostly lost; what is there tells when it was made, and by whom.
        """
        made = (each.created for each in mine if not each.operation and now - each.created < MIXED_S)
        times = [self._hands.changed.get(key), max(made, default=None)]
        if zero:
            times += [self._hands.destroyed.get(key[0]), await self._taken_down(key, now)]
            spec = self._specs.of(*key)
            if spec is not None and spec.zero_at is not None and not self.zero_is_ours(key):
                times.append(now)  # a daemon that was killed takes its zero to be of the time it came back
        else:
            self._lost.pop(key, None)
        return max((at for at in times if at is not None), default=None)

    def zero_is_ours(self, key: Key) -> bool:
        """True for a service whose last container went by an order of ours, and nobody took anything away since."""
        spec = self._specs.of(*key)
        if spec is None or spec.zero_at is None:
            return False
        later = (self._hands.destroyed.get(key[0]), self._hands.changed.get(key), self._lost.get(key))
        return all(at is None or at <= spec.zero_at for at in later)

    async def _taken_down(self, key: Key, now: float) -> float | None:
        """When a network that a service at zero needs was found gone: its project was taken down."""
        spec = self._specs.of(*key)
        needed = clone.names_of_networks(spec.record) if spec is not None else []
        try:
            there = {each["Name"] for each in await self._engine.networks(needed)} if needed else set()
        except TargetError:
            return self._lost.get(key)
        return self._lost.get(key) if set(needed) <= there else self._lost.setdefault(key, now)
