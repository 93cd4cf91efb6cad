"""Child processes of the tests: started on free ports, stopped by id, their output kept in a file."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.parts.catalogue import program


def free_port() -> int:
    """A loopback port nobody listens on, below the range the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def quiet_env(**more: str) -> dict[str, str]:
    """This process's environment without proxies or another engine's settings, plus `more`."""
    unwanted = ("DOCKER_", "COMPOSE_", "KUBECONFIG")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(unwanted)
    }
    return {**kept, **more}


def tail(path: Path, lines: int = 40) -> str:
    """The last lines of a file; empty if there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


class Process:
    """One program that can be started, stopped, paused and started again with the same arguments."""

    def __init__(self, name: str, argv: Sequence[str | Path], *, log: Path, env: Mapping[str, str] | None = None):
        self.name = name
        self.log = log
        self._argv = [str(word) for word in argv]
        self._env = dict(env) if env is not None else quiet_env()
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it in a session of its own; the kernel ends it should this test run be killed."""
        assert not self.alive(), f"{self.name} runs already"
        with self.log.open("ab") as output:
            self._running = subprocess.Popen(
                [str(program("setpriv")), "--pdeathsig", "KILL", *self._argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._running is not None and self._running.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._running is not None, f"{self.name} was not started"
        return self._running.pid

    def check(self) -> None:
        """Raise AssertionError with the end of its output if it has ended by itself."""
        assert self.alive(), f"{self.name} ended:\n{tail(self.log)}"

    def stop(self, within: float = 10.0) -> None:
        """End it by SIGTERM, by SIGKILL after `within` seconds."""
        if not self.alive():
            return
        assert self._running is not None
        self.resume()
        self._running.terminate()
        try:
            self._running.wait(within)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        if self.alive():
            assert self._running is not None
            self._running.kill()
            self._running.wait(10.0)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        os.kill(self.pid, signal.SIGCONT)
