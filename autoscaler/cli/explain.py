"""`autoscaler explain`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from autoscaler.cli.root import output
from autoscaler.cli.say import print_json, say
from autoscaler.cli.talk import Daemon, daemon, when
from autoscaler.clock import end_of
from autoscaler.errors import UsageError
from autoscaler.loop.answers import Explanation


@click.command("explain")
@click.argument("workload")
@click.option("--at", "at", help="A past time, such as 2026-11-24T14:30:00Z.")
@output
@daemon
def command(workload: str, at: str | None, form: str, daemon: Daemon) -> None:
    """Say how a count came about, step by step.

    With --at the decision that was in force at a past time: the last one before it that changed count or reason.
    """
    answer = daemon.get(f"/explain/{workload}", Explanation, at=None if at is None else _time(at))
    if form == "json":
        print_json(answer)
        return
    held = "; it held until the next change of count or reason" if answer.since_change else ""
    say(f"{answer.key}, decided {when(answer.decided)}{held}")
    if answer.place:
        whence = f" of {answer.repository}" if answer.repository else ""
        whence += f", pull request #{answer.pull}" if answer.pull is not None else ""
        say(f"by {answer.place} of policies {answer.revision}{whence}")
    if answer.note:
        say(answer.note)
    say("\n".join((*answer.lines, *answer.learned, *answer.asked)))


def _time(text: str) -> float:
    try:
        return end_of(text)
    except ValueError:
        example = datetime(2026, 11, 24, 14, 30, tzinfo=UTC).isoformat()
        raise UsageError(f"--at: expected a time such as {example}, got {text}") from None
