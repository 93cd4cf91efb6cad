"""The git program, run as a child that knows nothing of this machine's settings and can be ended at any time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from autoscaler.errors import SourceError

MOST_OUTPUT = 64_000_000  # bytes of one answer
MOST_FILE = 2_000_000_000  # bytes of one file that git may write: a pack
BLOCK = 512  # bytes, the unit of `ulimit -f`
KEPT = ("PATH", "HOME", "USER", "LANG", "TMPDIR", "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR")
PROXIES = ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")
ALWAYS = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "LC_ALL": "C",
}
SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "http.followRedirects": "false",  # our header would go along to another host
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "30",
}


class Said(Exception):
    """Git ended with another exit status than 0; `text` is what it printed on standard error."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


async def run(
    folder: Path,
    words: Sequence[str],
    *,
    within_s: float,
    settings: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    given: bytes = b"",
    most_file: int = MOST_FILE,
) -> bytes:
    """What git prints in a bare repository. Raises Said where it fails, SourceError where it cannot be asked.

    Secrets go in `settings` and `environment`: they are no arguments. Whoever cancels this ends git and its children.
    """
    told = {**SETTINGS, **(settings or {})}
    env = {key: os.environ[key] for key in (*KEPT, *PROXIES) if key in os.environ} | ALWAYS | dict(environment or {})
    env["GIT_CONFIG_COUNT"] = str(len(told))
    for number, (key, value) in enumerate(told.items()):
        env[f"GIT_CONFIG_KEY_{number}"], env[f"GIT_CONFIG_VALUE_{number}"] = key, value
    command = ["sh", "-c", 'ulimit -f "$0" && exec git "$@"', str(most_file // BLOCK), f"--git-dir={folder}", *words]
    try:
        status, out, err = await child(command, env, f"git {words[0]}", within_s=within_s, given=given)
    except OSError as error:
        raise SourceError(f"git cannot be started: {error.strerror}") from None
    if status == 127:
        raise SourceError("git is not installed, and policies are read with it", hint="install git")
    if status:
        raise Said(err.decode(errors="replace"))
    return out


async def child(
    command: Sequence[str], env: Mapping[str, str], name: str, *, within_s: float, given: bytes = b""
) -> tuple[int, bytes, bytes]:
    """Exit status, output and errors of a program. It and its children are ended by whoever cancels this, and in time.

    Raises SourceError where it takes too long or says too much, OSError where it cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(within_s):
            out, err, _ = await asyncio.gather(
                _read(process.stdout, MOST_OUTPUT), _read(process.stderr, MOST_OUTPUT), _feed(process.stdin, given)
            )
            status = await process.wait()
    except TimeoutError:
        raise SourceError(f"{name} was not over within {within_s:g} s") from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # it, or what it has left behind
        await process.wait()
    return status, out, err


async def _read(stream: asyncio.StreamReader | None, most: int) -> bytes:
    assert stream is not None
    parts, size = [], 0
    while part := await stream.read(1 << 16):
        size += len(part)
        if size > most:
            raise SourceError(f"git's answer has more than {most // 1_000_000} million bytes")
        parts.append(part)
    return b"".join(parts)


async def _feed(stream: asyncio.StreamWriter | None, given: bytes) -> None:
    assert stream is not None
    with contextlib.suppress(ConnectionError):
        stream.write(given)
        await stream.drain()
    stream.close()
