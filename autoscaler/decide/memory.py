"""What deciding remembers of a workload from one cycle to the next: facts with their times, never flags.

Everything here is plain data, kept by the store and handed back after a restart.
"""

from __future__ import annotations

import msgspec

from autoscaler.decide.hpa import History
from autoscaler.model.policy import Policy

DEFAULT_LEAD_S = 30.0  # from order to ready, until a raise of this workload was measured
FOREIGN_HOLD_S = 300.0  # a raise by somebody else is held at least this long
CONFLICT_S = 600.0  # conflicts this close together add up; so long without one clears them
TURNS_KEPT = 1000


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


class Good(msgspec.Struct, frozen=True):
    """The last good load of a signal."""

    load: float
    at: float


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """One workload's memory.

    `wish` is the last one taken into the history, inside the bounds, and `accepted` when; `known` the count at the end
    of the last cycle (None: not to be compared with); `applied` our last accepted order and `raised` the last that
    grew; `lead_s` how long such a raise took to become ready; `fingerprint` names the signals the history was made
    from; `floor` is the lower bound of the last cycle and `freed` one that ended while it was binding.

    `idle` is since when it is idle by our order, `quiet` since when nothing asks for more than the minimum, `unread`
    since when no wake signal could be read, `zero` since when nothing runs. `turns` are the times at which our changes
    went the other way, `heading` the sign of the last; `conflicts` the times at which others changed the count and
    `pushes` how often we raised it against them. `covered` are signals whose data was once seen to name instances.
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
    freed: int = 0
    paused: bool = False
    distrust: bool = False
    idle: float | None = None
    quiet: float | None = None
    unread: float | None = None
    zero: float | None = None
    turns: tuple[float, ...] = ()
    heading: int = 0
    conflicts: tuple[float, ...] = ()
    pushes: int = 0
    good: dict[str, Good] = {}
    covered: tuple[str, ...] = ()
    recycle_failures: int = 0
    recycle_failed_at: float = 0.0

    @property
    def lead(self) -> float:
        """Seconds from order to ready: as measured, or a cautious default."""
        return DEFAULT_LEAD_S if self.lead_s is None else self.lead_s

    def contested(self, now: float) -> bool:
        """True after the third conflict in ten minutes, until ten minutes have passed without one."""
        recent = [at for at in self.conflicts if at > self.conflicts[-1] - CONFLICT_S] if self.conflicts else []
        return len(recent) >= 3 and now - recent[-1] < CONFLICT_S


def fingerprint(policy: Policy) -> str:
    """A word that changes whenever the signals do, so that wishes of other signals are not mixed up."""
    return "|".join(
        f"{s.name}:{s.prometheus or s.scrape or s.resource}:{s.per_replica}:{s.value}:{s.utilization}:{s.steps}"
        for s in policy.signals
    )


def first_sight(policy: Policy, now: float) -> Memory:
    """The memory of a workload never seen before."""
    return Memory(first_seen=now, fingerprint=fingerprint(policy))


def after_kill(memory: Memory) -> Memory:
    """The memory of a daemon that did not stop cleanly: minutes may be missing, so it is not trusted to shrink yet."""
    return msgspec.structs.replace(memory, distrust=True)


def uncertain(memory: Memory) -> Memory:
    """The memory once we did not get all we ordered: the count seen next is nobody else's doing."""
    return msgspec.structs.replace(memory, known=None)


def our_zero(memory: Memory, now: float) -> Memory:
    """The memory of a process that died after a zero of its own was on record: that zero is ours."""
    if memory.applied is not None and memory.applied.count == 0:
        return memory
    before = memory.applied.count if memory.applied is not None else 1
    return msgspec.structs.replace(memory, applied=Applied(before, 0, now), known=None, idle=now)


def conflicted(memory: Memory, now: float) -> Memory:
    """The memory after somebody else changed the count: the third time in ten minutes makes it contested."""
    recent = tuple(at for at in memory.conflicts if now - at < CONFLICT_S)
    return msgspec.structs.replace(memory, conflicts=(*recent, now), pushes=memory.pushes if recent else 0)


def recycled(memory: Memory, now: float, *, failed: bool) -> Memory:
    """The memory after a replacement ended: failures in a row are counted, a success forgets them."""
    if failed:
        return msgspec.structs.replace(memory, recycle_failures=memory.recycle_failures + 1, recycle_failed_at=now)
    return msgspec.structs.replace(memory, recycle_failures=0) if memory.recycle_failures else memory


def ordered(memory: Memory, order: Applied, history: History, *, idle: bool) -> Memory:
    """The memory after the platform accepted an order of ours; `idle` where it was one to idle."""
    rises = order.count > order.before
    heading = 1 if rises else -1
    turns = (*memory.turns[-TURNS_KEPT:], order.at) if memory.heading == -heading else memory.turns
    return msgspec.structs.replace(
        memory,
        history=history,
        applied=order,
        raised=order if rises else memory.raised,
        known=order.count,
        heading=heading,
        turns=turns,
        idle=order.at if idle else None,
        freed=0 if rises else memory.freed,
        pushes=memory.pushes + 1 if rises and memory.contested(order.at) else memory.pushes,
    )
