"""What adaptive learned, as the store keeps it: compressed, seldom, and apart from the memories that change always."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec

from autoscaler.decide.adaptive.series import Learned
from autoscaler.decide.memory import Memory
from autoscaler.ports import Fact, FactKind

EVERY_S = 600.0  # what was learned in ten minutes may be lost with a process
AT_ONCE = 200  # series packed at a time, so that no cycle waits for all of a large fleet

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(dict[str, Learned]).decode


class Lasting:
    """Decides whose learning is due to be kept; `kept` is when each was kept last."""

    def __init__(self) -> None:
        self.kept: dict[str, float] = {}

    def due(self, memories: Mapping[str, Memory], now: float, *, last: bool) -> list[Fact]:
        """The facts to keep now: those that are ten minutes old, the oldest first; all of them at the end."""
        gone = [key for key in self.kept if key in memories and not memories[key].learned]
        for key in gone:
            del self.kept[key]
        old = sorted(
            (self.kept.get(key, 0.0), key)
            for key, memory in memories.items()
            if memory.learned and (last or not 0 <= now - self.kept.get(key, 0.0) < EVERY_S)
        )
        chosen = [key for _, key in (old if last else old[:AT_ONCE])]
        self.kept.update(dict.fromkeys(chosen, now))
        facts = [Fact(FactKind.LEARNED, key, packed(memories[key].learned)) for key in chosen]
        return facts + [Fact(FactKind.LEARNED, key, None) for key in gone]


def packed(learned: Mapping[str, Learned]) -> bytes:
    """As the store keeps it."""
    return zlib.compress(_encode(learned), 1)


def unpacked(value: bytes) -> dict[str, Learned]:
    """What was kept, as far as it can be gone on with: what is damaged or of another form is learned anew."""
    from autoscaler.decide.adaptive.state import sound

    try:
        learned = _decode(zlib.decompress(value))
    except (zlib.error, msgspec.MsgspecError):
        return {}
    return {name: each for name, each in learned.items() if sound(each.record)}
