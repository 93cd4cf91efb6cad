"""Many policies read while the daemon runs: its loop has time for others, and what did not change is not read again."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator

import pytest

from autoscaler.errors import PolicyError
from autoscaler.policy.load import load
from autoscaler.policy_wiring import loading, proved
from autoscaler.settings import Settings
from autoscaler.simulate import POLICY

FILES, IN_EACH = 10, 40
GRAIN_S = 0.01


def texts(*changed: int) -> list[tuple[str, str]]:
    return [
        (
            f"{file}.yaml",
            "---\n".join(
                POLICY.format(
                    name=f"p{file}-{number}",
                    project=f"p{file}",
                    service=f"s{number}",
                    most=40 if file in changed else 30,
                )
                for number in range(IN_EACH)
            ),
        )
        for file in range(FILES)
    ]


@pytest.fixture
def young() -> Iterator[None]:
    """What other tests of this process left is not walked by the garbage collector: its cost is not ours."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("young")
async def test_the_loop_goes_on_while_policies_are_read_and_a_change_costs_only_its_file() -> None:
    load = loading(Settings())
    gaps = [0.0]

    async def beat() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(GRAIN_S)
            gaps.append(time.monotonic() - before - GRAIN_S)

    beating = asyncio.create_task(beat())
    began, cpu = time.monotonic(), time.process_time()
    first = await load(texts(), "1")
    took, all_s = time.monotonic() - began, time.process_time() - cpu
    beating.cancel()
    assert len(gaps) > 5, "it beat meanwhile"
    assert max(gaps) < took / 2
    cpu = time.process_time()
    second = await load(texts(3), "2")
    assert time.process_time() - cpu < all_s / 2
    same = [before is after for before, after in zip(first.policies, second.policies, strict=True)]
    assert same == [index // IN_EACH != 3 for index in range(FILES * IN_EACH)]


def test_policy_tests_that_come_with_a_set_are_run_and_those_that_fail_are_told_with_their_place() -> None:
    policy = (
        "name: web\ntarget: {compose: {project: shop, service: web}}\nreplicas: {min: 2, max: 12}\n"
        "signals: [{name: load, prometheus: load, per_replica: 8}]\n"
    )
    loaded = load([("policies/web.yaml", policy)], "r1")
    passes = "name: grows\nload: 16x4 48x6\nreplicas: 2x4 6x6\n"
    proved(Settings(), loaded, [("policies/web.test.yaml", passes)])
    for wrong, said in (
        (passes.replace("6x6", "5x6"), "policies/web.test.yaml:1:1: this test fails: grows: replicas"),
        (passes.replace("load", "lode"), "policies/web.test.yaml:2:1: lode"),
    ):
        with pytest.raises(PolicyError) as told:
            proved(Settings(), loaded, [("policies/web.test.yaml", wrong)])
        assert told.value.problems[0].startswith(said)
