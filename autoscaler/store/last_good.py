"""The policies that were in force last, on the disk: what a daemon starts from while the repository is away."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from autoscaler.errors import StoreError, way_out

NAME = "last-good"  # of the file

_encode = msgspec.msgpack.Encoder().encode


class LastGood(msgspec.Struct, frozen=True, kw_only=True):
    """A whole policy set, and where it came from.

    `commit` is whose policies these are, `base` the commit of the ref that was in force last: another one unless the
    ref was followed. `at` is when it came into force, in seconds since the epoch.
    """

    url: str
    ref: str
    path: str
    commit: str
    base: str
    at: float
    texts: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...] = ()


def read(file: Path) -> LastGood | None:
    """What is kept in a file; None where there is none. Raises StoreError where it cannot be read."""
    try:
        return msgspec.msgpack.decode(file.read_bytes(), type=LastGood)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{file}: cannot be read: {error.strerror}", hint=way_out(error)) from None
    except msgspec.MsgspecError:
        raise StoreError(f"{file}: these are no policies of this version", hint="it is made anew by itself") from None


def write(file: Path, kept: LastGood) -> None:
    """Put it in the file's place as a whole, on the disk when this returns. Raises StoreError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")
        try:
            with os.fdopen(handle, "wb") as aside:
                aside.write(_encode(kept))
                aside.flush()
                os.fsync(aside.fileno())
            os.replace(name, file)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise
        folder = os.open(file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error.strerror}", hint=way_out(error)) from None
