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

SEEDS = (1, 2, 3, 4, 5)
WORKLOADS, DAYS = 14, 1.0
SHORTER_S = 120.0


def one(seed: int) -> Result:
    """One world; what breaks a rule is shortened."""
    result = play(tell(seed, workloads=WORKLOADS, days=DAYS))
    return Shortening(result, seconds=SHORTER_S).shortest() if result.broken else result


def test_no_rule_is_broken_in_any_world() -> None:
    began = time.monotonic()
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = list(pool.map(one, SEEDS))
    days, checked = WORKLOADS * DAYS * len(SEEDS), sum(result.checked for result in results)
    print(f"{days:.0f} workload-days, {checked} checks in {time.monotonic() - began:.0f} s")
    broken = [(seed, result) for seed, result in zip(SEEDS, results, strict=True) if result.broken]
    told = [report(tell(seed, workloads=WORKLOADS, days=DAYS), result, per_day=60.0) for seed, result in broken]
    assert not broken, "\n".join(told)
    assert checked > 1000 * len(SEEDS), "the rules were looked at"


def test_the_same_story_always_ends_the_same_way() -> None:
    told = tell(3, workloads=4, days=0.25)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        elsewhere = pool.submit(play, told).result()
    assert elsewhere.digest
    assert elsewhere.digest == play(told).digest
    assert elsewhere.digest != play(tell(4, workloads=4, days=0.25)).digest
