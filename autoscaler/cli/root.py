"""`autoscaler`: the list of commands, options they share, and how an error ends one."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from autoscaler.built import version
from autoscaler.cli.say import say
from autoscaler.errors import AutoscalerError

COMMANDS = {
    "init": "init",
    "run": "run",
    "validate": "validate",
    "lint": "lint",
    "doctor": "doctor",
    "test": "test",
    "schema": "schema",
    "dry-run": "dry_run",
    "recycle": "recycle",
    "cleanup": "cleanup",
    "record": "record",
    "backtest": "backtest",
    "plan": "plan",
    "tune": "tune",
    "benchmark": "benchmark",
    "simulate": "simulate",
    "import": "import_",
    "export": "export",
    "status": "status",
    "explain": "explain",
    "history": "history",
    "policies": "policies",
    "rollback": "rollback",
    "sync": "sync",
    "pause": "pause",
    "resume": "resume",
    "override": "override",
    "notify": "notify",
    "github": "github",
}

F = TypeVar("F", bound=Callable[..., Any])


class Lazy(click.Group):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order people meet them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command by its name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"autoscaler.cli.{COMMANDS[cmd_name]}").command
        return command


def config(command: F) -> F:
    """The option that names the settings file."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(
        "--config", type=path, help="The settings file; autoscaler.yaml by default, here or in /etc/autoscaler."
    )(command)


def output(command: F) -> F:
    """The option that chooses between words and JSON."""
    choice = click.Choice(["text", "json"])
    return click.option(
        "--format", "form", type=choice, default="text", help="Words (default), or the answer as JSON."
    )(command)


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    """Print it and end; worked out only when asked, because git may have to be."""
    if asked and not ctx.resilient_parsing:
        say(f"autoscaler, version {version()}")
        ctx.exit()


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def root() -> None:
    """Scale Kubernetes workloads and compose services by policies, and replace sick containers."""


def main() -> None:
    """The console script: runs a command; one of our errors ends it with a sentence, a hint and its exit code."""
    try:
        root.main(standalone_mode=False)
    except AutoscalerError as error:
        say(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
