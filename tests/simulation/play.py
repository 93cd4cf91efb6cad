"""Plays stories, and finds the shortest one that still breaks a rule."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass

from tests.simulation.story import Told
from tests.simulation.world import World
from tests.support.virtual import Stuck, run

ATTEMPTS = 150


@dataclass(frozen=True)
class Result:
    """What became of one story: the rules that were broken, and how many checks were made."""

    told: Told
    broken: tuple[str, ...]
    checked: int


def play(told: Told) -> Result:
    """One world from beginning to end; the same story always ends the same way."""

    async def story() -> Result:
        world = World(told)
        await world.play()
        return Result(told, tuple(world.rules.broken), world.rules.checked)

    # A killed daemon's tasks never end; that they are thrown away at the end is no news.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    sys.unraisablehook = lambda unraisable: None
    try:
        return run(story())
    except Stuck as stuck:
        return Result(told, (f"no task can go on: {stuck}",), 0)


def shortened(result: Result) -> Result:
    """The same failure with as few events as can be found: halves are left out first, then single ones."""
    rule = _rule(result)
    size, left = max(1, len(result.told.events) // 2), ATTEMPTS
    while left > 0:
        shorter = False
        for start in range(0, len(result.told.events), size):
            left -= 1
            again = play(result.told.without(result.told.events[start : start + size]))
            if again.broken and _rule(again) == rule:
                result, shorter = again, True
                break
            if left <= 0:
                break
        if not shorter:
            if size == 1:
                break
            size = max(1, size // 2)
    return result


def _rule(result: Result) -> str:
    return result.broken[0].split(": ")[1]
