"""The daemon, killed right before a certain platform call: `python -m tests.e2e.killed SETTINGS replace:drain`.

With a signal's name behind it gets that one instead, the first time only: SIGSTOP.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from autoscaler import app, log, settings
from autoscaler.model.operation import Operation


def main() -> None:
    chosen = settings.load(Path(sys.argv[1]), os.environ)
    kind, stage = sys.argv[2].split(":")
    signals = [signal.Signals[name] for name in sys.argv[3:]] or [signal.SIGKILL]

    def before_call(operation: Operation) -> None:
        if signals and (operation.kind.value, operation.stage) == (kind, stage):
            os.kill(os.getpid(), signals.pop())

    log.configure()
    asyncio.run(app.run(chosen, before_call=before_call))


if __name__ == "__main__":
    main()
