"""One 15-s bin of many series: first learn from what came, then say what is to be expected.

`docs/adaptive.md` says in words what is done here. Everything is reckoned along the first axis, one series per row, and
no sum runs over it: a series gives the same numbers alone and among a thousand.
"""

from __future__ import annotations

import numpy as np

from autoscaler.decide.adaptive.series import BIN_S, LEAST_BINS, SIZING
from autoscaler.decide.adaptive.state import (
    CLASSES,
    DAY_S,
    EDGES,
    RATES,
    RING,
    SCALES,
    SLOTS,
    Floats,
    Ints,
    State,
    classes,
)

TRIGGER = 0.02  # risk that more comes which must be there before the count grows
GROWTH = 2.0 ** (BIN_S / (7 * DAY_S))  # half of the weight of an error is gone after a week
HEAVIEST = 1000.0
FORGET, WIDEST = 0.9995, 100.0  # the regressions forget only while their covariance is small
PROVEN_LEVEL, PROVEN_MINUTE = 960, 2880  # bins before the learned level, and the minute of the hour, may count
OVER_BINS = 5760  # the share of surprises is that of about the last day

_RISKS = np.array([SIZING, TRIGGER])
_SPANS = np.array([2, 4, 8, 20, 80])
_COLUMNS = np.arange(RATES)
_EYE = np.arange(5)
_BOTH = np.array([[[0], [1]]])
_SPEEDS = np.array([0.01, 0.1])


def advance(state: State, at: Floats, rate: Floats, unit: Floats, lead: Ints) -> None:
    """Take one bin into each record, in place.

    `at` is when the bin ended (seconds, the clock of days and hours), `rate` its mean load, `unit` the load that a
    single instance carries, `lead` the bins until an instance ordered now would be seen to help.
    """
    rates, first = state["rates"], state["first"].astype(np.int64) + 1
    rates[:, :-1] = rates[:, 1:]
    rates[:, -1] = rate
    state["first"] = first
    state["bins"] += 1
    change = np.where(first > 1, np.log((rate + unit) / (rates[:, -2] + unit)) ** 2, np.nan)
    volatility = state["volatility"]
    state["volatility"] = np.where(
        first[:, None] > 1, volatility + _SPEEDS * (change[:, None] - volatility), volatility
    )
    weight = state["weight"] * GROWTH
    heavy = weight > HEAVIEST
    if heavy.any():
        state["histogram"][heavy] /= weight[heavy, None, None]
        state["total"][heavy] /= weight[heavy, None]
        weight = np.where(heavy, 1.0, weight)
    state["weight"] = weight
    due = np.flatnonzero(first - lead >= LEAST_BINS)
    if due.size:
        _learn(state, due, first[due], unit[due], lead[due])
    ready = np.flatnonzero(first >= LEAST_BINS)
    if ready.size:
        _expect(state, ready, first[ready], at[ready], unit[ready], lead[ready])


def _learn(state: State, rows: Ints, first: Ints, unit: Floats, lead: Ints) -> None:
    """Compare what was expected a lead time ago with the most that came since."""
    told = state["waiting"][rows, (first - 1 - lead) % RING]
    level = told["level"].astype(np.float64)
    recent = np.where(RATES - lead[:, None] <= _COLUMNS, state["rates"][rows], 0.0)
    came = np.log(recent.max(axis=1) + unit)
    error = came - level[:, 0]
    _count(state, rows, told["scale"], told["minute"], classes(error))
    target = np.empty((rows.size, 2))
    target[:, 0] = np.minimum(np.maximum(came - level[:, 1], -2.0), 3.0)
    target[:, 1] = np.log(np.abs(error) + 0.01)
    _regress(state, rows, told["x"].astype(np.float64), target)
    quantile = told["quantile"].astype(np.float64)
    missed = error[:, None] - quantile
    loss = state["loss"][rows]
    paid = np.where(missed > 0, 0.985 * missed, -0.015 * missed)[:, :2]
    state["loss"][rows] = loss + 1e-4 * (paid - loss)
    learned = state["learned"][rows] + 1
    state["learned"][rows] = learned
    over = state["over"][rows]
    state["over"][rows] = over + ((missed[:, 2] > 0) - over) / np.minimum(learned, OVER_BINS)
    mean = state["error"][rows]
    state["error"][rows] = mean + 0.002 * ((came[:, None] - level[:, 2:]) ** 2 - mean)
    slot = told["slot"]
    grown = np.minimum(state["grown"][rows, slot].astype(np.int64) + 1, 56)
    state["grown"][rows, slot] = grown
    growth = state["growth"][rows, slot].astype(np.float64)
    state["growth"][rows, slot] = growth + (np.minimum(np.maximum(came - level[:, 2], -1.0), 2.0) - growth) / grown


