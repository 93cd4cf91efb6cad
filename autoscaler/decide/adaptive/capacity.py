"""How much one instance carries: learned from CPU or waits, corrected by what is served when all are busy and how well.

`docs/adaptive.md` says in words what is done here. Pure, one look at a time; nothing here asks for a count.
"""

from __future__ import annotations

import math

import msgspec

from autoscaler.decide.adaptive.waiting import Waits, waited

LOOK_S = 15.0  # time between two looks, whatever the cycle is
EARLY = 0.1  # of it: cycles are not always on time
TOO_OLD_S = 14 * 86_400.0  # what was learned so long ago is of another service
LONGEST_S = 150.0  # without a look: after more the counts before it tell nothing
STEADY = 4  # looks whose ready counts may belong to one reading
FURTHEST = 0.7  # of the logarithm: half to twice of what was said
GAIN = 0.01  # of the share of bad requests, per look
ALL_SLOW = 0.9  # share of bad requests, with which the least that is not served shows that all are busy
UNSERVED, BEHIND = 0.001, 0.02  # of what comes; the second where nothing is known of bad requests
LEVEL = 1.02  # what is served is level while it grows by less
DOWN = 0.3  # of the way to what was served when all were busy
PROOFS = 8  # looks with all busy before a capacity is known from them alone
SLOW_LOOKS = 5760  # the share of bad requests is that of about the last day
HALF_S = 2 * 86_400.0  # half of the weight of a look is gone after it
KEPT = 2.0 ** (-LOOK_S / HALF_S)
ALIKE = 20.0  # looks that say together about as much as one: their errors last for minutes
LEAST_LOOKS = 240  # an hour
BUSIEST = 0.97  # beyond, CPU says no more about the load
IDLE_OFF = 0.05  # of CPU: so much an idle instance may use
WIDEST = 0.25  # of the mean load per instance: looks that lie further from the line are not about the load
SURE = 0.1  # of the capacity: twice its likely error must be below it

BY_CPU, BY_WAITS = "how busy they are", "how long requests take"

Sums = tuple[float, float, float, float, float, float]  # of 1, x, u, x², xu, u²; x is load per instance, u its CPU
NOTHING: Sums = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


class Look(msgspec.Struct, frozen=True):
    """One look at a service: `load` comes, `served` of it is answered, `busy` is the mean share of CPU in use.

    `took` is what a request took on average and `service_s` what it takes on an idle instance, both in seconds.
    `slow` is the share of bad requests among `counted` of them, and `aim` the one that is wanted. `decides` says that
    the count was sized by this capacity, `most` that it can grow no further. `said` is the capacity as written. None:
    not known.
    """

    of: str
    ready: int
    load: float | None = None
    served: float | None = None
    busy: float | None = None
    took: float | None = None
    service_s: float | None = None
    slow: float | None = None
    counted: float = 1.0
    aim: float | None = None
    said: float | None = None
    decides: bool = False
    most: bool = False


class Learned(msgspec.Struct, frozen=True):
    """A capacity, twice its likely error as a share of it, and what it was learned from."""

    fit: float
    off: float
    by: str


class Known(msgspec.Struct, frozen=True):
    """What is known of one signal's capacity.

    `of` names what is measured and what was said, `at` is the time of the last look and `ready` the counts of the last
    ones. `top` is the most that one was seen to serve when all were busy, in `proofs` looks; `last` what one served in
    the look before, and `behind` that it was too little then. `room` is the logarithm of what the objective makes of
    the capacity, `slow` the share of bad requests of late, over `slow_looks` with `counted` of them in each. `sums` are
    what CPU was learned from, `fit` the capacity by it and `off` twice its likely error as a share of it. `waits` is
    what latency told.
    """

    of: str
    at: float
    ready: tuple[int, ...] = ()
    top: float | None = None
    proofs: int = 0
    last: float | None = None
    behind: bool = False
    room: float = 0.0
    slow: float = 0.0
    slow_looks: int = 0
    counted: float = 0.0
    sums: Sums = NOTHING
    fit: float | None = None
    off: float | None = None
    waits: Waits = Waits()

    @property
    def learned(self) -> Learned | None:
        """The capacity that CPU or waits tell, whichever is known better."""
        found = [
            Learned(fit, off, by)
            for fit, off, by in ((self.fit, self.off, BY_CPU), (self.waits.fit, self.waits.off, BY_WAITS))
            if fit is not None and off is not None
        ]
        return min(found, key=lambda each: each.off, default=None)

    def carries(self, said: float | None) -> float | None:
        """The most that one can serve: as said or else learned, at most what was seen when all were busy."""
        found = said
        if found is None and (learned := self.learned) is not None:
            found = learned.fit * (1.0 - learned.off)
        if found is None:
            return self.top if self.proofs >= PROOFS else None
        return found if self.top is None else min(found, self.top)

    @property
    def factor(self) -> float:
        """What the objective makes of it."""
        return math.exp(self.room)


