"""What the commands that ask the daemon have in common."""

from __future__ import annotations

import getpass
import os
import urllib.parse
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from autoscaler import settings
from autoscaler.clients import control
from autoscaler.clock import text as written
from autoscaler.errors import AutoscalerError, UsageError
from autoscaler.loop.answers import Done, Problem
from autoscaler.policy.units import seconds

T = TypeVar("T")


class Daemon:
    """The daemon of these settings, over its unix socket."""

    def __init__(self, config: Path | None) -> None:
        self._socket = settings.load(config, os.environ).socket_path

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
        status, answer = control.ask(self._socket, method, target, body)
        try:
            if status == 200:
                return msgspec.json.decode(answer, type=kind)
            problem = msgspec.json.decode(answer, type=Problem)
        except msgspec.DecodeError as error:
            raise AutoscalerError(f"the daemon's answer is not understood: {error}") from None
        raise UsageError(problem.error, hint=problem.hint)


def span(text: str) -> float:
    """A duration a person wrote, in seconds. Raises UsageError."""
    found = seconds(text)
    if found is None:
        raise UsageError(f"expected a duration such as 30m or 2h, got {text}")
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


def print_json(answer: object) -> None:
    """An answer as the JSON the API sends."""
    click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode())


def print_done(done: Done, form: str) -> None:
    """What holds now."""
    if form == "json":
        print_json(done)
    else:
        click.echo(done.text)


def when(at: float | None) -> str:
    """A time, or a dash."""
    return "-" if at is None else written(at)
