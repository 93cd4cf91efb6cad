"""Virtual time for asyncio: an event loop that jumps to the next timer instead of waiting for it.

What runs on it must not use threads or sockets that others answer: nothing waits for them.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

START = 1_000_000_000.0  # seconds since the epoch at which virtual time begins


class Stuck(AssertionError):
    """Every task waits for something that no timer will bring about."""


class _Jump(selectors.DefaultSelector):
    """Moves the loop's time on instead of waiting, and never looks at a socket: nobody answers here."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Stuck("no task can ever go on")
        if timeout > 0:
            self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is virtual."""

    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds since the loop began."""
        return self._jump.now


class LoopClock:
    """The running loop's time as a Clock; `step` sets the wall clock on or back, as an administrator would."""

    def __init__(self, start: float = START) -> None:
        self._start = start
        self.step = 0.0

    def now(self) -> float:
        return self._start + asyncio.get_running_loop().time() + self.step

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


def run(story: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine on a virtual loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
