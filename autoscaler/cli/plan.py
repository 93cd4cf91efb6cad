"""`autoscaler plan`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.reach import progress
from autoscaler.cli.root import config
from autoscaler.cli.say import give, print_json, say
from autoscaler.clients.git import Past
from autoscaler.errors import AutoscalerError, UsageError

FORMS = ("text", "md", "github", "json")


@click.command("plan")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--against", metavar="REF", help="What to compare with: a branch, tag or commit of git.")
@click.option("--head", metavar="REF", help="What is to be, instead of the files as they are.")
@click.option(
    "--data",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A recording to try on; the one beside each policy (web.rec) by default.",
)
@click.option(
    "--format", "form", type=click.Choice(FORMS), default="text", help="Words, a comment, a workflow's log, or JSON."
)
@config
def command(
    paths: tuple[Path, ...], against: str | None, head: str | None, data: tuple[Path, ...], form: str,
    config: Path | None,
) -> None:  # fmt: skip
    """Say what a change of policies would do before it is merged.

    PATHS are files and folders; without any, the policies of the settings. Told are policies that are added, removed
    and changed, key by key; what that does on a recording, by the same replay as `backtest`; what is wrong with them;
    and what their tests say. No server and no platform is asked. In a GitHub workflow the event says what to compare
    with, and no settings are read but those of --config or AUTOSCALER_CONFIG. Ends with exit status 1 where a policy
    test fails, and with 2 where a policy or a test does not load.
    """
    try:
        if form == "github":
            from autoscaler.review.workflow import refuse_unsafe

            refuse_unsafe(os.environ)
        places = () if form == "github" else settings.PLACES  # the folder is a stranger's
        told_settings = settings.told(config, os.environ, places)
        chosen = settings.load(config, os.environ, places) if told_settings else settings.Settings()
        chosen = settings.choosing(chosen, list(map(str, paths)))
        status = _told(chosen, told_settings, against, head, data, form)
    except AutoscalerError as error:
        if form != "github":
            raise
        from autoscaler.review.workflow import refusal

        say(refusal(error))
        sys.exit(error.exit_code)
    sys.exit(status)


def _told(
    chosen: settings.Settings, told_settings: bool, against: str | None, head: str | None, data: tuple[Path, ...],
    form: str,
) -> int:  # fmt: skip
    """Print it; the exit status."""
    from autoscaler.review.markdown import markdown
    from autoscaler.review.review import review
    from autoscaler.review.text import text
    from autoscaler.review.workflow import base, commands, hand_over

    if against is None:
        if form != "github":
            raise UsageError("--against is needed", hint="name a branch, tag or commit: --against main")
        against = base(os.environ, Past(Path(chosen.policies[0])).parents(head or "HEAD"))
    told = review(chosen, told_settings, against, head, data, progress)
    if form == "json":
        print_json(told)
    elif form == "md":
        give(markdown(told))
    elif form == "github":
        say(commands(told))
        hand_over(told, os.environ)
    else:
        say(text(told))
    if any(each.error for each in told.troubles):
        return 2
    return 1 if told.failed else 0
