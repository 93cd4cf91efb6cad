"""A process of the simulated world: it can be killed or stopped between any two awaits of whatever runs in it.

Every task started in a process takes part by itself: `breathing` is the event loop's task factory, and each time a task
goes on is a breath. What a stopped process waits for comes true meanwhile; it goes on with it when it is continued.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class Process:
    """Alive, stopped or gone. `mark` names it, `dice` are its own: the same story throws the same numbers."""

    def __init__(self, mark: str, seed: int) -> None:
        self.mark = mark
        self.dice = random.Random(f"{seed} {mark}")
        self.breaths = 0
        self.dies_at = math.inf  # the breath that is its last
        self.alive = True
        self.stopped = False
        self.gone = asyncio.Event()
        self._parked: list[asyncio.Future[None]] = []  # kept, so that nothing of a dead process is ever tidied up

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run this, and all that it starts, in the process."""
        context = contextvars.copy_context()
        context.run(_OF.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def kill(self) -> None:
        """None of its tasks goes on ever again."""
        self.alive = False
        self.gone.set()

    def stop(self) -> None:
        """None of its tasks goes on until `go_on`."""
        self.stopped = True

    def go_on(self) -> None:
        """Continue where it was stopped."""
        self.stopped = False
        if self.alive:
            parked, self._parked = self._parked, []
            for each in parked:
                each.set_result(None)

    @property
    def runs(self) -> bool:
        """True while it can act."""
        return self.alive and not self.stopped

    def breath(self) -> asyncio.Future[None] | None:
        """A task wants to go on: what it has to wait for first, if anything."""
        self.breaths += 1
        if self.breaths >= self.dies_at:
            self.kill()
        if self.runs:
            return None
        parked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        parked._asyncio_future_blocking = True  # what a task expects of a future that it is handed
        self._parked.append(parked)
        return parked


_OF: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class _Breathing(Coroutine[Any, Any, Any]):
    """A coroutine that asks its process before each step."""

    def __init__(self, inner: Coroutine[Any, Any, Any], process: Process) -> None:
        self._inner = inner
        self._process = process
        self._thrown: BaseException | None = None

    def send(self, value: Any) -> Any:
        parked = self._process.breath()
        if parked is not None:
            return parked
        if self._thrown is not None:
            thrown, self._thrown = self._thrown, None
            return self._inner.throw(thrown)
        return self._inner.send(value)

    def throw(self, error: Any, value: Any = None, trace: Any = None) -> Any:
        if not self._process.alive:
            raise error  # the world is over and tidies up: the dead do not take part in that
        self._thrown = error
        return self.send(None)

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Any:
        return self._inner.__await__()


def breathing(
    loop: asyncio.AbstractEventLoop, work: Any, context: contextvars.Context | None = None
) -> asyncio.Task[Any]:
    """The task factory of a world."""
    process = _OF.get() if context is None else context.get(_OF)
    return asyncio.Task(work if process is None else _Breathing(work, process), loop=loop, context=context)
