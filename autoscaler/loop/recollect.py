"""What a daemon leaves, or tells of itself while it runs, and what the one that goes on from there makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.decide import memory as remembering
from autoscaler.decide.brake import Fleet
from autoscaler.decide.memory import Memory
from autoscaler.loop.lasting import packed, unpacked
from autoscaler.ports import Fact, FactKind

FLEET = "@fleet"  # the key of what the fleet's brake remembers
CLEAN = "@clean"  # the fact that the last stop was a clean one
WORDS = (FactKind.PAUSE, FactKind.OVERRIDE, FactKind.RESUME, FactKind.COMMITS)  # what people said
SLICE = 100  # memories encoded before the event loop may breathe

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Memory).decode
_decode_fleet = msgspec.json.Decoder(Fleet).decode


class Recollection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a daemon goes on from, as of a time (seconds, UTC).

    `running` says that it is told by one that runs, `steering` then which policy steers each workload. `clean` is False
    where the one that left it was killed.
    """

    at: float
    facts: tuple[Fact, ...]
    running: bool = False
    clean: bool = True
    steering: dict[str, str] = {}


class Restored(msgspec.Struct, frozen=True):
    """Memories as a daemon that starts takes them up, those of them that are `kept` word for word, and the fleet's."""

    memories: dict[str, Memory]
    kept: dict[str, Memory]
    fleet: Fleet


def left(facts: Sequence[Fact], at: float) -> Recollection:
    """What is in a store that was written last at that time."""
    clean = any(each.kind is FactKind.MEMORY and each.key == CLEAN for each in facts)
    return Recollection(at=at, facts=tuple(each for each in facts if each.key != CLEAN), clean=clean)


def restored(facts: Sequence[Fact], now: float, *, clean: bool) -> Restored:
    """The memories of a former process; after a kill they are not trusted to shrink yet.

    An order that was on record before its call is ours, also where the memory of it was lost with the process. A
    clock that was set back meanwhile left facts in the future: they are of now.
    """
    memories: dict[str, Memory] = {}
    fleet = Fleet()
    for fact in facts:
        if fact.kind is not FactKind.MEMORY or not fact.key or fact.value is None:
            continue
        if fact.key == FLEET:
            fleet = _decode_fleet(fact.value)
        else:
            memories[fact.key] = remembering.clamped(_decode(fact.value), now)
    kept = dict(memories)
    for fact in facts:
        memory = memories.get(fact.key)
        if fact.kind is FactKind.LEARNED and fact.value is not None and memory is not None:
            memories[fact.key] = msgspec.structs.replace(memory, learned=unpacked(fact.value))
    if clean:
        return Restored(memories, kept, fleet)
    for fact in facts:
        if fact.kind is FactKind.INTENT and fact.value is not None:
            count, known = int(fact.value), memories.get(fact.key)
            if known is not None or count == 0:
                known = known or Memory(first_seen=now, fingerprint="")
                memories[fact.key] = remembering.on_record(known, count, now)
    return Restored({key: remembering.after_kill(memory) for key, memory in memories.items()}, kept, fleet)


def plain(key: str, memory: Memory) -> Fact:
    """A memory as it is kept: without what was learned, which is kept apart."""
    return Fact(
        FactKind.MEMORY, key, _encode(msgspec.structs.replace(memory, learned={}) if memory.learned else memory)
    )


def braked(fleet: Fleet) -> Fact:
    """What the fleet's brake remembers, as it is kept."""
    return Fact(FactKind.MEMORY, FLEET, _encode(fleet))


async def told(memories: Mapping[str, Memory], fleet: Fleet) -> list[Fact]:
    """All of them as they are at this moment, however long the writing down takes."""
    facts = [braked(fleet)]
    for number, (key, memory) in enumerate(list(memories.items()), start=1):
        facts.append(plain(key, memory))
        if memory.learned:
            facts.append(Fact(FactKind.LEARNED, key, packed(memory.learned)))
        if number % SLICE == 0:
            await asyncio.sleep(0)
    return facts
