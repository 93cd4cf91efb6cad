"""What commands print.

Names in it come from clusters, repositories and people: of them a character that nobody sees is written out.
"""

from __future__ import annotations

import click
import msgspec

from autoscaler.unseen import LAYOUT, in_json, visible


def say(text: str = "", *, err: bool = False, nl: bool = True, fg: str | None = None) -> None:
    """Words for people, in a colour: nothing in them steers the terminal or turns a line around."""
    click.secho(visible(text, keep=LAYOUT), err=err, nl=nl, fg=fg)  # noqa: TID251 (the one place)


def give(document: str, *, nl: bool = False) -> None:
    """A document for a file or another program, byte for byte."""
    click.echo(document, nl=nl)  # noqa: TID251 (the one place)


def print_json(answer: object) -> None:
    """An answer as the JSON the API sends."""
    give(in_json(msgspec.json.format(msgspec.json.encode(answer), indent=2).decode()), nl=True)
