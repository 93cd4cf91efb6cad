"""OBSERVE: states first, they tell which instances to read; then every signal, one batch per source."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from autoscaler.decide.plan import Plan
from autoscaler.loop.registry import Targets
from autoscaler.loop.underway import Underway
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.policy import ZeroIf
from autoscaler.model.signal import Missing, MissingWhy, Reading
from autoscaler.model.target import TargetState
from autoscaler.policy.placeholders import fill
from autoscaler.ports import Source


class Read:
    """What was read for one workload: its signals in the policy's order, the rest by name."""

    __slots__ = ("gathered", "measured", "vouchers")

    def __init__(self, gathered: list[Reading]) -> None:
        self.gathered = gathered
        self.vouchers: dict[str, Reading] = {}
        self.measured: dict[str, Reading] = {}

    @property
    def readings(self) -> tuple[Reading, ...]:
        """The signals' readings."""
        return tuple(self.gathered)


NOTHING = Read([])
PUSH = "push"  # the source whose readings are there without being asked for over the wire


class Observer:
    """Looks at workloads through the targets and the sources; keeps the last readings for wakes."""

    def __init__(self, targets: Targets, sources: Mapping[str, Source]) -> None:
        self._targets = targets
        self._sources = sources
        self._last: dict[str, Read] = {}

    async def look(self, plans: Sequence[Plan], underway: Underway, now: float, *, wake: bool) -> list[Seen]:
        """What is to be seen of each plan's workload, in the same order; a wake looks at states and what was pushed."""
        states = await self._states(plans, underway)
        keys = [plan.key for plan in plans]
        if wake:
            reads = [self._last.get(key, NOTHING) for key in keys]
            reads = await self._pushed(plans, states, reads, now)
        else:
            reads = await self._reads(plans, states, now)
            self._last.update(zip(keys, reads, strict=True))
        return [
            _with_ours(Seen(state, read.readings, read.vouchers, {} if wake else read.measured), underway, key)
            for key, state, read in zip(keys, states, reads, strict=True)
        ]

    def forget(self, keys: set[str]) -> None:
        """Drop what is kept of workloads that are not steered any more."""
        for key in keys:
            self._last.pop(key, None)

    async def _states(self, plans: Sequence[Plan], underway: Underway) -> list[TargetState | Missing]:
        places: dict[str, list[int]] = {}
        for index, plan in enumerate(plans):
            places.setdefault(plan.ref.place, []).append(index)
        found: list[TargetState | Missing] = [Missing(MissingWhy.FAILED, "not asked")] * len(plans)

        async def ask(platform: str, indices: list[int]) -> None:
            answers = await self._targets.states(platform, [plans[i].ref for i in indices])
            for index, answer in zip(indices, answers, strict=True):
                found[index] = _with_desired(answer, underway)

        await asyncio.gather(*(ask(platform, indices) for platform, indices in places.items()))
        return found

    async def _pushed(
        self, plans: Sequence[Plan], states: Sequence[TargetState | Missing], before: Sequence[Read], now: float
    ) -> list[Read]:
        """The last readings with those of pushed signals as they are now: these are here already."""
        found, source = list(before), self._sources.get(PUSH)
        asks: list[Ask] = []
        places: list[tuple[Read, int]] = []
        for index, (plan, state, read) in enumerate(zip(plans, states, before, strict=True)):
            signals = plan.workload.policy.signals
            if source is None or len(read.gathered) != len(signals) or all(each.push is None for each in signals):
                continue
            instances = state.instances if isinstance(state, TargetState) else ()
            fresh = found[index] = Read(list(read.gathered))
            fresh.vouchers = read.vouchers
            for place, signal in enumerate(signals):
                if signal.push is not None:
                    asks.append(Ask(plan.ref, signal, fill(signal.asks, plan.ref), instances))
                    places.append((fresh, place))
        if source is not None and asks:
            for (fresh, place), reading in zip(places, await source.read(asks, now), strict=True):
                fresh.gathered[place] = reading
        return found

    async def _reads(self, plans: Sequence[Plan], states: Sequence[TargetState | Missing], now: float) -> list[Read]:
        """Every signal, every voucher and what is measured of instances of these plans, one batch per source."""
        batches: dict[str, _Batch] = {}
        nothing = Missing(MissingWhy.FAILED, "no such source")
        found = [Read([nothing] * len(plan.goals)) for plan in plans]
        for index, (plan, state) in enumerate(zip(plans, states, strict=True)):
            instances = state.instances if isinstance(state, TargetState) else ()
            ref = plan.workload.ref
            for place, signal in enumerate(plan.workload.policy.signals):
                batch = _batch(batches, signal.source)
                batch.asks.append(Ask(ref, signal, fill(signal.asks, ref), instances))
                batch.places.append((index, place, False))
                if isinstance(signal.empty, ZeroIf):
                    batch.asks.append(Ask(ref, signal, fill(signal.empty.zero_if, ref), voucher=True))
                    batch.places.append((index, signal.name, False))
            for signal in plan.measures:
                batch = _batch(batches, signal.source)
                batch.asks.append(Ask(ref, signal, fill(signal.asks, ref), instances, apart=True))
                batch.places.append((index, signal.name, True))
                found[index].measured[signal.name] = nothing

        async def read(name: str) -> None:
            source, batch = self._sources.get(name), batches[name]
            if source is None:
                return
            for (index, place, apart), reading in zip(batch.places, await source.read(batch.asks, now), strict=True):
                if apart:
                    found[index].measured[str(place)] = reading
                elif isinstance(place, int):
                    found[index].gathered[place] = reading
                else:
                    found[index].vouchers[place] = reading

        await asyncio.gather(*map(read, batches))
        return found


class _Batch(NamedTuple):
    """What one source is asked in one look, and where each answer belongs: workload, place or name, of instances."""

    asks: list[Ask]
    places: list[tuple[int, int | str, bool]]


def _batch(batches: dict[str, _Batch], source: str) -> _Batch:
    found = batches.get(source)
    if found is None:
        found = batches[source] = _Batch([], [])
    return found


def _with_ours(seen: Seen, underway: Underway, key: str) -> Seen:
    """The same with what we are doing there ourselves."""
    if not underway.of(key):
        return seen
    return msgspec.structs.replace(
        seen,
        busy=underway.busy(key),
        removing=underway.removing(key),
        replacing=underway.replacing(key),
    )


def _with_desired(state: TargetState | Missing, underway: Underway) -> TargetState | Missing:
    """Where the platform keeps no desired count: what we ordered while it is being carried out, else what exists."""
    if isinstance(state, Missing) or state.desired is not None:
        return state
    intent = underway.intent(state.ref.key)
    return msgspec.structs.replace(state, desired=state.existing if intent is None else intent)
