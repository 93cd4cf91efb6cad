"""A replay as a picture: fine enough to look at, and no finer."""

from __future__ import annotations

import math

import msgspec

from autoscaler.backtest.scorecard import Played


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """A replay as a picture: one entry per `step_s` seconds from `start`; None where the load is not known.

    `load` and `needed` are the highest in a step, `ready` the least and `desired` the greatest count, `over` what took
    too long.
    """

    start: float
    step_s: float
    load: tuple[float | None, ...]
    needed: tuple[int | None, ...]
    ready: tuple[int, ...]
    desired: tuple[int, ...]
    over: tuple[float, ...]


def curve(played: Played, points: int) -> Curve:
    """The replay as at most so many steps."""
    size = max(1, math.ceil(len(played.times) / points))
    parts = [range(first, min(first + size, len(played.times))) for first in range(0, len(played.times), size)]

    def known(part: range) -> list[int]:
        return [index for index in part if math.isfinite(played.load[index])]

    return Curve(
        start=played.times[0],
        step_s=size * (played.times[1] - played.times[0]) if len(played.times) > 1 else played.lasts(0),
        load=tuple(_short(max((played.load[i] for i in known(part)), default=None)) for part in parts),
        needed=tuple(max((played.needed[i] for i in known(part)), default=None) for part in parts),
        ready=tuple(min(played.ready[i] for i in part) for part in parts),
        desired=tuple(max(played.desired[i] for i in part) for part in parts),
        over=tuple(_short(sum(played.over[i] for i in part)) or 0.0 for part in parts),
    )


def _short(value: float | None) -> float | None:
    """Five digits are more than a picture shows."""
    return None if value is None else float(f"{value:.5g}")


def coarser(fine: Curve, points: int) -> Curve:
    """The same with at most so many steps; peaks of load and counts and lows of what is ready are kept."""
    size = max(1, math.ceil(len(fine.load) / points))
    parts = [slice(first, first + size) for first in range(0, len(fine.load), size)]
    return Curve(
        start=fine.start,
        step_s=size * fine.step_s,
        load=tuple(max((each for each in fine.load[part] if each is not None), default=None) for part in parts),
        needed=tuple(max((each for each in fine.needed[part] if each is not None), default=None) for part in parts),
        ready=tuple(min(fine.ready[part]) for part in parts),
        desired=tuple(max(fine.desired[part]) for part in parts),
        over=tuple(sum(fine.over[part]) for part in parts),
    )
