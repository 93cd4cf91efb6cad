"""What the commands that ask the daemon have in common."""

from __future__ import annotations

import functools
import getpass
import os
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from autoscaler import settings
from autoscaler.cli.root import config as with_config
from autoscaler.cli.say import print_json, say
from autoscaler.clients import control
from autoscaler.clock import text as written
from autoscaler.errors import AutoscalerError, UsageError
from autoscaler.loop.answers import Done, Problem
from autoscaler.policy.units import seconds

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Daemon:
    """The daemon of these settings, over its unix socket; or the one at `server`, over HTTP with a token."""

    def __init__(self, config: Path | None, server: str | None = None, token: Path | None = None) -> None:
        if server is None:
            self._ask = functools.partial(control.ask, settings.load(config, os.environ).socket_path)
        else:
            self._ask = functools.partial(control.ask_server, server, _secret(token))

    def get(self, path: str, kind: type[T], **query: str | float | int | None) -> T:
        """The answer to a question. Raises UsageError with the daemon's own words."""
        asked = {key: str(value) for key, value in query.items() if value is not None}
        target = urllib.parse.quote(path) + (f"?{urllib.parse.urlencode(asked)}" if asked else "")
        return self._decoded("GET", target, None, kind)

    def post(self, path: str, kind: type[T], **body: Any) -> T:
        """The answer to a person's word."""
        said = {key: value for key, value in body.items() if value is not None}
        return self._decoded("POST", urllib.parse.quote(path), msgspec.json.encode(said), kind)

    def _decoded(self, method: str, target: str, body: bytes | None, kind: type[T]) -> T:
        status, answer = self._ask(method, control.API + target, body)
        try:
            if status == 200:
                return msgspec.json.decode(answer, type=kind)
            problem = msgspec.json.decode(answer, type=Problem)
        except msgspec.DecodeError as error:
            raise AutoscalerError(
                f"the daemon's answer is not understood: {error}",
                hint="is that the daemon, and of this version? `autoscaler --version` here and there",
            ) from None
        raise UsageError(problem.error, hint=problem.hint)


def daemon(command: F) -> F:
    """The options that say which daemon is asked; the command is handed it as `daemon`."""

    @functools.wraps(command)
    def asking(*words: Any, config: Path | None, server: str | None, token_file: Path | None, **more: Any) -> Any:
        return command(*words, daemon=Daemon(config, server, token_file), **more)

    file = click.Path(path_type=Path, dir_okay=False)
    asking = click.option(
        "--token-file", type=file, envvar="AUTOSCALER_TOKEN_FILE", help="A file with the token for --server."
    )(asking)
    asking = click.option(
        "--server", metavar="URL", envvar="AUTOSCALER_SERVER", help="Ask the daemon there instead of this machine's."
    )(asking)
    return with_config(asking)  # type: ignore[return-value]


def _secret(file: Path | None) -> str:
    """The token in a file; none for none. Raises UsageError."""
    if file is None:
        return ""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "this is not UTF-8 text"
        raise UsageError(f"{file}: cannot be read: {why}", hint="see --token-file") from None


def span(text: str, option: str = "--for") -> float:
    """A duration a person wrote for an option, in seconds. Raises UsageError."""
    found = seconds(text)
    if found is None:
        raise UsageError(f"{option}: expected a duration such as 30m or 2h, got {text}")
    return found


def me() -> str:
    """Who gives the command, for the record."""
    told = os.environ.get("SUDO_USER")
    if told:
        return told
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def print_done(done: Done, form: str) -> None:
    """What holds now."""
    if form == "json":
        print_json(done)
    else:
        say(done.text)


def when(at: float | None) -> str:
    """A time, or a dash."""
    return "-" if at is None else written(at)
