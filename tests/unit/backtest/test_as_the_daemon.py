"""What a policy test foretells is what a whole daemon does, with the same loads on a simulated platform."""

from __future__ import annotations

import asyncio
import random

import pytest

from autoscaler.backtest.notation import MISSING, printed
from autoscaler.backtest.scenario import judge
from autoscaler.backtest.scenario_load import load
from autoscaler.policy.load import load as load_policies
from tests.support.virtual import START, run
from tests.unit.loop.house import POLICY, WEB, House

CYCLES = 160
WORDS = ("0", "40", "90", "250", "430", "1200", "none", "nan", "down")
IDLE = POLICY.replace("signals: [", "idle: {after: 1m}\nsignals: [{name: door, prometheus: door, wake_above: 50}, ")
POLICIES = {
    "quick": POLICY,
    "smoothed": POLICY.replace("{down: {stabilization: 0s}}", "{down: {stabilization: 1m, tolerance: 20%}}"),
    "in steps": POLICY.replace("{down: {stabilization: 0s}}", "{up: {rates: [{replicas: 2, per: 30s}]}}"),
    "by ratio": POLICY.replace("per_replica: 100", "value: 200"),
    "idle": IDLE,
}


def loads(dice: random.Random, signals: int) -> list[list[str]]:
    """Loads that stay for a while, one word per cycle."""
    found: list[list[str]] = [[] for _ in range(signals)]
    for each in found:
        while len(each) < CYCLES:
            each += [dice.choice(WORDS)] * dice.choice([1, 2, 5, 20])
    return [each[:CYCLES] for each in found]


async def lived(policy: str, signals: dict[str, list[str]], hands: dict[int, int]) -> list[int]:
    """The count after each cycle of a daemon. Before the cycles in `hands` somebody else sets a count."""
    house = House(policy, count=1, start_s=10.0)
    counts: list[int] = []
    async with house.running():
        for cycle in range(CYCLES):
            for name, words in signals.items():
                word = words[cycle]
                house.dial.values[name] = MISSING.get(word) or float(word)
            if cycle in hands:
                house.fleet.set_count(WEB, hands[cycle], by="kubectl")
            await asyncio.sleep(15.0)
            counts.append(house.count())
    return counts


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_a_policy_test_foretells_what_the_daemon_does(policy: str, seed: int) -> None:
    (placed,) = load_policies([("web.yaml", policy)], "r").placed
    names = [signal.name for signal in placed.policy.signals]
    dice = random.Random(seed)
    signals = dict(zip(names, loads(dice, len(names)), strict=True))
    hands = {dice.randrange(1, CYCLES): dice.randrange(1, 9) for _ in range(seed)}
    written = ", ".join(f"{name}: {printed(words)}" for name, words in signals.items())
    events = ", ".join(f"{{at: {15 * cycle}s, replicas: {count}, by: kubectl}}" for cycle, count in hands.items())
    text = f"name: x\nload: {{{written}}}\nready_after: 10s\ntime: 2001-09-09 01:46:40Z\nevents: [{events}]\n"
    (scenario,) = load([("web.test.yaml", text)], [placed], cycle_s=15.0)
    assert scenario.start == START
    foretold = judge(scenario).replicas
    assert foretold.count(" ") > 3, "something happens"
    assert printed([str(each) for each in run(lived(policy, signals, hands))]) == foretold
