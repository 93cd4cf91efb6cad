"""Plays stories."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from tests.simulation.story import Told
from tests.simulation.world import World
from tests.support.virtual import Stuck, run


@dataclass(frozen=True)
class Result:
    """What became of one story: the rules it broke, how many checks were made, a digest of all that happened."""

    told: Told
    broken: tuple[str, ...]
    checked: int
    digest: str

    @property
    def rule(self) -> str:
        """The name of the rule that was broken first; empty where none was."""
        return self.broken[0].split(": ")[1] if self.broken else ""

    @property
    def at_s(self) -> float:
        """When it was broken, in seconds since the beginning."""
        return float(self.broken[0].split(" ")[0]) if self.broken else 0.0


def play(told: Told) -> Result:
    """One world from beginning to end; the same story always ends the same way."""

    async def story() -> Result:
        world = World(told)
        await world.play()
        return Result(told, tuple(world.rules.broken), world.rules.checked, world.rules.digest.hexdigest()[:16])

    with _in_peace():
        try:
            return run(story())
        except Stuck as stuck:
            return Result(told, (f"0.0 s: time goes on: {stuck}",), 0, "")


@contextlib.contextmanager
def _in_peace() -> Iterator[None]:
    """A killed daemon's tasks never end; that they are thrown away with their world is no news."""
    log, hook = logging.getLogger("asyncio"), sys.unraisablehook
    level = log.level
    log.setLevel(logging.CRITICAL)
    gc.disable()  # what is dead stays until the end: nothing of it is tidied up in the middle of a story
    sys.unraisablehook = lambda unraisable: None
    try:
        yield
    finally:
        gc.enable()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # tasks that had no time to begin
            gc.collect()
        log.setLevel(level)
        sys.unraisablehook = hook
