"""`autoscaler github`: `doctor` and `create-app`."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import click

from autoscaler import __version__, settings
from autoscaler.cli.root import config, output
from autoscaler.cli.say import say
from autoscaler.doctor.findings import Diagnosis
from autoscaler.errors import UsageError

FEATURES = ("policies", "plan", "deployments", "statuses")


@click.group("github", short_help="Get in at GitHub, and see what that is worth.")
def command() -> None:
    """Get in at GitHub, and see what that is worth."""


@command.command("doctor", short_help="What our login at GitHub may do, by feature.")
@click.option("--repository", metavar="OWNER/NAME", help="The repository; that of the settings by default.")
@output
@config
def doctor(repository: str | None, form: str, config: Path | None) -> None:
    """Try our login at GitHub, and say how to mend what does not work.

    Tried are the App and where it is installed, or the token; told are the permissions by feature, held or missing,
    those that nothing uses, how far our clock is off, the branch's rules, and what is left of the hour's requests.
    Nothing is changed. Without a login in the settings the token in GITHUB_TOKEN is tried. Ends with exit status 1
    where something that the settings want failed.
    """
    from autoscaler.cli.doctor import tell

    tell(asyncio.run(_examined(settings.load(config, os.environ), repository)), form)


@command.command("create-app", short_help="Make a GitHub App with what is needed and no more.")
@click.option("--organization", metavar="NAME", default="", help="Whose it is; your own by default.")
@click.option("--name", default="autoscaler", help="Its name, which must be unused at GitHub.")
@click.option(
    "--for",
    "features",
    type=click.Choice(FEATURES),
    multiple=True,
    help="What it is for; policies, plan and deployments by default.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("github-app.pem"),
    help="Where its private key is written; github-app.pem by default.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The page's port on this machine; any by default."
)
@config
def create_app(
    organization: str, name: str, features: tuple[str, ...], key_file: Path, port: int, config: Path | None
) -> None:
    """Make a GitHub App with the permissions that are needed and no more.

    Shows a page on this machine whose button leads to GitHub, which asks you once more and sends you back. The App's
    private key is written to a file that only you can read. The App is private and has no webhook. Then install it.
    """
    from autoscaler.clients.github_wire import Host
    from autoscaler.start.github_app import Wanted, create, purposes

    told = settings.load(config, os.environ).github
    host = Host(url=told.url, ca=told.ca or "", proxy=told.proxy or "")
    chosen = purposes(features or ("policies", "plan", "deployments"))
    wanted = Wanted(name=name, organization=organization, purposes=chosen, key_file=key_file)

    def tell(url: str) -> None:
        say(f"Open this page in a browser on this machine:\n\n    {url}\n")

    made = asyncio.run(create(host, wanted, port=port, tell=tell))
    say(f"{made.slug} is App {made.id}; its key is in {made.key_file}. Install it at the repository:\n")
    say(f"    {made.install}\n\nThen write into autoscaler.yaml:\n")
    url = f"  url: {told.url}\n" if told.url != settings.Settings().github.url else ""
    say(f'github:\n{url}  app: "{made.id}"\n  key_file: {json.dumps(made.key_file, ensure_ascii=False)}')


async def _examined(chosen: settings.Settings, repository: str | None) -> Diagnosis:
    import msgspec

    from autoscaler.clients.github_login import Purpose
    from autoscaler.clock import SystemClock
    from autoscaler.doctor.findings import settled
    from autoscaler.doctor.github import examine_github
    from autoscaler.forge import Report, lends_token
    from autoscaler.policy_wiring import github_of

    if repository is not None:
        github = msgspec.structs.replace(chosen.github, repository=repository)
        chosen = msgspec.structs.replace(chosen, github=github)
    clock = SystemClock()
    client = github_of(chosen, clock, os.environ.get("GITHUB_TOKEN", ""))
    if client is None:
        hint = "github.app and key_file, or token_file, and git.url or github.repository; see docs/github.md"
        raise UsageError("the settings name no way to get in at GitHub, or no repository", hint=hint)
    reports = {Report.DEPLOYMENTS: Purpose.DEPLOYMENTS, Report.STATUSES: Purpose.STATUSES}
    used = {reports[chosen.github.report]} if chosen.github.report in reports else set()
    used |= {Purpose.POLICIES} if lends_token(chosen.github, chosen.git) else set()
    try:
        found = await examine_github(client, chosen.git.ref, frozenset(used))
    finally:
        await client.close()
    return Diagnosis(at=clock.now(), release=__version__, findings=settled(found))
