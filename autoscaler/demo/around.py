"""What surrounds the daemon in the demo: its folder, its process, and a Prometheus where one is installed.

A `Scene` is what the story needs of any platform; `Around` is the one of worker processes. That of containers is beside
the tests, whose engine and stack it uses (`make demo-compose`).
"""

from __future__ import annotations

import abc
import asyncio
import contextlib
import json
import shutil
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from autoscaler.clients import control
from autoscaler.errors import Unreachable
from autoscaler.loop.answers import History, WorkloadDetail
from autoscaler.model.target import Instance

STOP_S = 10.0
WORKER = ("-m", "autoscaler.demo.worker")

T = TypeVar("T")

POLICY = """\
name: shop
target:{target}
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
PROCESS = """
  process:
    command: {command}
    ready: {{path: /ready, every: 500ms, failures: 2}}"""
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


class Scene(abc.ABC):
    """The daemon as its own process with settings and policy in `folder`, seen through its socket; and a platform."""

    noun = "worker"
    patience = 1.0  # how many times as long things may take here

    def __init__(self, folder: Path, listen: str = "off") -> None:
        self.daemon = Child(folder / "daemon.log")
        self.folder = folder
        self._listen = listen
        self._socket = folder / "data" / "autoscaler.sock"

    @abc.abstractmethod
    def introduction(self) -> str:
        """What people are told of the scene first."""

    @abc.abstractmethod
    def policy(self) -> str:
        """The text of the policy that is shown, and followed but for what nobody wants to read."""

    @abc.abstractmethod
    async def start(self) -> None:
        """Start the platform and the daemon."""

    @abc.abstractmethod
    async def stop(self) -> None:
        """Put away all that was started."""

    @abc.abstractmethod
    def doors(self, instances: Sequence[Instance]) -> list[str]:
        """Where users go in, as host:port."""

    @abc.abstractmethod
    def answers_as(self, instance: Instance) -> str:
        """What the load calls an instance that answered."""

    @abc.abstractmethod
    async def make_sick(self, instance: Instance) -> None:
        """From now on it says that it wants no traffic."""

    @abc.abstractmethod
    async def runs(self, instance: Instance) -> bool:
        """Whether it still runs, looked at past the daemon."""

    def look(self, instances: Sequence[Instance]) -> None:  # noqa: B027  # most scenes have nothing to do
        """What there is now, for those that must be told."""

    async def run(self, policy: str, **settings: object) -> None:
        """Write the files and start the daemon."""
        told = {"policies": ["policy.yaml"], "cycle": "1s", "data": str(self.folder / "data"), "listen": self._listen}
        (self.folder / "policy.yaml").write_text(policy)
        (self.folder / "autoscaler.yaml").write_text(json.dumps({**told, **settings}))  # JSON is YAML
        await self.daemon.start(
            sys.executable, "-m", "autoscaler", "run", "--config", str(self.folder / "autoscaler.yaml")
        )

    async def detail(self) -> WorkloadDetail | None:
        """The one workload with its instances; None while no daemon answers."""
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


class Around(Scene):
    """Worker processes, and a Prometheus where one is installed."""

    def __init__(self, folder: Path, worker: Sequence[str] = WORKER, listen: str = "off") -> None:
        super().__init__(folder, listen)
        self.prometheus = shutil.which("prometheus")
        self._worker = worker
        self._server = Child(folder / "prometheus.log")
        self._scraped: tuple[str, ...] = ()

    def introduction(self) -> str:
        if self.prometheus is None:
            return "Load is read from every worker directly: no prometheus is on PATH."
        return f"Load is read from a real Prometheus: {self.prometheus}."

    def policy(self) -> str:
        return self._policy("[python, -m, autoscaler.demo.worker]")

    def _policy(self, command: str) -> str:
        source = SCRAPE if self.prometheus is None else QUERY
        return POLICY.format(target=PROCESS.format(command=command), source=source)

    async def start(self) -> None:
        settings: dict[str, object] = {}
        if self.prometheus is not None:
            port = free_port()
            settings["prometheus"] = {"url": f"http://127.0.0.1:{port}"}
            await self._start_prometheus(self.prometheus, port)
        await self.run(self._policy(json.dumps([sys.executable, *self._worker])), **settings)

    async def _start_prometheus(self, program: str, port: int) -> None:
        self._scrape(())
        scrape = {"job_name": "shop", "file_sd_configs": [{"files": [str(self.folder / "workers.json")]}]}
        config = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [scrape]}
        (self.folder / "prometheus.yml").write_text(json.dumps(config))
        await self._server.start(
            program,
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'series'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )

    def doors(self, instances: Sequence[Instance]) -> list[str]:
        return [each.address for each in instances if each.ready and not each.draining]

    def answers_as(self, instance: Instance) -> str:
        return instance.address

    async def make_sick(self, instance: Instance) -> None:
        async with aiohttp.ClientSession() as session, session.post(f"http://{instance.address}/sick"):
            pass

    async def runs(self, instance: Instance) -> bool:
        """Whether somebody listens at its address."""
        host, _, port = instance.address.rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True

    def look(self, instances: Sequence[Instance]) -> None:
        """Tell Prometheus which workers there are."""
        addresses = sorted(each.address for each in instances if each.running and each.address)
        if self.prometheus is not None and not (self._scraped == tuple(addresses) and addresses):
            self._scrape(addresses)

    def _scrape(self, addresses: Sequence[str]) -> None:
        self._scraped = tuple(addresses)
        fresh = self.folder / "workers.json.new"
        fresh.write_text(json.dumps([{"targets": list(addresses)}]))
        fresh.replace(self.folder / "workers.json")

    async def stop(self) -> None:
        """Stop the daemon, then its workers (which survive it on purpose), then Prometheus."""
        await self.daemon.stop()
        await self._end_workers()
        await self._server.stop()

    async def _end_workers(self) -> None:
        from autoscaler.clock import SystemClock
        from autoscaler.targets.process import ProcessTarget

        target = ProcessTarget(self.folder / "data" / "workers", SystemClock())
        try:
            await target.stop_all()
        finally:
            await target.close()


def free_port() -> int:
    """A loopback port nobody listens on."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