def looked(before: Known | None, look: Look, now: float) -> Known:
    """What is known after this look. A look that comes too early, or in which nothing is ready, adds nothing."""
    fresh = before is None or before.of != look.of or not -TOO_OLD_S < now - before.at < TOO_OLD_S
    known = Known(look.of, now - LOOK_S) if fresh or before is None else before
    if now < known.at:
        known = msgspec.structs.replace(known, at=now, ready=(), last=None, behind=False)
    if now - known.at < LOOK_S * (1.0 - EARLY):
        return known
    gap = now - known.at > LONGEST_S
    ready = ((() if gap else known.ready) + (look.ready,))[-STEADY:]
    known = msgspec.structs.replace(known, at=now, ready=ready)
    if len(ready) < STEADY or min(ready) < 1:
        return msgspec.structs.replace(known, last=None, behind=False)
    return _by_share(_by_waits(_by_cpu(_by_served(known, look), look), look), look)


def _by_served(known: Known, look: Look) -> Known:
    """What one serves when all are busy; only ever less than thought, until one was seen to serve more."""
    load, served = look.load, look.served
    if load is None or served is None or load <= 0:
        return msgspec.structs.replace(known, last=None, behind=False)
    most, least = served / min(known.ready), served / max(known.ready)
    if look.slow is not None:
        full = look.slow > ALL_SLOW and served < (1.0 - UNSERVED) * load
        behind = full
    else:
        behind = served < (1.0 - BEHIND) * load
        full = behind and known.behind and known.last is not None and most < known.last * LEVEL
    top = known.top
    if full and most > 0:
        believed = known.carries(look.said)
        start = most if believed is None else believed
        if most <= start:
            top = math.exp((1.0 - DOWN) * math.log(start) + DOWN * math.log(most))
    if top is not None and least > top:
        top = least
    learned = known.learned
    said = look.said if look.said is not None or learned is None else learned.fit
    if said is not None and top is not None:
        top = max(top, said * math.exp(-FURTHEST))
    return msgspec.structs.replace(known, top=top, proofs=known.proofs + full, last=most, behind=behind)


def _by_share(known: Known, look: Look) -> Known:
    """The outer loop: more room while more requests are bad than wanted, less while fewer are."""
    if look.slow is None or look.aim is None or not look.decides:
        return known
    wrong = look.aim - look.slow
    room = known.room
    if wrong > 0 or not look.most:
        room = min(max(room + GAIN * wrong, -FURTHEST), FURTHEST)
    looks = min(known.slow_looks + 1, SLOW_LOOKS)
    before, new = known.counted * (looks - 1) / looks, look.counted / looks
    counted = before + new
    slow = (before * known.slow + new * look.slow) / counted if counted > 0 else known.slow
    return msgspec.structs.replace(known, room=room, slow=slow, slow_looks=looks, counted=counted)


def _by_cpu(known: Known, look: Look) -> Known:
    """The line from CPU to load per instance, up to where CPU is all in use. Only while the count stands still."""
    load, busy, ready = look.load, look.busy, known.ready
    if load is None or busy is None or min(ready) != max(ready) or not 0 < busy < BUSIEST or load <= 0:
        return known
    x = load / ready[-1]
    new = (1.0, x, busy, x * x, x * busy, busy * busy)
    sums: Sums = tuple([KEPT * old + more for old, more in zip(known.sums, new, strict=True)])
    if sums[0] < LEAST_LOOKS:
        return msgspec.structs.replace(known, sums=sums)
    fit, off = fitted(sums)
    sure = off <= (SURE if known.fit is None else 2.0 * SURE)
    return msgspec.structs.replace(known, sums=sums, fit=fit if sure else None, off=off)


def _by_waits(known: Known, look: Look) -> Known:
    """What one carries by how long requests take. Only while the count stands still."""
    load, took, service_s, ready = look.load, look.took, look.service_s, known.ready
    if load is None or took is None or service_s is None or min(ready) != max(ready) or load <= 0:
        return known
    return msgspec.structs.replace(known, waits=waited(known.waits, ready[-1], load, took, service_s, KEPT, SURE))


def fitted(sums: Sums) -> tuple[float, float]:
    """The load with which one instance is fully busy, and twice its likely error as a share of it.

    A line through the looks, held near no load at no CPU: an idle instance may use a little. What is measured late or
    unevenly makes it flatter, and so the capacity smaller.
    """
    n, sx, su, sxx, sxu, suu = sums
    wide, tall, both = suu - su * su / n, sxx - sx * sx / n, sxu - sx * su / n
    slope = both / wide if wide > 0 else 0.0
    mean = sx / su  # one instance's load, fully busy, as if there were no more to it
    apart = max((tall - slope * both) / n, 1e-6 * mean * mean)
    noise = apart * ALIKE  # of a look, if each said something new
    a11, a12, a22 = n / noise + 1.0 / (IDLE_OFF * mean) ** 2, su / noise, suu / noise
    whole = a11 * a22 - a12 * a12
    idle, slope = (a22 * sx - a12 * sxu) / noise / whole, (a11 * sxu - a12 * sx) / noise / whole
    variance = (a22 - 2.0 * a12 + a11) / whole
    capacity = idle + slope
    if capacity <= 0 or math.sqrt(apart) > WIDEST * sx / n:
        return capacity, 1.0
    return capacity, min(2.0 * math.sqrt(max(variance, 0.0)) / capacity, 1.0)
