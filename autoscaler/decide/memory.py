"""What deciding remembers of a workload from one cycle to the next: facts with their times, never flags.

Everything here is plain data, kept by the store and handed back after a restart.
"""

from __future__ import annotations

import msgspec

from autoscaler.decide import lineage
from autoscaler.decide.adaptive.capacity import Known
from autoscaler.decide.adaptive.series import Learned
from autoscaler.decide.hpa import Event, History, Recommendation
from autoscaler.decide.lineage import NOTHING, Recycling
from autoscaler.model.policy import Policy, Signal

DEFAULT_LEAD_S = 30.0  # from order to ready, until a raise of this workload was measured
FOREIGN_HOLD_S = 300.0  # a raise by somebody else is held at least this long
CONFLICT_S = 600.0  # conflicts this close together add up; so long without one clears them
CONFLICTS = 3  # so many are a contest
CONFLICTS_KEPT = 20
LONGEST_HOLD_S = 7200.0  # no seed outlives this, whatever a clock says


class Applied(msgspec.Struct, frozen=True, gc=False):
    """A count that we ordered and that was accepted."""

    before: int
    count: int
    at: float
    ready: float | None = None  # when so many were first seen ready


class Seed(msgspec.Struct, frozen=True, gc=False):
    """A count that holds a service up until a time, and what it is that is not known well enough."""

    count: int
    until: float
    because: str = ""


class Good(msgspec.Struct, frozen=True, gc=False):
    """The last good load of a signal."""

    load: float
    at: float


