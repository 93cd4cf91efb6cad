"""Worlds by seed: no rule is broken in any of them, and each plays the same way again."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.simulation.play import Result, play
from tests.simulation.shorten import Shortening, report
from tests.simulation.story import tell

pytestmark = [pytest.mark.simulation, pytest.mark.timeout(1200)]

World = tuple[int, int, float, float]  # a seed, workloads, days, events a day

LARGE: list[World] = [(seed, 200, 1.0, 100.0) for seed in range(1, 11)]  # two thousand days, a fault each 14 minutes
DENSE: list[World] = [(seed, 14, 0.5, 400.0) for seed in range(1, 9)]  # few workloads, a fault every other minute
SHORTER_S = 120.0


def one(world: World) -> Result:
    """One world; what breaks a rule is shortened."""
    seed, workloads, days, per_day = world
    result = play(tell(seed, workloads=workloads, days=days, per_day=per_day))
    return Shortening(result, seconds=SHORTER_S).shortest() if result.broken else result


@pytest.mark.parametrize("worlds", [LARGE, DENSE], ids=["large", "dense"])
def test_no_rule_is_broken_in_any_world(worlds: list[World]) -> None:
    began = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(one, worlds))
    lived = sum(workloads * days for _, workloads, days, _ in worlds)
    print(f"{lived:.0f} workload-days, {sum(each.checked for each in results)} checks", end="")
    print(f" in {time.monotonic() - began:.0f} s")
    broken = [
        report(tell(seed, workloads=workloads, days=days, per_day=per_day), result, per_day=per_day)
        for (seed, workloads, days, per_day), result in zip(worlds, results, strict=True)
        if result.broken
    ]
    assert not broken, "\n".join(broken)
    assert min(each.checked for each in results) > 1000, "the rules were looked at"


def test_the_same_story_always_ends_the_same_way() -> None:
    told = tell(3, workloads=4, days=0.25)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(play, told).result()
    assert elsewhere.digest
    assert elsewhere.digest == play(told).digest
    assert elsewhere.digest != play(tell(4, workloads=4, days=0.25)).digest
