"""What a week of a load and of counts says one replica carries: the number a first policy begins with. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal

import msgspec

from autoscaler.backtest.assumed import FULL
from autoscaler.clock import text
from autoscaler.decide.adaptive.capacity import Known, Look, looked
from autoscaler.decide.explain import number, span

STEP_S = 60.0  # between two looks at the past
PASTS_S = 7 * 86_400.0, 86_400.0  # how far is looked back; the second where the first is too much for a server
LEAST_PAST_S = 3600.0
LEAST_RATE = 1.0  # per second at the highest: below, a few requests more or less are all there is
HEADROOM = 2  # the maximum is so many times what the past needed
LEAST_MAX = 4
ALMOST = 0.05  # of a replica: a rate is never quite what was sent

Times = Mapping[float, float]  # seconds since the epoch → value


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """What one replica is to carry (`per_replica`), and where that comes from.

    `capacity` is the most it can, where it was seen with all of them busy. `needs` are the replicas that the highest
    load would need. `thin` says why too little is known to act by it; empty where there is enough.
    """

    per_replica: float
    because: str
    capacity: float | None = None
    needs: int = 1
    thin: str = ""


def carried(load: Times, counts: Times | None, current: int, served: Times | None = None) -> Carried | None:
    """What the past tells; None where there was no load at all.

    `load` and `served` are rates over some minutes, `counts` how many replicas served; None: not known, so as many as
    now are taken to have.
    """
    found = {at: value for at, value in load.items() if math.isfinite(value) and value > 0}
    steady = {at: float(current) for at in found} if counts is None else _steady(counts, found)
    each = {at: _answered(found[at], at, served) / count for at, count in steady.items() if count >= 1}
    if not each or max(each.values()) <= 0:
        return None
    at = max(each, key=lambda when: each[when])
    seen = _capacity(found, counts, served) if counts is not None and served is not None else None
    known_s = max(load) - min(load) + STEP_S
    over = span(round(known_s / 3600) * 3600 if known_s >= 3600 else known_s)
    if seen is not None:
        per_replica = rounded(FULL * seen)
        because = f"{FULL:.0%} of {number(rounded(seen))}, what one answered while all were busy"
    else:
        per_replica = rounded(each[at])
        if counts is None:
            because = f"the highest load of the last {over}, {text(at)[:16]}Z, by the {current} replicas of now"
        else:
            because = f"the most that one carried in the last {over}, {text(at)[:16]}Z"
    return Carried(
        per_replica=per_replica,
        because=because,
        capacity=None if seen is None else rounded(seen),
        needs=max(1, math.ceil(max(found.values()) / per_replica - ALMOST)),
        thin=_thin(known_s, max(found.values())),
    )


def filled(load: Times, since: float, window_s: float) -> Times:
    """The load without the times at which its window reached back to before there was any of it.

    `since` is where the question began: what was there already then is taken to have been there before.
    """
    first = min(load, default=since)
    return load if first <= since + STEP_S else {at: value for at, value in load.items() if at >= first + window_s}


def bounds(current: int, told: Carried | None) -> tuple[int, int]:
    """The minimum and maximum that a first policy has where nobody says others."""
    needs = current if told is None else max(current, told.needs)
    return (2 if current >= 2 else 1), max(LEAST_MAX, HEADROOM * needs)


def rounded(value: float) -> float:
    """A number with two digits, never more than it was.

    >>> rounded(57.39), rounded(573.9), rounded(0.05739), rounded(3.0)
    (57.0, 570.0, 0.057, 3.0)
    """
    exact = Decimal(repr(value))
    return float(exact.quantize(Decimal(1).scaleb(exact.adjusted() - 1), rounding=ROUND_FLOOR))


def _thin(known_s: float, highest: float) -> str:
    if known_s < LEAST_PAST_S:
        return f"only {span(known_s)} of it are known"
    if highest < LEAST_RATE:
        return f"it never was more than {number(highest)} a second"
    return ""


def _answered(load: float, at: float, served: Times | None) -> float:
    """What came, or less where it is known that less was answered."""
    return load if served is None else min(load, served.get(at, load))


def _steady(counts: Times, load: Times) -> dict[float, float]:
    """The count at each time with a load: the largest of it and the looks around it, as windows reach back."""
    around = (-STEP_S, 0.0, STEP_S)
    found = {at: [counts[at + off] for off in around if at + off in counts] for at in load}
    return {at: max(each) for at, each in found.items() if each}


def _capacity(load: Times, counts: Times, served: Times) -> float | None:
    """What adaptive would have found out, had it looked: by its own estimate, from when all were busy."""
    known: Known | None = None
    for at in sorted(load):
        if at in served and counts.get(at, 0) >= 1:
            look = Look(of="past", ready=round(counts[at]), load=load[at], served=served[at])
            known = looked(known, look, at)
    return None if known is None else known.carries(None)
