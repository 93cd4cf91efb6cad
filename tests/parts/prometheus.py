"""Real Prometheus servers on this machine: scraping what a test runs, or serving recorded samples."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.parts.catalogue import program
from tests.parts.process import Process, free_port, quiet_env, tail
from tests.support.wait import until


class PrometheusServer:
    """One server on a free port of an address; its data folder survives `stop` and `start`."""

    def __init__(self, folder: Path, config: str, *, flags: Sequence[str] = (), address: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://{address}:{self.port}"
        self._config = folder / "prometheus.yml"
        self._config.write_text(config)
        argv = [
            program("prometheus"),
            f"--config.file={self._config}",
            f"--storage.tsdb.path={self.data}",
            "--storage.tsdb.retention.time=100y",  # recorded samples may be of any age
            f"--web.listen-address={address}:{self.port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
            *flags,
        ]
        self.process = Process("prometheus", argv, log=folder / "prometheus.log")

    @property
    def data(self) -> Path:
        """Its storage folder."""
        return self.folder / "data"

    def start(self) -> None:
        """Start it on the same port and data, and wait until it answers queries."""
        self.process.start()
        until(self._ready, f"Prometheus is ready at {self.url}", within=40.0)

    def stop(self) -> None:
        """End it in good order; the data stays."""
        self.process.stop()

    def configure(self, config: str) -> None:
        """Replace its configuration and let it reload."""
        self._config.write_text(config)
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/-/reload", method="POST"), timeout=10):
            pass

    def query(self, promql: str, at: float | None = None) -> list[dict[str, Any]]:
        """The result list of an instant query, at a time in Unix seconds or now."""
        words = {"query": promql, **({} if at is None else {"time": repr(at)})}
        url = f"{self.url}/api/v1/query?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def value(self, promql: str, at: float | None = None) -> float | None:
        """The value of a query with one result; None if there is none."""
        found = self.query(promql, at)
        return float(found[0]["value"][1]) if found else None

    def logs(self) -> dict[str, str]:
        """The end of its output."""
        return {f"prometheus {self.port}": tail(self.process.log)}

    def _ready(self) -> bool:
        self.process.check()
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


class PrometheusMaker:
    """Calling it starts a server; all are stopped after the test."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: list[PrometheusServer] = []

    def __call__(
        self,
        *,
        scrape: Mapping[str, Sequence[str]] | None = None,
        config: str | None = None,
        openmetrics: str | Path | None = None,
        flags: Sequence[str] = (),
        address: str = "127.0.0.1",
    ) -> PrometheusServer:
        """A started server: `scrape` maps jobs to host:port targets (every second), or `config` is its whole file.

        `openmetrics` (text with timestamps, or a file of it) is in its storage from the beginning.
        """
        folder = self._folder / f"prometheus-{len(self._made)}"
        server = PrometheusServer(folder, config or scrape_config(scrape or {}), flags=flags, address=address)
        if openmetrics is not None:
            record(openmetrics, server.data)
        self._made.append(server)
        server.start()
        return server

    def logs(self) -> dict[str, str]:
        """What the servers said last."""
        return {name: text for server in self._made for name, text in server.logs().items()}

    def stop(self) -> None:
        """Stop all."""
        while self._made:
            self._made.pop().stop()


def scrape_config(jobs: Mapping[str, Sequence[str]], interval: str = "1s") -> str:
    """A configuration that scrapes static targets by job."""
    scrapes = [{"job_name": job, "static_configs": [{"targets": list(targets)}]} for job, targets in jobs.items()]
    settings = {"scrape_interval": interval, "scrape_timeout": interval}
    return json.dumps({"global": settings, "scrape_configs": scrapes})  # JSON is YAML


def record(openmetrics: str | Path, data: Path) -> None:
    """Write samples with timestamps into a storage folder, as blocks a server will load."""
    data.mkdir(parents=True, exist_ok=True)
    file = openmetrics
    if isinstance(file, str):
        file = data.parent / "samples.openmetrics"
        file.write_text(str(openmetrics))
    command = [str(program("promtool")), "tsdb", "create-blocks-from", "openmetrics", str(file), str(data)]
    done = subprocess.run(command, env=quiet_env(), capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"promtool: {done.stderr or done.stdout}"
