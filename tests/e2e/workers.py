"""A daemon over worker processes, and the workers seen from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autoscaler.clock import SystemClock
from autoscaler.targets.process import ProcessTarget
from tests.e2e.daemon import DaemonProcess
from tests.e2e.worker import alive, port_of

POLICY = """\
name: {name}
target:
  process:
    command: {command}
    ready: {{path: /ready, every: 200ms, failures: 2}}
replicas: {{min: {least}, max: 6}}
signals:
  - name: load
    scrape: {{metric: load, as: gauge}}
    per_replica: 10
behavior: {{down: {{stabilization: 2s}}}}
lifecycle: {{ready_within: 10s, stop_within: 3s}}
{more}
"""


class Workers(DaemonProcess):
    """The daemon with one policy over `tests.e2e.worker`; `load` is what all of them carry together."""

    def __init__(self, folder: Path, *, least: int = 1, more: str = "", **settings: Any) -> None:
        self.place = folder / "place"
        self.place.mkdir()
        self.load(5.0)
        super().__init__(folder, self.policy(least=least, more=more), **settings)

    def policy(
        self, *, name: str = "shop", least: int = 1, more: str = "", command: tuple[str, ...] | None = None
    ) -> str:
        """A policy's text."""
        words = command or (sys.executable, "-m", "tests.e2e.worker", str(self.place))
        return POLICY.format(name=name, least=least, more=more, command=json.dumps(words))

    def load(self, value: float) -> None:
        """From now on the workers carry so much together."""
        fresh = self.place / "load.new"
        fresh.write_text(str(value))
        fresh.replace(self.place / "load")

    def pids(self) -> list[int]:
        """The workers that run, the oldest first."""
        return alive(self.place)

    def ready(self) -> int:
        """How many the daemon calls ready."""
        return int(self.workload()["ready"] or 0)

    def dry_run(self, *words: str) -> dict[str, Any]:
        """What `dry-run` foretells."""
        return dict(json.loads(self.cli("dry-run", "--format", "json", *words)))

    def make_sick(self, pid: int) -> None:
        """From now on this worker says that it is not ready."""
        url = f"http://127.0.0.1:{port_of(self.place, pid)}/sick"
        with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5):
            pass

    def end(self) -> None:
        """Stop the daemon and every worker there is."""
        if self.alive:
            self.stop()
        asyncio.run(_end(self.folder / "data" / "workers"))
        for pid in self.pids():  # a worker the roster does not know would be a defect; it must not stay in any case
            os.kill(pid, signal.SIGKILL)


async def _end(folder: Path) -> None:
    target = ProcessTarget(folder, SystemClock())
    await target.stop_all()
    await target.close()


@contextmanager
def workers(folder: Path, **options: Any) -> Iterator[Workers]:
    """A daemon that is not started yet; it and its workers are gone in the end."""
    made = Workers(folder, **options)
    try:
        yield made
    finally:
        made.end()
        print(made.text())
