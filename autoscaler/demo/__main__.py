"""`python -m autoscaler.demo`: ends by itself within two minutes; exit status 0 only if all of it was seen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from autoscaler.demo.around import WORKER
from autoscaler.demo.screen import Screen
from autoscaler.demo.story import tell

WITHIN_S = 90.0  # the story; putting everything away again has the rest of the two minutes
LONGEST = 60  # characters: the path of a unix socket below it may have about a hundred
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def play(screen: Screen, worker: Sequence[str], within_s: float) -> int:
    """Tell the story; a stop asked for from outside still puts everything away, however often it is asked for."""
    told: list[int] = []
    long = len(tempfile.gettempdir()) > LONGEST
    with tempfile.TemporaryDirectory(prefix="autoscaler-demo-", dir="/tmp" if long else None) as folder:
        story = asyncio.create_task(tell(Path(folder), screen, within_s, worker))

        def stop(number: int) -> None:
            if not told:
                screen.say("stopping: the daemon, its workers and what else was started")
                story.cancel()
            told.append(number)

        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        try:
            return await story
        except asyncio.CancelledError:
            return 128 + told[0]


def main(worker: Sequence[str] = WORKER, within_s: float = WITHIN_S) -> int:
    """Play the demo in a folder of its own; `worker` are the words after `python` that start one."""
    try:
        return asyncio.run(play(Screen(sys.stdout), worker, within_s))
    except BrokenPipeError:  # nobody reads any more
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main())
