"""The lease of daemons that share a file system: a lock the kernel gives back when its holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import socket
from pathlib import Path

from autoscaler.clock import text as written
from autoscaler.errors import LeaseError
from autoscaler.ports import Clock


class FileLease:
    """A lock on the file `path`, whose text names the holder. Raises LeaseError when the file cannot be used.

    It is lost only with the file: one that was moved or deleted under us protects nothing any more.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._file: int | None = None
        self._holder: str | None = None

    async def hold(self) -> bool:
        """Take or renew it; False where somebody else has it, whom `holder` names then."""
        if self._mine():
            return True
        self._close()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LeaseError(
                f"{self._path}: cannot be opened: {error.strerror}",
                hint="the data folder must be writable for the user the daemon runs as",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._holder = os.pread(file, 1000, 0).decode(errors="replace").strip() or "a process that gave no name"
            os.close(file)
            return False
        except OSError as error:
            os.close(file)
            raise LeaseError(
                f"{self._path}: cannot be locked: {error.strerror}",
                hint="the data folder must be on a file system that knows locks",
            ) from None
        self._file = file
        self._sign()
        return self._mine()

    def holder(self) -> str | None:
        """Who had it when `hold` last asked; None before, and after `release`."""
        return self._holder

    def address(self) -> str:
        """None: whoever wants the same files is on this machine, and ends where somebody has them."""
        return ""

    def remaining(self) -> float:
        """Infinite while it is ours, 0 while it is not: the kernel keeps it, no clock runs."""
        return math.inf if self._mine() else 0.0

    async def release(self) -> None:
        """Give it up at once. The file stays: removing it could take away the lock of the next holder."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
        self._close()

    async def close(self) -> None:
        """Nothing to close: the file is closed with the release."""

    def _mine(self) -> bool:
        if self._file is None:
            return False
        try:
            ours, there = os.fstat(self._file), os.stat(self._path)
        except OSError:
            return False
        return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)

    def _sign(self) -> None:
        assert self._file is not None
        self._holder = f"process {os.getpid()} on {socket.gethostname()} since {written(self._clock.now())}"
        with contextlib.suppress(
            OSError
        ):  # a full disk must not keep the holder from its lock; only the name is missing
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, self._holder.encode() + b"\n", 0)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        self._file, self._holder = None, None
