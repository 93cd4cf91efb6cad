"""Waiting for a condition with a deadline, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

T = TypeVar("T")


def until(fn: Callable[[], T], what: str = "", within: float = 30.0, every: float = 0.1) -> T:
    """The first truthy value of `fn`, asked every `every` seconds.

    Raises AssertionError after `within` seconds, naming `what` and the last value or exception seen.
    """
    watch = _Watch(what or _name(fn), within)
    while True:
        try:
            value = fn()
            if value:
                return value
            watch.saw(value)
        except Exception as error:
            watch.saw(error)
        watch.check()
        time.sleep(every)


def never(fn: Callable[[], object], what: str, for_s: float, every: float = 0.1) -> None:
    """Watch that `fn` stays falsy for so many seconds; raises AssertionError naming `what` when it does not."""
    end = time.monotonic() + for_s
    while time.monotonic() < end:
        value = fn()
        assert not value, f"{what}: {value!r}"
        time.sleep(every)


async def auntil(
    fn: Callable[[], Awaitable[T]] | Callable[[], T], what: str = "", within: float = 30.0, every: float = 0.1
) -> T:
    """As `until`, for a function that may be asynchronous; the event loop breathes in between."""
    watch = _Watch(what or _name(fn), within)
    while True:
        try:
            value = fn()
            if inspect.isawaitable(value):
                async with asyncio.timeout(max(0.01, watch.left())):
                    value = await value
            if value:
                return cast("T", value)
            watch.saw(value)
        except Exception as error:
            watch.saw(error)
        watch.check()
        await asyncio.sleep(every)


class _Watch:
    """One wait: its deadline and what was last seen."""

    def __init__(self, what: str, within: float) -> None:
        self._what = what
        self._within = within
        self._end = time.monotonic() + within
        self._last: object = None

    def saw(self, value: object) -> None:
        self._last = value

    def left(self) -> float:
        return self._end - time.monotonic()

    def check(self) -> None:
        if self.left() > 0:
            return
        message = f"not within {self._within:g} s: {self._what}; last seen: {self._last!r}"
        cause = self._last if isinstance(self._last, BaseException) else None
        raise AssertionError(message) from cause


def _name(fn: Callable[..., object]) -> str:
    return getattr(fn, "__qualname__", repr(fn))
