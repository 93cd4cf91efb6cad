"""Worker processes that a daemon steers by a real Prometheus."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.e2e.worker import port_of
from tests.e2e.workers import Workers

POLICY = """\
name: {name}
target: {{process: {{command: {command}, ready: {{path: /ready, every: 200ms, failures: 2}}}}}}
replicas: {{min: {least}, max: 8}}
signals: [{{name: load, prometheus: '{query}', per_replica: 10{told}}}]
behavior: {{down: {{stabilization: {down}}}}}
lifecycle: {{ready_within: 10s, stop_within: 3s}}
{more}
"""


class Watched(Workers):
    """The daemon with one policy over `tests.e2e.worker` whose one signal is a query; ten per worker."""

    def __init__(
        self, folder: Path, query: str, url: str, *, down: str = "1s", told: str = "", cycle: str = "500ms",
        **settings: Any,
    ) -> None:  # fmt: skip
        self._told = {"query": query, "down": down, "told": told}
        super().__init__(folder, cycle=cycle, prometheus={"url": url}, **settings)

    def policy(
        self, *, name: str = "shop", least: int = 1, more: str = "", command: tuple[str, ...] | None = None
    ) -> str:
        """A policy's text."""
        words = command or (sys.executable, "-m", "tests.e2e.worker", str(self.place))
        return POLICY.format(name=name, least=least, more=more, command=json.dumps(words), **self._told)

    def ports(self) -> list[int]:
        """Where the workers that run serve."""
        return [port_of(self.place, pid) for pid in self.pids()]


@contextmanager
def watched(folder: Path, query: str, url: str, **options: Any) -> Iterator[Watched]:
    """A daemon that is not started yet; it and its workers are gone in the end."""
    made = Watched(folder, query, url, **options)
    try:
        yield made
    finally:
        made.end()
        print(made.text())
