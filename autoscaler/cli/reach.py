"""Options of the commands that look back: which past of which server, and progress on standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from autoscaler import settings
from autoscaler.clock import SystemClock, parse
from autoscaler.errors import UsageError
from autoscaler.policy.units import seconds

F = TypeVar("F", bound=Callable[..., Any])

WIDTH = 30


def reach(command: F) -> F:
    """The options that say which past: `prometheus`, `since` and `until`."""
    for option in (
        click.option("--to", "until", help="Until when: a time, or how long ago; now by default."),
        click.option("--from", "since", help="From when: how long ago (30d), or a time (2026-11-24T14:30:00Z)."),
        click.option("--prometheus", help="The server's URL; that of the settings by default."),
    ):
        command = option(command)
    return command


def span(since: str, until: str | None) -> tuple[float, float]:
    """The two times in seconds since the epoch. Raises UsageError."""
    now = SystemClock().now()
    begin, end = _time("--from", since, now), now if until is None else _time("--to", until, now)
    if end > now:
        raise UsageError("--to: expected a time that is past", hint="leave it out for now")
    if begin >= end:
        raise UsageError("--from: expected a time before --to", hint="--from 30d is thirty days ago")
    return begin, end


def known(config: Path | None, prometheus: str | None, paths: Sequence[Path]) -> settings.Settings:
    """The settings with another server and other policies, where those are told. Raises AutoscalerError."""
    environment = dict(os.environ)
    if prometheus is not None:
        environment[f"{settings.ENVIRONMENT}PROMETHEUS_URL"] = prometheus
    chosen = settings.load(config, environment)
    return settings.choosing(chosen, list(map(str, paths)))


def progress(what: str) -> Callable[[int, int], None]:
    """Tells how far something is, on standard error: a bar on a terminal, else a line at every tenth."""
    bar = sys.stderr.isatty()
    told = -1

    def tell(done: int, of: int) -> None:
        nonlocal told
        tenth = 10 * done // of
        if bar:
            full = WIDTH * done // of
            end = "\n" if done >= of else ""
            click.echo(f"\r{what}  {'█' * full}{'·' * (WIDTH - full)} {100 * done // of:3d} %{end}", nl=False, err=True)
        elif tenth > told:
            told = tenth
            click.echo(f"{what}: {100 * done // of} %", err=True)

    return tell


def _time(option: str, text: str, now: float) -> float:
    ago = seconds(text)
    if ago is not None:
        return now - ago
    try:
        return parse(text)
    except ValueError:
        raise UsageError(
            f"{option}: expected how long ago or a time, got {text}", hint="30d, or 2026-11-24T14:30:00Z"
        ) from None
