"""What the commands that replay a past share: the past itself, the service it is replayed against, and files."""

from __future__ import annotations

import asyncio
import functools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from autoscaler.backtest import recording
from autoscaler.backtest.assumed import Asked
from autoscaler.backtest.compare import Candidate, other_load, plain
from autoscaler.backtest.record import same_pace
from autoscaler.backtest.recording import Recording, part
from autoscaler.cli.reach import progress, span
from autoscaler.clients.access import Access, Way
from autoscaler.clock import text
from autoscaler.errors import UsageError, way_out
from autoscaler.policy.units import seconds
from autoscaler.settings import Settings

FILE = click.Path(path_type=Path, dir_okay=False)
LONGEST = "30d"


class Duration(click.ParamType[float]):
    """A span as policies write it."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """In seconds."""
        found = seconds(str(value))
        if found is None:
            self.fail(f"expected a duration such as 30s or 300ms, got {value}", param, ctx)
        return found


SPAN = Duration()
OPTIONS = (
    click.option(
        "--capacity", type=float, help="Load that keeps one replica busy; per_replica is 70 % of it by default."
    ),
    click.option("--startup", "startup_s", type=SPAN, help="From order to ready; 30s by default."),
    click.option("--queue", "queue_s", type=SPAN, help="So much work waits before more is dropped; 10s by default."),
    click.option(
        "--objective",
        "objective_s",
        type=SPAN,
        help="How long a request may take; 3 times what one takes by default.",
    ),
    click.option("--count", type=click.IntRange(min=0), help="Replicas at the start; what the load needs by default."),
    click.option("--load", default="", help="What tells the load: a signal's name or a query."),
)


def service(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say what the service is like, as one argument `asked`."""
    names = Asked.__struct_fields__

    @functools.wraps(command)
    def collected(**words: Any) -> None:
        asked = Asked(**{name: words.pop(name) for name in names})
        command(asked=asked, **words)

    for option in reversed(OPTIONS):
        collected = option(collected)
    return collected


def history(
    chosen: Settings,
    candidates: Sequence[Candidate],
    asked: Asked,
    data: Path | None,
    reach: tuple[str | None, str | None],
    before_s: float = 0.0,
) -> tuple[Recording, str, Recording | None]:
    """The past and its name: a recording, or what the servers tell of between two times; and up to `before_s` seconds
    of what was before it, where that is told too. Raises AutoscalerError.
    """
    from autoscaler.rehearsal import record

    if data is not None:
        past = recording.read(data)
        same_pace(past, chosen.cycle, str(data))
        return _within(past, str(data), reach, before_s)
    plans = [plain(each.plan) for each in candidates]
    extra = other_load(candidates[0].plan, asked.load)
    since, until = reach
    begin, end = span(since or LONGEST, until)
    past = asyncio.run(record(chosen, plans, begin - before_s, end, load=extra, told=progress("reading the past")))
    url = Way(Access(url=chosen.prometheus.url)).url  # without a password that may stand in it
    return _parted(past, url, begin, end, before_s)


def _within(
    past: Recording, name: str, reach: tuple[str | None, str | None], before_s: float
) -> tuple[Recording, str, Recording | None]:
    """What a recording has between two times. Raises UsageError where that is nothing."""
    since, until = reach
    if since is None and until is None:
        return past, name, None
    begin, end = span(since or text(past.start), until or text(past.end))
    if begin > past.end or end < past.start:
        said = f"{name} tells of {text(past.start)} to {text(past.end)}, nothing of it lies in that time"
        raise UsageError(said, hint="--from and --to say which part of it to replay")
    return _parted(past, name, max(begin, past.start), end, before_s)


def _parted(
    past: Recording, name: str, begin: float, end: float, before_s: float
) -> tuple[Recording, str, Recording | None]:
    """A recording from one time to another, and what it has of the time before."""
    every = past.every_s
    first = max(0, math.ceil((begin - past.start) / every))
    last = min(past.beats, math.floor((end - past.start) / every) + 1)
    before = max(0, first - math.ceil(before_s / every))
    return part(past, first, last), name, part(past, before, first) if first > before else None


def one_past(data: Path | None, *others: str | None) -> None:
    """Raise UsageError where a recording and a server are both named."""
    if data is not None and any(each is not None for each in others):
        raise UsageError("--data already tells the past", hint="leave out --prometheus, --from and --to")


def writable(*paths: Path | None) -> None:
    """Raise UsageError where a file has no folder to stand in: before long work, not after it."""
    for path in paths:
        if path is not None and not path.parent.is_dir():
            raise UsageError(
                f"{path}: cannot be written: there is no folder {path.parent}", hint="make it, or name another place"
            )


def save(path: Path, text: str) -> None:
    """Write a file as it is. Raises UsageError."""
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}", hint=way_out(error)) from None
