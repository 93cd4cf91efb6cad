"""How much one instance carries, learned from how long requests take: the fuller instances are, the longer they wait.

The closed form of the wait is turned round: a wait at a load says how full the instances are, and so what each could
carry. It says most where they are nearly full. `docs/adaptive.md` says in words what is done here. Pure.
"""

from __future__ import annotations

import math

import msgspec

from autoscaler.decide.adaptive.carried import FULLEST, wait

LEAST_WAIT = 0.1  # in service times: below it the wait is lost in what requests differ by
FULL = 0.97  # share of capacity in use, beyond which the queue is no steady one
EMPTY = 0.05  # below it nothing is told
SAME_LOAD = 0.05  # two looks belong together where the load of one instance differs by less
SAME_WAIT = 2.0  # and their waits by less than this factor
LEAST_LOOKS = 60  # a quarter of an hour of waits
DAY_S = 86_400.0
ALIKE = 20.0  # looks that say together about as much as one
WIDEST = 0.25  # spread of the logarithm: what differs so much is not about the load
FORM = 0.25  # of what is free: likely error because a real queue is not the closed form's
STEPS = 30  # halvings

Sums = tuple[float, float, float, float, float]  # looks; weights; weights times ln c, (ln c)², what is free
NOTHING: Sums = (0.0, 0.0, 0.0, 0.0, 0.0)


class Waits(msgspec.Struct, frozen=True):
    """What waits have told so far.

    `carried` is the most that one instance was seen to answer without a wait, of late; `rate` the load of one and
    `over` the wait, in service times, of the look before. `fit` is the capacity, `off` twice its likely error as a
    share of it.
    """

    carried: float = 0.0
    rate: float = 0.0
    over: float = 0.0
    sums: Sums = NOTHING
    fit: float | None = None
    off: float | None = None


def waited(before: Waits, ready: int, load: float, took: float, service_s: float, kept: float, sure: float) -> Waits:
    """What is known after a look at a steady count: `took` seconds passed per request, `service_s` on an idle instance.

    `kept` is what is kept of the weight of the looks before, `sure` the error with which a capacity counts as known.
    """
    rate, over = load / ready, took / service_s - 1.0
    alike = abs(rate - before.rate) <= SAME_LOAD * rate
    quiet = max(over, before.over) < LEAST_WAIT
    carried = before.carried * 2.0 ** (-15.0 / DAY_S)
    known = msgspec.structs.replace(
        before, carried=max(carried, rate) if alike and quiet else carried, rate=rate, over=over
    )
    steady = alike and before.over / SAME_WAIT <= over <= before.over * SAME_WAIT
    found = implied(ready, rate, over, service_s) if steady and over >= LEAST_WAIT else None
    if found is None or found < known.carried:  # what is slow below what was carried well waits for something else
        return known
    free = 1.0 - rate / found
    weight, log = 1.0 / free**2, math.log(found)
    looks, weights, told, squares, frees = before.sums
    sums: Sums = (
        kept * looks + 1.0,
        kept * weights + weight,
        kept * told + weight * log,
        kept * squares + weight * log**2,
        kept * frees + weight * free,
    )
    if sums[0] < LEAST_LOOKS:
        return msgspec.structs.replace(known, sums=sums)
    fit, off = fitted(sums)
    within = off <= (sure if before.fit is None else 2.0 * sure)
    return msgspec.structs.replace(known, sums=sums, fit=max(fit, known.carried) if within else None, off=off)


def implied(ready: int, rate: float, over: float, service_s: float) -> float | None:
    """The capacity of one of so many instances, where each gets `rate` and requests wait `over` service times.

    None where the queue is beyond any steady one, or says next to nothing.
    """
    least, most = rate / FULL, rate / EMPTY
    if not (_wait(ready, rate, most, service_s) < over < _wait(ready, rate, least, service_s)):
        return None
    for _ in range(STEPS):
        middle = math.sqrt(least * most)
        if _wait(ready, rate, middle, service_s) > over:
            least = middle
        else:
            most = middle
    return most


def fitted(sums: Sums) -> tuple[float, float]:
    """The capacity that waits tell together, and twice its likely error as a share of it.

    >>> capacity, off = fitted((400.0, 400.0, 400 * math.log(10), 400 * math.log(10) ** 2 + 4, 400 * 0.1))
    >>> round(capacity, 3), round(off, 3)
    (10.0, 0.067)
    """
    looks, weights, told, squares, free = sums
    mean = told / weights
    spread = max(squares / weights - mean**2, 0.0)
    if spread > WIDEST**2:
        return math.exp(mean), 1.0
    off = 2.0 * math.sqrt(spread * ALIKE / looks + (FORM * free / weights) ** 2)
    return math.exp(mean), min(off, 1.0)


def _wait(ready: int, rate: float, capacity: float, service_s: float) -> float:
    """In service times; an instance works on `capacity` times `service_s` requests at a time."""
    return wait(ready * max(1.0, capacity * service_s), min(rate / capacity, FULLEST))
