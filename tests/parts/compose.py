"""Compose projects on the tests' engine, by compose v2 or v1; and the stack: application, balancer, Prometheus."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.parts.catalogue import compose_v2, program
from tests.parts.engine import Engine
from tests.parts.images import LabImages
from tests.parts.process import free_port
from tests.support.wait import until

STACK = Path(__file__).parent / "stack"
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"


@dataclass(frozen=True)
class Compose:
    """A compose program on an engine."""

    version: str  # "v1" or "v2"
    engine: Engine

    @property
    def program(self) -> Path:
        """Its file."""
        return compose_v2() if self.version == "v2" else program("docker-compose")


class Project:
    """One compose project of a test: its file, its name, its environment."""

    def __init__(self, compose: Compose, file: Path, name: str, *, env: Mapping[str, str] | None = None) -> None:
        self.compose = compose
        self.engine = compose.engine
        self.file = file
        self.name = name
        self.env = {**compose.engine.env, **(env or {})}

    def run(self, *words: str, check: bool = True, within: float = 120.0) -> str:
        """What `docker-compose …` prints on both streams; raises AssertionError with it if it fails and `check`."""
        command = [str(self.compose.program), "-p", self.name, "-f", str(self.file), *words]
        done = subprocess.run(
            command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            check=False,
        )
        assert not (check and done.returncode), f"compose {' '.join(words)}: exit {done.returncode}: {done.stdout}"
        return done.stdout.strip()

    def up(self, *words: str) -> str:
        """`up -d …`, and what it printed."""
        return self.run("up", "-d", *words)

    def ps(self, *words: str) -> str:
        """`ps …`: what this compose itself believes it has."""
        return self.run("ps", *words)

    def down(self) -> None:
        """Remove containers, volumes and networks of the project, those compose does not see included."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "1", check=False)
        docker = self.engine.docker
        for id in self._ids("--all"):
            docker("rm", "--force", "--volumes", id, check=False)
        for kind in ("network", "volume"):
            for id in docker(kind, "ls", "--quiet", "--filter", f"label={PROJECT}={self.name}").split():
                docker(kind, "rm", id, check=False)

    def leavings(self) -> list[str]:
        """Containers, networks and volumes of the project that are there now, as the engine tells it."""
        found = [f"container {id}" for id in self._ids("--all")]
        for kind in ("network", "volume"):
            ids = self.engine.docker(kind, "ls", "--quiet", "--filter", f"label={PROJECT}={self.name}").split()
            found += [f"{kind} {id}" for id in ids]
        return found

    def containers(self, service: str, *words: str) -> list[str]:
        """The names of a service's running containers, seen from outside; with "--all" also those not running."""
        filters = ("--filter", f"label={SERVICE}={service}")
        return sorted(self._ids(*filters, *words, "--format", "{{.Names}}"))

    def replicas(self, service: str = "app") -> int:
        """How many containers of the service run, counted from outside."""
        return len(self.containers(service))

    def logs(self) -> dict[str, str]:
        """The end of each container's output, and what the engine lists."""
        told = {
            f"{self.name}: docker ps": self.engine.docker("ps", "--all", "--filter", f"label={PROJECT}={self.name}")
        }
        for name in self._ids("--all", "--format", "{{.Names}}"):
            command = [str(program("docker")), "logs", "--tail", "20", name]
            done = subprocess.run(command, env=self.env, capture_output=True, check=False, timeout=20)
            told[f"{self.name}: {name}"] = (done.stdout + done.stderr).decode(errors="replace")
        return told

    def _ids(self, *words: str) -> Sequence[str]:
        base = ["ps", "--filter", f"label={PROJECT}={self.name}", "--filter", "label=com.docker.compose.oneoff=False"]
        formatted = "--format" in words
        return self.engine.docker(*base, *words, *(() if formatted else ("--quiet",))).split()


class Stack(Project):
    """The ready stack, on free loopback ports."""

    def __init__(self, compose: Compose, images: LabImages, name: str, *, env: Mapping[str, str] | None = None) -> None:
        self.ports = {name: free_port() for name in ("LB_PORT", "STATS_PORT", "PROMETHEUS_PORT")}
        ports = {name: str(port) for name, port in self.ports.items()}
        settings = {**images.env, "STACK_FOLDER": str(STACK), **ports, **(env or {})}
        super().__init__(compose, STACK / "docker-compose.yml", name, env=settings)

    @property
    def lb_url(self) -> str:
        """Where load goes in."""
        return f"http://127.0.0.1:{self.ports['LB_PORT']}"

    @property
    def haproxy_stats_url(self) -> str:
        """The balancer's own page; its metrics are under /metrics."""
        return f"http://127.0.0.1:{self.ports['STATS_PORT']}"

    @property
    def prometheus_url(self) -> str:
        """The stack's Prometheus."""
        return f"http://127.0.0.1:{self.ports['PROMETHEUS_PORT']}"

    def begin(self, replicas: int = 1, within: float = 60.0) -> None:
        """Bring it up and wait until Prometheus sees every copy of the application and the balancer serves."""
        self.up("--scale", f"app={replicas}")
        self.settled(replicas, within=within)

    def settled(self, replicas: int, within: float = 60.0) -> None:
        """Wait until exactly so many copies are scraped and taking requests."""
        self._tells('sum(up{job="app"})', replicas, within)
        self._tells('sum(haproxy_server_status{proxy="app",state="UP"})', replicas, within)

    def query(self, promql: str) -> float | None:
        """The single value of an instant query to the stack's Prometheus; None if there is none."""
        words = urllib.parse.urlencode({"query": promql})
        with urllib.request.urlopen(f"{self.prometheus_url}/api/v1/query?{words}", timeout=5) as answer:
            result = json.load(answer)["data"]["result"]
        return float(result[0]["value"][1]) if result else None

    def _tells(self, promql: str, value: float, within: float) -> None:
        def told() -> bool:
            seen = self.query(promql)
            assert seen == value, f"it is {seen}"
            return True

        until(told, f"{promql} is {value:g}", within=within)


def fresh_name(stem: str = "t") -> str:
    """A project name no other run uses."""
    return f"{stem}{uuid.uuid4().hex[:8]}"
