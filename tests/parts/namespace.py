"""A network of the test's own without a way out: nothing that is started inside reaches anything else."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from collections.abc import Iterator

from tests.parts.catalogue import program

NEW_NETWORK = 0x40000000  # CLONE_NEWNET


@contextlib.contextmanager
def network_of_our_own() -> Iterator[None]:
    """Inside, this thread and all that it starts (threads and processes) are in a new network with a loopback only.

    Needs root. Sockets from before stay where they were. The network ends with the last process in it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _check(libc.unshare(NEW_NETWORK))
        try:
            ip("link", "set", "lo", "up")
            yield
        finally:
            _check(libc.setns(before, NEW_NETWORK))
    finally:
        os.close(before)


def ip(*words: str) -> None:
    """One run of `ip`, in the network this thread is in."""
    subprocess.run([str(program("ip")), *words], check=True)


def _check(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