def _count(state: State, rows: Ints, scale: Ints, minute: Ints, kind: Ints) -> None:
    """One more error in the histograms of all, of its likely scale and of its minute."""
    weight = state["weight"][rows, None]
    places = np.zeros((rows.size, 3), np.int64)
    places[:, 1] = scale
    places[:, 1] += 1
    places[:, 2] = minute
    places[:, 2] += 1 + SCALES
    state["histogram"][rows[:, None], places, kind[:, None]] += weight
    state["total"][rows[:, None], places] += weight


def _regress(state: State, rows: Ints, x: Floats, target: Floats) -> None:
    """One step of recursive least squares for the level and for the scale of the error."""
    P, theta = state["P"][rows], state["theta"][rows]
    wrong = target - (x * theta).sum(axis=2)
    px = (P * x[:, :, None, :]).sum(axis=3)
    whole = (FORGET + (x * px).sum(axis=2))[:, :, None]
    # both triangles to the last bit alike: the least difference would double every few hours, and rule after days
    P -= px[:, :, :, None] * px[:, :, None, :] / whole[:, :, :, None]
    narrow = P[:, :, _EYE, _EYE].sum(axis=2) < WIDEST
    state["P"][rows] = np.where(narrow[:, :, None, None], P / FORGET, P)
    state["theta"][rows] = theta + px / whole * wrong[:, :, None]


