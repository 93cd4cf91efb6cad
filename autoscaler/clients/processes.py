"""Processes of the operating system: started in sessions of their own, known by pid and start time. Linux only (/proc).

A worker's environment carries its tag, so that one whose starter died right after the start can be found again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoscaler.errors import Refused

TAG = "AUTOSCALER_WORKER"

_PROC = Path("/proc")


class Processes:
    """Starts processes and reaps those it started."""

    def __init__(self) -> None:
        if not (_PROC / "self" / "stat").exists():
            raise Refused("worker processes need Linux: there is no /proc here", hint="use compose or Kubernetes")
        self._children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, tag: str, command: Sequence[str], env: Mapping[str, str], log: Path) -> tuple[int, int]:
        """Pid and start time (clock ticks after boot) of a new process. Raises Refused with a sentence."""
        try:
            with log.open("ab") as out:
                child = subprocess.Popen(
                    list(command),
                    env={**os.environ, **env, TAG: tag},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
        except OSError as error:
            why = f"{command[0]} cannot be started: {error.strerror}"
            raise Refused(why, hint="see target.process.command") from None
        self._children[child.pid] = child
        return child.pid, _start_time(child.pid) or 0

    def alive(self, pid: int, started: int) -> bool:
        """True while this very process runs; a later one with the same pid is not it."""
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:
            return False
        return pid > 0 and _start_time(pid) == started

    def exit_code(self, pid: int) -> int | None:
        """How a child of ours ended; None while it runs, and for what others started."""
        child = self._children.get(pid)
        return child.poll() if child is not None else None

    def end(self, pid: int, started: int, *, kill: bool = False) -> None:
        """SIGTERM (or SIGKILL) to the process and all it started; nothing if it is gone."""
        if self.alive(pid, started):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL if kill else signal.SIGTERM)

    def find(self, tag: str) -> tuple[int, int] | None:
        """The running process that carries this tag, if there is one."""
        wanted = f"{TAG}={tag}".encode()
        for folder in _PROC.iterdir():
            if not folder.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                # The leader of its session is the worker itself; what it started inherits the tag.
                pid = int(folder.name)
                if wanted in (folder / "environ").read_bytes().split(b"\0") and os.getsid(pid) == pid:
                    started = _start_time(pid)
                    if started is not None:
                        return pid, started
        return None


def _start_time(pid: int) -> int | None:
    """Clock ticks from boot to the start of a process; None for one that is gone or a zombie."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])
