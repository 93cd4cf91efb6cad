"""`python packaging/man.py FOLDER VERSION DATE`: a man page for every command, made of the commands by click-man."""

from __future__ import annotations

import sys

import click
from click_man.core import write_man_pages

from autoscaler.cli.root import root


def main(folder: str, version: str, date: str) -> None:
    """Write them."""
    context = click.Context(root)
    root.commands = {
        name: command for name in root.list_commands(context) if (command := root.get_command(context, name))
    }
    for command in (root, *root.commands.values()):
        # the line of the name; click would cut it off in the middle of a sentence
        command.short_help = " ".join((command.help or "").partition("\n\n")[0].split()).rstrip(".")
    write_man_pages("autoscaler", root, version=version, date=date, target_dir=folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
