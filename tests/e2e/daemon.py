"""The daemon as its own process, as an owner runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from autoscaler.clients import control
from tests.support.wait import until

ROOT = Path(__file__).parents[2]


class DaemonProcess:
    """`autoscaler run` with a settings file of its own in `folder`; killed, stopped and started again at will.

    `before` is a command that it runs behind, which must become it (exec), and `env` what it is told in addition.
    """

    def __init__(
        self, folder: Path, policies: str, *, cycle: str = "1s", before: Sequence[str | Path] = (),
        env: Mapping[str, str] | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.folder = folder
        self._before = [str(word) for word in before]
        self._env = {**os.environ, **(env or {})}
        self.policy_file = folder / "policies" / "policy.yaml"
        self.policy_file.parent.mkdir(parents=True, exist_ok=True)
        self.policy_file.write_text(policies)
        self.config = folder / "autoscaler.yaml"
        written = {
            "policies": [str(self.policy_file.parent)],
            "cycle": cycle,
            "data": str(folder / "data"),
            "listen": "off",
            **settings,
        }
        self.config.write_text(json.dumps(written))  # JSON is YAML
        self.socket = Path(written.get("socket", folder / "data" / "autoscaler.sock"))
        self.log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(
        self, *, kill_at: str = "", by: str = "SIGKILL", read_only: bool = False, standby: bool = False
    ) -> DaemonProcess:
        """Start it and wait until it answers with its workloads, or that it stands by; with `kill_at` it dies right
        before that stage of an operation, or gets the signal named by `by`.
        """
        command = [sys.executable, "-m", "autoscaler", "run", "--config", str(self.config)]
        command += ["--read-only"] if read_only else []
        if kill_at:
            command = [sys.executable, "-m", "tests.e2e.killed", str(self.config), kill_at, by]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._before, *command],
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                cwd=ROOT,
            )
        ready = self._stands_by if standby else self._answers
        until(lambda: not self.alive or ready(), what=f"the daemon answers; its log: {self.log}", within=90)
        assert self.alive or kill_at, f"the daemon ended: {self.text()}"
        return self

    @property
    def process_id(self) -> int:
        """Its pid."""
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        """True while the process runs."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def died(self) -> None:
        """Wait until it has ended by itself (a fault point)."""
        assert self._process is not None
        self._process.wait(60)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(30)

    def cli(self, *words: str) -> str:
        """What a command of ours prints; fails when the command does."""
        done = subprocess.run(
            [sys.executable, "-m", "autoscaler", *words, "--config", str(self.config)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout

    def status(self) -> dict[str, Any]:
        """What `status` says, as JSON, asked at the socket: much quicker than the command."""
        status, answer = control.ask(self.socket, "GET", "/api/v1/status")
        assert status == 200, answer
        return dict(json.loads(answer))

    def workload(self) -> dict[str, Any]:
        """The first workload of `status`."""
        return dict(self.status()["workloads"][0])

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text() if self.log.exists() else ""

    def _stands_by(self) -> bool:
        told = self.status()  # of the one that acts, where it is handed on
        return bool(told["workloads"]) or any("stands by" in each["sentence"] for each in told["faults"])

    def _answers(self) -> bool:
        return bool(self.status()["workloads"])
