"""The service that is scaled: answers `/work` by sleeping, a few requests at once, the others wait in line.

`/ready` says whether it wants traffic, `POST /sick` makes it say no for ever, `/metrics` tells what it is doing.
"""

from __future__ import annotations

import asyncio
import os

from aiohttp import web

SLOTS = 4  # requests served at once
WORK_S = 0.1


class Worker:
    """Counts and the line at the door."""

    def __init__(self) -> None:
        self.sick = False
        self.in_flight = 0
        self.served = 0
        self._slots = asyncio.Semaphore(SLOTS)

    async def work(self, request: web.Request) -> web.Response:
        """One request: wait for a slot, then take WORK_S seconds."""
        self.in_flight += 1
        try:
            async with self._slots:
                await asyncio.sleep(WORK_S)
            self.served += 1
            return web.Response(text="done\n")
        finally:
            self.in_flight -= 1

    async def ready(self, request: web.Request) -> web.Response:
        """200 while healthy, 503 once sick."""
        return web.Response(status=503 if self.sick else 200, text="sick\n" if self.sick else "ready\n")

    async def make_sick(self, request: web.Request) -> web.Response:
        """From now on `/ready` says no."""
        self.sick = True
        return web.Response(text="sick\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text."""
        lines = (
            "# TYPE demo_in_flight gauge",
            f"demo_in_flight {self.in_flight}",
            "# TYPE demo_requests_total counter",
            f"demo_requests_total {self.served}",
        )
        return web.Response(text="\n".join(lines) + "\n")


def serve(worker: Worker) -> None:
    """Serve on the loopback port in PORT until ended."""
    application = web.Application()
    application.add_routes(
        [
            web.get("/work", worker.work),
            web.get("/ready", worker.ready),
            web.post("/sick", worker.make_sick),
            web.get("/metrics", worker.metrics),
        ]
    )
    web.run_app(
        application, host="127.0.0.1", port=int(os.environ["PORT"]), print=None, access_log=None, shutdown_timeout=2.0
    )


if __name__ == "__main__":
    serve(Worker())
