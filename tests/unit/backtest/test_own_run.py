"""A daemon's own run, recorded as it read it and replayed: the same counts at the same cycles."""

from __future__ import annotations

import asyncio
import math
import random

import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Candidate, backtest
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.loop.foresee import asks_of
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.policy.load import load
from tests.support.virtual import START, run
from tests.unit.loop.house import POLICY, WEB, House

CYCLE_S = 15.0
BEATS = 400
HOLE = Missing(MissingWhy.EMPTY, "not set")
STEADY = POLICY.replace("{down: {stabilization: 0s}}", "{down: {stabilization: 2m}}")


def told(seed: int) -> list[float | Missing]:
    """A load that wanders and jumps, with holes."""
    dice = random.Random(seed)
    level, values = 400.0, list[float | Missing]()
    for beat in range(BEATS):
        level = min(max(level + dice.gauss(0, 30), 0.0), 1100.0)
        jump = 400.0 if dice.random() < 0.02 else 0.0
        hole = dice.random() < 0.03 or beat % 130 > 120
        values.append(HOLE if hole else round(level + jump + 100 * math.sin(beat / 20), 3))
    return values


async def lived(policy: str, values: list[float | Missing]) -> list[int]:
    """The counts a daemon had after each of its cycles."""
    house, counts = House(policy, count=4, start_s=5.0), list[int]()
    house.dial.values["load"] = values[0]
    async with house.running():
        await asyncio.sleep(CYCLE_S - 1.0)
        for following in [*values[1:], values[-1]]:
            counts.append(house.count())
            house.dial.values["load"] = following
            await asyncio.sleep(CYCLE_S)
    return counts


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", [POLICY, STEADY], ids=["at once", "smoothed"])
def test_a_replay_of_what_a_daemon_read_has_the_counts_the_daemon_had(policy: str, seed: int) -> None:
    values = told(seed)
    lived_through = run(lived(policy, values))
    (given,) = load([("web.yaml", policy)], "r").policies
    plan = acting(WEB, given)
    (ask,) = asks_of(plan)
    readings: list[Reading] = [each if isinstance(each, Missing) else Series((Point(each),), 1.0) for each in values]
    past = Recording(start=START, every_s=CYCLE_S, beats=BEATS, columns=(recording.column(ask, "web", readings),))
    asked = Asked(count=4, startup_s=5.0)
    (trial,) = backtest([Candidate("web", plan)], past, "x", asked, lambda done, of: None, BEATS).trials
    assert list(trial.curve.desired) == lived_through
    assert len(set(lived_through)) > 4, "something happened"
