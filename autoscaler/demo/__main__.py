"""`python -m autoscaler.demo`: ends by itself within two minutes; exit status 0 only if all of it was seen.

With `--keep` it goes on after that, with the dashboard, until it is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from autoscaler.demo.around import WORKER, Around, Scene, free_port
from autoscaler.demo.screen import Screen
from autoscaler.demo.story import tell

WITHIN_S = 90.0  # the story; putting everything away again has the rest of the two minutes
LONGEST = 60  # characters: the path of a unix socket below it may have about a hundred
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def play(screen: Screen, scene: Callable[[Path], Scene], within_s: float, *, keep: bool = False) -> int:
    """Tell the story; a stop asked for from outside still puts everything away, however often it is asked for."""
    told: list[int] = []
    long = len(tempfile.gettempdir()) > LONGEST
    with tempfile.TemporaryDirectory(prefix="autoscaler-demo-", dir="/tmp" if long else None) as folder:
        story = asyncio.create_task(tell(scene(Path(folder)), screen, within_s, keep=keep))

        def stop(number: int) -> None:
            if not told:
                screen.say("stopping: the daemon and all that was started with it")
                story.cancel()
            told.append(number)

        for number in STOPS:
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
        try:
            return await story
        except asyncio.CancelledError:
            return 0 if keep and told[0] == signal.SIGINT else 128 + told[0]


def main(scene: Callable[[Path], Scene], within_s: float = WITHIN_S, *, keep: bool = False) -> int:
    """Play the demo in a folder of its own, on the scene made for that folder."""
    try:
        return asyncio.run(play(Screen(sys.stdout), scene, within_s, keep=keep))
    except BrokenPipeError:  # nobody reads any more
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def processes(worker: Sequence[str] = WORKER, *, keep: bool = False) -> int:
    """The demo with worker processes; `worker` are the words after `python` that start one."""
    listen = f"127.0.0.1:{free_port()}" if keep else "off"
    if keep:
        sys.stdout.write(f"The dashboard: http://{listen} (once the daemon runs). Ctrl-C ends it all.\n\n")
    return main(lambda folder: Around(folder, worker, listen), keep=keep)


if __name__ == "__main__":
    sys.exit(processes(keep="--keep" in sys.argv[1:]))
