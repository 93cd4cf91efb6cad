"""The parts of docs/ that are made from the code: `python -m autoscaler.reference docs` writes them into its pages.

A page carries `<!-- made: NAME -->` … `<!-- end -->`; what stands between is replaced. A test fails while a page is
stale.
"""

from __future__ import annotations

import enum
import re
import sys
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from autoscaler.backtest.benchmarking import Scores
from autoscaler.backtest.compare import Backtest
from autoscaler.backtest.scenario import Verdicts
from autoscaler.backtest.scenario_spec import PolicyTest
from autoscaler.backtest.tuning import Tuning
from autoscaler.cli.root import root
from autoscaler.doctor.findings import Diagnosis
from autoscaler.loop import answers, pages
from autoscaler.loop.cleaner import Previews
from autoscaler.loop.rehearse import Foresight
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.policy import Cleanup, Policy, Scope
from autoscaler.policy.importers.report import Report
from autoscaler.policy.lint import Findings
from autoscaler.policy.reference import keys
from autoscaler.review.review import Review
from autoscaler.settings import Settings
from autoscaler.start import table
from autoscaler.web import api, metrics
from autoscaler.web.exposition import PREFIX

WIDTH = 100
HELP = root.context_settings
MARK = re.compile(r"<!-- made: (?P<name>[^ ]+) -->\n.*?<!-- end -->", re.DOTALL)
ANSWERS = (
    answers.Status,
    answers.WorkloadDetail,
    answers.Explanation,
    answers.History,
    answers.Done,
    answers.Head,
    pages.Fleet,
    pages.Curves,
    pages.Policies,
    pages.WhatIf,
    api.Who,
    Foresight,
    Previews,
    Diagnosis,
    Findings,
    Report,
    Verdicts,
    Decision,
    Backtest,
    Tuning,
    Scores,
    Review,
)  # what `--format json` prints and the API answers at the top, and the decision in it


def fresh(page: str) -> str:
    """A page with its made parts as the code has them now. Raises KeyError for a part nothing makes."""
    return MARK.sub(lambda found: f"<!-- made: {found['name']} -->\n{PARTS[found['name']]()}\n<!-- end -->", page)


# commands


def help_of(name: str) -> str:
    """What `--help` prints, of a command or of one below it: `github doctor`."""
    context = click.Context(root, info_name="autoscaler", terminal_width=WIDTH, max_content_width=WIDTH, **HELP)
    command: click.Command = root
    for word in name.split():
        assert isinstance(command, click.Group)
        below = command.get_command(context, word)
        assert below is not None
        command = below
        context = click.Context(command, info_name=word, parent=context)
    return f"```text\n{command.get_help(context)}\n```"


# the JSON


def shapes() -> str:
    """Every struct the commands print as JSON, with its fields and their types."""
    parts, seen = [], []
    waiting: list[type] = list(ANSWERS)
    while waiting:
        kind = waiting.pop(0)
        if kind in seen:
            continue
        seen.append(kind)
        hints = typing.get_type_hints(kind, include_extras=False)
        names = {field.name: field.encode_name for field in msgspec.structs.fields(kind)}
        rows = [f"- `{encoded}`: {_type(hints[name])}" for name, encoded in names.items()]
        parts.append(f"### {kind.__name__}\n\n{_joined(kind.__doc__ or '')}\n\n" + "\n".join(rows))
        waiting += [each for name in names for each in _inside(hints[name])]
    return "\n\n".join(parts)


def _type(kind: Any) -> str:
    """A type as readers of JSON know it."""
    simple = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
    if kind in simple:
        return simple[kind]
    inner = [each for each in typing.get_args(kind) if each is not Ellipsis]
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return " or ".join(_type(each) for each in inner)
    if typing.get_origin(kind) is tuple:
        listed = inner[0] if typing.get_args(kind)[-1] is Ellipsis else None
        if listed is None:
            return f"[{', '.join(_type(each) for each in inner)}]"
        several = isinstance(listed, types.UnionType) or typing.get_origin(listed) is typing.Union
        return f"list of ({_type(listed)})" if several else f"list of {_type(listed)}"
    if typing.get_origin(kind) is dict:
        return f"map of {_type(inner[1])}"
    if kind is Reason:
        return "one of the [reasons](reasons.md)"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(f"`{each.value}`" for each in kind)
    return f"[{kind.__name__}](#{kind.__name__.lower()})"


def _inside(kind: Any) -> list[type]:
    """The structs in a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [each for part in typing.get_args(kind) for each in _inside(part)]


def _joined(text: str) -> str:
    return re.sub(r"\n +", "\n", text.strip())


# the API and the metrics


def endpoints() -> str:
    """One row per endpoint of the API."""
    rows = ["| ask | parameters | answer | what |", "| --- | --- | --- | --- |"]
    for each in api.endpoints(typing.cast("Any", None), typing.cast("Any", None)):  # told of, never asked
        params = ", ".join(f"`{param.name}`" for param in each.params)
        if each.body is not None:
            params = ", ".join(f"`{field.encode_name}`" for field in msgspec.structs.fields(each.body))
        named = each.answer.__name__
        answer = f"[{named}](commands.md#{named.lower()})" if each.answer in ANSWERS else f"`{named}`"
        about = f"{each.about} Needs a token that may write." if each.write else each.about
        rows.append(f"| `{each.method} {each.path.replace('{name}', 'NAME')}` | {params} | {answer} | {about} |")
    return "\n".join(rows)


def exposition() -> str:
    """One row per metric."""
    rows = ["| metric | kind | labels | meaning |", "| --- | --- | --- | --- |"]
    for each in metrics.families():
        labels = ", ".join(f"`{label}`" for label in each.labels)
        rows.append(f"| `{PREFIX}{each.name}` | {each.kind} | {labels} | {each.about} |")
    return "\n".join(rows)


def counters() -> str:
    """One row per request counter that `init` looks for, best first."""
    rows = ["| counter | of | counted | beside it |", "| --- | --- | --- | --- |"]
    for each in sorted(table.KNOWN, key=lambda known: known.where):
        beside = ", ".join(f"`{name}`" for name in (each.served, each.ready) if name)
        counted = each.where.why.removeprefix("counted ")
        rows.append(
            f"| `{each.metric}` | {each.what} | {counted} | {beside} |".replace("(?:", "(").replace("  |", " |")
        )
    return "\n".join(rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "policy-keys": lambda: f"{keys(Policy)}\n\n{keys(Scope, 'scope')}",
    "cleanup-keys": lambda: keys(Cleanup),
    "test-keys": lambda: keys(PolicyTest),
    "settings-keys": lambda: keys(Settings),
    "json": shapes,
    "api": endpoints,
    "metrics": exposition,
    "counters": counters,
    "help": lambda: help_of(""),
    **{f"help-{name}": lambda name=name: help_of(name) for name in root.list_commands(click.Context(root))},  # type: ignore[misc]
    **{f"help-github-{name}": lambda name=name: help_of(f"github {name}") for name in ("doctor", "create-app")},  # type: ignore[misc]
}


def main(folder: Path) -> None:
    """Write the made parts of every page in a folder; names the pages that changed."""
    for page in sorted(folder.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        made = fresh(text)
        if made != text:
            page.write_text(made, encoding="utf-8")
            click.echo(f"{page}: written")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs"))
