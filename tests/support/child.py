"""Another process of ours, to be killed without notice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def python(code: str, *arguments: str, before: tuple[str, ...] = ()) -> Iterator[subprocess.Popen[str]]:
    """A Python process running `code`, behind the command `before` if given; killed at the end if it still runs."""
    child = subprocess.Popen(
        [*before, sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def line(child: subprocess.Popen[str]) -> str:
    """The next line it prints; fails with what it said on stderr when it ends instead."""
    assert child.stdout is not None
    read = child.stdout.readline()
    assert read, child.stderr.read() if child.stderr is not None else "no output"
    return read.strip()
