"""The demo with workers that cannot become sick: `python -m tests.e2e.stubborn`. Its story cannot come true."""

from __future__ import annotations

import sys

from aiohttp import web

from autoscaler.demo import worker
from autoscaler.demo.__main__ import processes


class Stubborn(worker.Worker):
    """Says that it is sick, and goes on as before."""

    async def make_sick(self, request: web.Request) -> web.Response:
        """Nothing."""
        return web.Response(text="sick\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["worker"]:
        worker.serve(Stubborn())
    else:
        sys.exit(processes(("-m", "tests.e2e.stubborn", "worker")))
