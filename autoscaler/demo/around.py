"""What surrounds the daemon in the demo: its folder, its process, and a Prometheus where one is installed."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from autoscaler.clients import control
from autoscaler.errors import Unreachable
from autoscaler.loop.answers import History, Status, WorkloadDetail

STOP_S = 10.0
WORKER = ("-m", "autoscaler.demo.worker")

T = TypeVar("T")

POLICY = """\
name: shop
target:
  process:
    command: {command}
    ready: {{path: /ready, every: 500ms, failures: 2}}
replicas: {{min: 1, max: 6}}
signals:
  - name: in flight
    {source}
    per_replica: 4
behavior:
  up: {{rates: [{{replicas: 4, per: 5s}}]}}
  down: {{stabilization: 8s}}
lifecycle: {{ready_within: 20s, drain: 2500ms, stop_within: 5s}}
recycle:
  when: {{unhealthy_for: 2s}}
"""
SCRAPE = "scrape: {metric: demo_in_flight, as: gauge}"
QUERY = "prometheus: sum(demo_in_flight)\n    max_age: 10s"


class Child:
    """A process of the demo's own, its output in a file."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, *words: str) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    @property
    def ended(self) -> bool:
        """True once it has ended."""
        return self._process is not None and self._process.returncode is not None

    def said(self) -> str:
        """The end of its output."""
        return self._log.read_text(errors="replace")[-3000:] if self._log.exists() else ""

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that does not do."""
        if self._process is None or self.ended:
            return
        self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), STOP_S)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


class Around:
    """The daemon as its own process with settings and policy in `folder`, seen through its socket."""

    def __init__(self, folder: Path, worker: Sequence[str] = WORKER) -> None:
        self.prometheus = shutil.which("prometheus")
        self.daemon = Child(folder / "daemon.log")
        self._folder = folder
        self._worker = worker
        self._server = Child(folder / "prometheus.log")
        self._socket = folder / "data" / "autoscaler.sock"
        self._scraped: tuple[str, ...] = ()

    async def start(self) -> None:
        """Write the files and start what is needed."""
        settings: dict[str, object] = {
            "policies": ["policy.yaml"],
            "cycle": "1s",
            "data": str(self._folder / "data"),
            "listen": "off",
        }
        if self.prometheus is not None:
            port = free_port()
            settings["prometheus"] = {"url": f"http://127.0.0.1:{port}"}
            await self._start_prometheus(self.prometheus, port)
        command = json.dumps([sys.executable, *self._worker])
        (self._folder / "policy.yaml").write_text(self.policy(command))
        (self._folder / "autoscaler.yaml").write_text(json.dumps(settings))  # JSON is YAML
        await self.daemon.start(
            sys.executable, "-m", "autoscaler", "run", "--config", str(self._folder / "autoscaler.yaml")
        )

    def policy(self, command: str) -> str:
        """The policy's text, with this command for a worker."""
        return POLICY.format(command=command, source=SCRAPE if self.prometheus is None else QUERY)

    async def _start_prometheus(self, program: str, port: int) -> None:
        self.scrape(())
        scrape = {"job_name": "shop", "file_sd_configs": [{"files": [str(self._folder / "workers.json")]}]}
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        (self._folder / "prometheus.yml").write_text(json.dumps(config))
        await self._server.start(
            program,
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )

    def scrape(self, addresses: Sequence[str]) -> None:
        """Tell Prometheus which workers there are."""
        if self.prometheus is None or (self._scraped == tuple(addresses) and addresses):
            return
        self._scraped = tuple(addresses)
        fresh = self._folder / "workers.json.new"
        fresh.write_text(json.dumps([{"targets": list(addresses)}]))
        fresh.replace(self._folder / "workers.json")

    async def status(self) -> Status | None:
        """What `autoscaler status` tells; None while no daemon answers."""
        return await self._get(f"{control.API}/status", Status)

    async def detail(self) -> WorkloadDetail | None:
        """The one workload with its workers."""
        return await self._get(f"{control.API}/workloads/shop", WorkloadDetail)

    async def history(self) -> History | None:
        """What `autoscaler history` tells."""
        return await self._get(f"{control.API}/history?limit=500", History)

    async def _get(self, path: str, kind: type[T]) -> T | None:
        try:
            status, body = await asyncio.to_thread(control.ask, self._socket, "GET", path)
        except Unreachable:
            return None
        return msgspec.json.decode(body, type=kind) if status == 200 else None

    async def stop(self) -> None:
        """Stop the daemon, then its workers (which survive it on purpose), then Prometheus."""
        await self.daemon.stop()
        await self._end_workers()
        await self._server.stop()

    async def _end_workers(self) -> None:
        from autoscaler.clock import SystemClock
        from autoscaler.targets.process import ProcessTarget

        target = ProcessTarget(self._folder / "data" / "workers", SystemClock())
        try:
            await target.stop_all()
        finally:
            await target.close()


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