class Memory(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One workload's memory.

    `wish` is the count that the last accepted wish led to, and `accepted` when; `known` the count at the end of the
    last cycle (None: not to be compared with); `applied` our last accepted order and `raised` the last that grew;
    `stands` our last applied count, or one that data agreed with, until data says that fewer are enough; `lead_s` how
    long a raise took to become ready; `fingerprint` names the signals the history was made from.

    `reseed` says what makes the past unfit to shrink by until the count is reseeded (empty: nothing); `paused` that a
    pause or an override decided last; `floor` is the lower bound of the last cycle and `freed` the count from which a
    shrink is the owner's own doing, because a floor ended, an override ran out or the policy was edited.

    `idle` is since when it is idle by our order, `quiet` since when nothing asks for more than the minimum and
    `quiet_at` when that was seen last, `unread` since when each unread wake signal could not be read, `zero` since when
    nothing runs by anybody's hand after our last order. `turns` are the times at which our changes went the other way,
    as many as a budget needs, `heading` the sign of the last; `conflicts` the times at which others changed the count,
    `contest` since when that is a contest, `pushes` how often we changed it since. `covered` are signals whose data was
    once seen to name instances.

    `spare` is for how many seconds the whole count could have been spared since the last change, by what each signal is
    expected to need; `sized` that the last count came from what is expected and not from the plain rule, `carries` what
    is known of each signal's capacity, `learned` of its load; that is kept apart, as it is large. `taught` is how many
    seconds of it a recorded past told. `shadow` is where the other algorithm stands beside it. `recycling` is what was
    replaced, and how it fared.
    """

    first_seen: float
    fingerprint: str
    history: History = History()
    accepted: float | None = None
    wish: int | None = None
    known: int | None = None
    applied: Applied | None = None
    raised: Applied | None = None
    stands: int | None = None
    lead_s: float | None = None
    seed: Seed | None = None
    floor: int = 0
    freed: int = 0
    paused: bool = False
    reseed: str = ""
    idle: float | None = None
    quiet: float | None = None
    quiet_at: float = 0.0
    unread: dict[str, float] = {}
    zero: float | None = None
    turns: tuple[float, ...] = ()
    heading: int = 0
    conflicts: tuple[float, ...] = ()
    contest: float | None = None
    pushes: int = 0
    good: dict[str, Good] = {}
    covered: tuple[str, ...] = ()
    spare: dict[str, float] = {}
    sized: bool = False
    carries: dict[str, Known] = {}
    learned: dict[str, Learned] = {}
    taught: dict[str, float] = {}
    shadow: Shadow | None = None
    recycling: Recycling = NOTHING

    @property
    def lead(self) -> float:
        """Seconds from order to ready: as measured, or a cautious default."""
        return DEFAULT_LEAD_S if self.lead_s is None else self.lead_s

    def contested(self, now: float) -> bool:
        """True after the third conflict in ten minutes, until ten minutes have passed without one."""
        return self.contest is not None and now - self.conflicts[-1] < CONFLICT_S

    def held(self, count: int, for_s: float, now: float, because: str) -> Memory:
        """The memory with a seed of this count for so many seconds; one that still holds is not weakened by it."""
        until, seed = now + for_s, self.seed
        if seed is not None and now < seed.until:
            count, until = max(count, seed.count), max(until, seed.until)
        return msgspec.structs.replace(self, seed=Seed(count, until, because))


class Shadow(msgspec.Struct, frozen=True, gc=False):
    """The other algorithm's count in the shadow, and what it remembers; of loads both know the same."""

    count: int
    memory: Memory


def measures(signal: Signal) -> str:
    """A word that changes whenever what a signal measures does."""
    what = signal.prometheus or signal.scrape or signal.push or signal.resource
    return f"{signal.source}:{what}:{signal.reduce}" + (f":{signal.container}" if signal.container else "")


def fingerprint(policy: Policy) -> str:
    """A word that changes whenever the signals do, so that wishes of other signals are not mixed up."""
    return "|".join(
        f"{s.name}:{measures(s)}:{s.per_replica}:{s.value}:{s.utilization}:{s.steps}" for s in policy.signals
    )


def first_sight(policy: Policy, now: float) -> Memory:
    """The memory of a workload never seen before."""
    return Memory(first_seen=now, fingerprint=fingerprint(policy))


def after_kill(memory: Memory) -> Memory:
    """The memory of a daemon that did not stop cleanly: minutes may be missing, so it is not trusted to shrink yet.

    The count may have changed by our own hand since, and what was quiet may have asked for more.
    """
    return msgspec.structs.replace(memory, reseed="a restart", known=None, quiet=None)


def clamped(memory: Memory, now: float) -> Memory:
    """The memory with nothing in it from the future, which is where a clock that was set back leaves facts.

    Wishes and changes count as if they were of now: they hold a service up for a window more, never let it go.
    """

    def past(at: float | None) -> float | None:
        return None if at is None else min(at, now)

    def order(made: Applied | None) -> Applied | None:
        return None if made is None else Applied(made.before, made.count, min(made.at, now), past(made.ready))

    seed, accepted = memory.seed, memory.accepted
    future = accepted is not None and accepted > now
    if seed is not None:  # what was left of it is left of it
        until = seed.until - accepted + now if accepted is not None and future else seed.until
        seed = Seed(seed.count, min(until, now + LONGEST_HOLD_S), seed.because)
    return msgspec.structs.replace(
        memory,
        first_seen=min(memory.first_seen, now),
        history=_until(memory.history, now),
        accepted=past(memory.accepted),
        applied=order(memory.applied),
        raised=order(memory.raised),
        seed=seed,
        reseed="a clock that was set back" if future else memory.reseed,
        idle=past(memory.idle),
        quiet=None if future else past(memory.quiet),
        quiet_at=min(memory.quiet_at, now),
        unread={name: min(at, now) for name, at in memory.unread.items()},
        zero=past(memory.zero),
        turns=tuple(min(at, now) for at in memory.turns),
        conflicts=tuple(min(at, now) for at in memory.conflicts),
        contest=past(memory.contest),
        good={name: Good(each.load, min(each.at, now)) for name, each in memory.good.items()},
        shadow=None if future else memory.shadow,
        recycling=lineage.clamped(memory.recycling, now),
    )


def _until(history: History, now: float) -> History:
    wishes = history.recommendations
    return History(
        None if wishes is None else tuple(Recommendation(each.replicas, min(each.at, now)) for each in wishes),
        tuple(Event(each.change, min(each.at, now), each.outdated) for each in history.ups),
        tuple(Event(each.change, min(each.at, now), each.outdated) for each in history.downs),
    )


def uncertain(memory: Memory) -> Memory:
    """The memory once we did not get all we ordered: the count seen next is nobody else's doing."""
    return msgspec.structs.replace(memory, known=None)


def on_record(memory: Memory, count: int, now: float) -> Memory:
    """The memory of a process that died after an order of its own was on record, which it may not tell of.

    A zero is ours then. What else went down counts as if it were of now: it is not done again before its time.
    """
    last = memory.known if memory.applied is None else memory.applied.count
    if memory.applied is not None and memory.applied.count == count:
        return memory
    if count == 0:
        order = Applied(1 if memory.applied is None else memory.applied.count, 0, now)
        return msgspec.structs.replace(memory, applied=order, stands=0, known=None, idle=now)
    if last is None or last <= count:
        return memory
    past = memory.history
    downs = (*past.downs, Event(last - count, now))
    return msgspec.structs.replace(memory, history=History(past.recommendations, past.ups, downs))


def conflicted(memory: Memory, now: float) -> Memory:
    """The memory after somebody else changed the count: the third time in ten minutes makes it contested.

    A change that answers a push of ours within ten minutes goes on with the contest: we pushed that late ourselves.
    """
    pushed = memory.pushes > 0 and memory.applied is not None and now - memory.applied.at < CONFLICT_S
    goes_on = memory.contest is not None and (memory.contested(now) or pushed)
    recent = tuple(at for at in memory.conflicts[1 - CONFLICTS_KEPT :] if now - at < CONFLICT_S)
    contest = memory.contest if goes_on else (now if len(recent) + 1 >= CONFLICTS else None)
    pushes = memory.pushes if goes_on else 0
    return msgspec.structs.replace(memory, conflicts=(*recent, now), contest=contest, pushes=pushes)


def ordered(memory: Memory, order: Applied, history: History, *, idle: bool, reversals: int) -> Memory:
    """The memory after the platform accepted an order of ours; `idle` where it was one to idle.

    `reversals` is how many changes of direction the policy's budget allows: so many of them are worth remembering.
    """
    rises = order.count > order.before
    heading = 1 if rises else -1
    turns = memory.turns
    if memory.heading == -heading:
        turns = (*turns, order.at)
    return msgspec.structs.replace(
        memory,
        history=history,
        applied=order,
        raised=order if rises else memory.raised,
        spare={},
        stands=order.count,
        known=order.count,
        heading=heading,
        turns=turns[-reversals:] if reversals else (),
        idle=order.at if idle else None,
        zero=None if order.count else memory.zero,
        pushes=memory.pushes + 1 if memory.contested(order.at) else memory.pushes,
    )
