"""What deciding remembers of a workload from one cycle to the next: facts with their times, never flags.

Everything here is plain data, kept by the store and handed back after a restart.
"""

from __future__ import annotations

import msgspec

from autoscaler.decide.hpa import History
from autoscaler.model.policy import Policy

DEFAULT_LEAD_S = 30.0  # from order to ready, until a raise of this workload was measured
FOREIGN_HOLD_S = 300.0  # a raise by somebody else is held at least this long


class Applied(msgspec.Struct, frozen=True):
    """A count that we ordered and that was accepted."""

    before: int
    count: int
    at: float
    ready: float | None = None  # when so many were first seen ready


class Seed(msgspec.Struct, frozen=True):
    """A count that holds a service up until a time, because what came before it is not known well enough."""

    count: int
    until: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """One workload's memory.

    `wish` is the last one taken into the history, inside the bounds, and `accepted` when; `known` the count at the end
    of the last cycle; `applied` our last accepted order and `raised` the last that grew; `lead_s` how long such a
    raise took to become ready; `fingerprint` names the signals the history was made from.
    """

    first_seen: float
    fingerprint: str
    history: History = History()
    accepted: float | None = None
    wish: int | None = None
    known: int | None = None
    applied: Applied | None = None
    raised: Applied | None = None
    lead_s: float | None = None
    seed: Seed | None = None
    floor: int = 0
    paused: bool = False
    distrust: bool = False
    recycle_failures: int = 0
    recycle_failed_at: float = 0.0

    @property
    def lead(self) -> float:
        """Seconds from order to ready: as measured, or a cautious default."""
        return DEFAULT_LEAD_S if self.lead_s is None else self.lead_s


def fingerprint(policy: Policy) -> str:
    """A word that changes whenever the signals do, so that wishes of other signals are not mixed up."""
    return "|".join(
        f"{s.name}:{s.prometheus or s.scrape}:{s.per_replica}:{s.value}:{s.utilization}" for s in policy.signals
    )


def first_sight(policy: Policy, now: float) -> Memory:
    """The memory of a workload never seen before."""
    return Memory(first_seen=now, fingerprint=fingerprint(policy))


def after_kill(memory: Memory) -> Memory:
    """The memory of a daemon that did not stop cleanly: minutes may be missing, so it is not trusted to shrink yet."""
    return msgspec.structs.replace(memory, distrust=True)


def recycled(memory: Memory, now: float, *, failed: bool) -> Memory:
    """The memory after a replacement ended: failures in a row are counted, a success forgets them."""
    if failed:
        return msgspec.structs.replace(memory, recycle_failures=memory.recycle_failures + 1, recycle_failed_at=now)
    return msgspec.structs.replace(memory, recycle_failures=0) if memory.recycle_failures else memory


def fell_short(memory: Memory) -> Memory:
    """The memory after one instance of our own order could not be had: that it is missing is nobody else's doing."""
    return memory if not memory.known else msgspec.structs.replace(memory, known=memory.known - 1)