def _expect(state: State, rows: Ints, first: Ints, at: Floats, unit: Floats, lead: Ints) -> None:
    """Needs for the lead time to come, and what they will be compared with."""
    rates = state["rates"][rows].astype(np.float64)
    rate = rates[:, -1]
    bins = np.minimum(_SPANS, first[:, None])
    row = np.arange(rows.size)
    loads = np.empty((rows.size, 6))
    loads[:, :5] = means = rates[:, ::-1].cumsum(axis=1)[row[:, None], bins - 1] / bins
    loads[:, 5] = rate
    logs = np.log(loads + unit[:, None])
    last, longer, longest, now = logs[:, 0], logs[:, 3], logs[:, 4], logs[:, 5]
    slot = (at % DAY_S * SLOTS / DAY_S).astype(np.int64)
    known = (state["grown"][rows, slot] >= 8) & (first > 20)
    x = np.ones((rows.size, 2, 5))
    x[:, 0, 1] = longer - last
    x[:, 0, 2] = longest - last
    x[:, 0, 3] = np.where(known, state["growth"][rows, slot], 0.0)
    x[:, 0, 4] = now - last
    theta = state["theta"][rows]
    guess = last + (x[:, 0] * theta[:, 0]).sum(axis=1)
    slope = (means[:, 1] - (2 * means[:, 2] - means[:, 1])) / 4
    steep = np.log(np.minimum(means[:, 0] + np.maximum(slope, 0.0) * lead, 2 * means[:, 0] + unit) + unit)
    lowest = np.minimum(np.minimum(last, steep), np.minimum(longer, longest))
    highest = np.maximum(np.maximum(last, steep), np.maximum(longer, longest))
    guess = np.minimum(np.maximum(guess, lowest - 0.3), highest + 1.0)
    error = state["error"][rows]
    learned = state["learned"][rows]
    trust = 1 / (error[:, 0] + 1e-6)
    trusted = np.where(learned > PROVEN_LEVEL, 4 / (error[:, 1] + 1e-6), 0.0)
    mixed = (trust * longer + trusted * guess) / (trust + trusted)
    load = np.maximum(np.exp(mixed) - unit, 1e-6)
    mixed = np.log(load + unit)
    x[:, 1, 1:3] = 0.5 * np.log(state["volatility"][rows] + 1e-6)
    x[:, 1, 3] = mixed - 4.0
    x[:, 1, 4] = np.abs(last - mixed)
    likely = (x[:, 1] * theta[:, 1]).sum(axis=1)
    scale = np.minimum(np.maximum((likely + 4.6) / 0.25, 0.0), SCALES - 1.0).astype(np.int64)
    minute = (at // 60 % 60).astype(np.int64)
    quantile = _quantiles(state, rows, scale, minute)
    loss = state["loss"][rows]
    better = (1 - loss[:, 1] / np.maximum(loss[:, 0], 1e-12)) / 0.2
    gate = np.where(learned > PROVEN_MINUTE, np.minimum(np.maximum(better, 0.0), 1.0), 0.0)[:, None]
    used = (1 - gate) * quantile[:, 0] + gate * quantile[:, 1]
    need = (load + unit)[:, None] * np.exp(used) - unit[:, None]
    need = np.where(rate[:, None] > need, 1.1 * rate[:, None], need)
    needs = state["needs"]
    needs[rows, :-1] = needs[rows, 1:]
    needs[rows, -1] = need[:, 0]
    state["trigger"][rows] = need[:, 1]
    told = np.empty(rows.size, state["waiting"].dtype)
    told["level"][:, 0], told["level"][:, 1] = mixed, last
    told["level"][:, 2], told["level"][:, 3] = longer, guess
    told["quantile"][:, :2] = quantile[:, :, 0]
    told["quantile"][:, 2] = used[:, 0]
    told["x"] = x
    told["scale"], told["minute"], told["slot"] = scale, minute, slot
    state["waiting"][rows, (first - 1) % RING] = told


def _quantiles(state: State, rows: Ints, scale: Ints, minute: Ints) -> Floats:
    """Upper quantiles of the error at both risks: [series, by scale or also by minute, risk]."""
    places = np.zeros((rows.size, 3), np.int64)
    places[:, 1] = 1 + scale
    places[:, 2] = 1 + SCALES + minute
    counts = state["histogram"][rows[:, None], places].astype(np.float64)
    total = state["total"][rows[:, None], places].astype(np.float64)
    share = counts / np.maximum(total, 1e-30)[:, :, None]
    seen = total / state["weight"][rows, None]
    mix = seen / (seen + np.array([1.0, 250.0, 60.0]))
    spread = np.empty((rows.size, 2, CLASSES))
    spread[:, 0] = share[:, 0] + mix[:, 1, None] * (share[:, 1] - share[:, 0])
    spread[:, 1] = spread[:, 0] + mix[:, 2, None] * (share[:, 2] - spread[:, 0])
    tails = np.zeros((rows.size, 2, CLASSES + 1))
    tails[:, :, :-1] = spread[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    place = (tails[:, :, 1:CLASSES, None] > _RISKS).sum(axis=2)
    row = np.arange(rows.size)[:, None, None]
    here, after = tails[row, _BOTH, place], tails[row, _BOTH, place + 1]
    low = EDGES[place]
    inside = (here - _RISKS) / np.maximum(here - after, 1e-12) * (EDGES[place + 1] - low)
    return np.where(place > 0, low + inside, 0.0)
