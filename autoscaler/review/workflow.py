"""A review inside a GitHub workflow: commands that become annotations, a job's summary, outputs.

It needs no token: a fork's pull request is told of in the same way.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from autoscaler.errors import AutoscalerError, UsageError, way_out
from autoscaler.review.figures import failure
from autoscaler.review.markdown import markdown
from autoscaler.review.review import Review
from autoscaler.review.strangers import command_data, command_property

MOST = 10  # of each level in a step; GitHub drops more
LEVELS = ("error", "warning", "notice")
UNSAFE = "pull_request_target"
NOBODY = "0" * 40


class _Note(msgspec.Struct, frozen=True):
    """One annotation."""

    level: str
    file: str
    line: int
    column: int
    title: str
    text: str


class Commit(msgspec.Struct, frozen=True):
    """A commit as events name it."""

    sha: str


class PullRequest(msgspec.Struct, frozen=True):
    """What of a pull request's event is read."""

    base: Commit
    head: Commit


class MergeGroup(msgspec.Struct, frozen=True):
    """What of a merge group's event is read."""

    base_sha: str


class Event(msgspec.Struct, frozen=True):
    """What of an event is read."""

    pull_request: PullRequest | None = None
    merge_group: MergeGroup | None = None
    before: str = ""


def refuse_unsafe(environment: Mapping[str, str]) -> None:
    """Raise UsageError for events that run a stranger's files with our secrets."""
    if environment.get("GITHUB_EVENT_NAME") == UNSAFE:
        raise UsageError(f"{UNSAFE} gives a stranger's files our secrets", hint="use on: pull_request")


def base(environment: Mapping[str, str], parents: list[str]) -> str:
    """The revision that a workflow's event compares with; `parents` are those of the commit that is checked out.

    Raises UsageError where no event tells of one.
    """
    told = _event(environment)
    pull = told.pull_request
    if pull is not None:
        merged = len(parents) == 2 and parents[1] == pull.head.sha
        return parents[0] if merged else pull.base.sha
    if told.merge_group is not None:
        return told.merge_group.base_sha
    if told.before and told.before != NOBODY:
        return told.before
    raise UsageError("nothing says what to compare with", hint="name a branch, tag or commit: --against main")


def commands(told: Review) -> str:
    """What is written to a step's log: worst first, at most ten of a level, and how many more there are."""
    found = list(_notes(told))
    lines: list[str] = []
    for level in LEVELS:
        of = [each for each in found if each.level == level]
        shown = of if len(of) <= MOST else of[: MOST - 1]
        lines += map(_command, shown)
        if len(of) > len(shown):
            lines.append(f"::{level}::and {len(of) - len(shown)} more: see the job summary")
    return "\n".join([told.title, *lines])


def hand_over(told: Review, environment: Mapping[str, str]) -> None:
    """Write the job's summary and the step's outputs where the environment says so. Raises AutoscalerError."""
    _append(environment.get("GITHUB_STEP_SUMMARY"), markdown(told))
    values = {
        "title": told.title,
        "changed": len(told.changes),
        "errors": told.errors,
        "quiet": str(told.quiet).lower(),
        "evidence": told.evidence,
    }
    _append(environment.get("GITHUB_OUTPUT"), "".join(f"{name}={value}\n" for name, value in values.items()))


def refusal(error: AutoscalerError) -> str:
    """An error of ours as a command: what it quotes may be a stranger's."""
    return f"::error title=autoscaler::{command_data(str(error))}"


def _notes(told: Review) -> Iterator[_Note]:
    for each in told.failed:
        said = "\n".join([each.name, *failure(each)])
        yield _Note("error", each.file, each.line, 1, "policy test failed", said)
    for trouble in told.troubles:
        level = "error" if trouble.error else "warning"
        yield _Note(level, trouble.file, trouble.line, trouble.column, f"autoscaler {level}", trouble.text)
    for note in told.notes:
        yield _Note("warning", "", 0, 0, "autoscaler", note)
    for change in told.changes:
        keys = [f"{key.key}: {key.before or 'not set'} → {key.after or 'not set'}" for key in change.keys]
        yield _Note("notice", change.file, change.line, 1, f"{change.kind.value} {change.name}", "\n".join(keys))


def _command(note: _Note) -> str:
    properties = {"file": note.file, "line": note.line, "col": note.column, "title": note.title}
    told = ",".join(f"{name}={command_property(str(value))}" for name, value in properties.items() if value)
    return f"::{note.level} {told}::{command_data(note.text or note.title)}"


def _event(environment: Mapping[str, str]) -> Event:
    path = environment.get("GITHUB_EVENT_PATH")
    if not path:
        return Event()
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=Event)
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"GITHUB_EVENT_PATH: {path} cannot be read: {error}", hint="name it: --against REF") from None


def _append(path: str | None, text: str) -> None:
    if not path:
        return
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise AutoscalerError(
            f"{path}: cannot be written: {os.strerror(error.errno or 0)}", hint=way_out(error)
        ) from None
