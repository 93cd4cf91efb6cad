"""Settings → where policies come from, the sets that fit them, and who is told which are live."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.clients.access import Access, check
from autoscaler.errors import PolicyError, SettingsError, UsageError
from autoscaler.forge import lends_token
from autoscaler.forge import repository as repository_at
from autoscaler.loop.daemon import Load, Prove
from autoscaler.model.policy import PolicySet
from autoscaler.policy.fit import misfits
from autoscaler.policy.load import Loader
from autoscaler.ports import Clock, Forge, PolicySource, Repository
from autoscaler.settings import Settings, around
from autoscaler.store import last_good
from autoscaler.store.policy_files import read

if TYPE_CHECKING:
    from autoscaler.clients.github import GitHub
    from autoscaler.store.policy_git import Show

POLICIES = "policies"  # the folder in the data folder for what comes from git


def loading(settings: Settings) -> Load:
    """How the daemon loads one set after the other: beside its cycles, and only what is not as it was."""
    loader = Loader()

    async def load_beside(texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
        return await asyncio.to_thread(fitting, settings, loader.load, texts, revision)

    return load_beside


def fitting(
    settings: Settings,
    load: Callable[[Sequence[tuple[str, str]], str], PolicySet],
    texts: Sequence[tuple[str, str]],
    revision: str,
) -> PolicySet:
    """The policies in these texts, where all of them fit these settings. Raises PolicyError with every problem."""
    loaded = load(texts, revision)
    wrong = misfits(
        loaded.placed,
        loaded.cleanups,
        cycle_s=settings.cycle,
        servers=settings.servers,
        engines=settings.engines,
        strict_may_act=settings.strict_may_act,
        receives=settings.push.address is not None,
        processes=settings.git.may_start,
    )
    if wrong:
        raise PolicyError(tuple(wrong))
    return loaded


def proving(settings: Settings) -> Prove:
    """How the daemon runs the policy tests that come with a set: beside its cycles."""

    async def prove_beside(loaded: PolicySet, tests: Sequence[tuple[str, str]]) -> None:
        await asyncio.to_thread(proved, settings, loaded, tests)

    return prove_beside


def proved(settings: Settings, loaded: PolicySet, tests: Sequence[tuple[str, str]]) -> None:
    """Run these policy tests beside a set. Raises PolicyError with those that fail or do not load."""
    from autoscaler.backtest.differences import report
    from autoscaler.backtest.scenario import judged
    from autoscaler.backtest.scenario_load import load

    verdicts = judged(load(tests, loaded.placed, cycle_s=settings.cycle))
    wrong = [
        f"{each.file}:{each.line}:1: this test fails: {each.name}: {next(iter(report(each)), '')}"
        for each in verdicts.tests
        if not each.passed
    ]
    if wrong:
        raise PolicyError(tuple(wrong))


def policies_of(settings: Settings, clock: Clock, *, show: Show, github: GitHub | None = None) -> PolicySource:
    """Where policies come from by these settings: files, or a repository that tells `show`. Raises SettingsError.

    `github` gives git its token where it can.
    """
    if settings.git.url is None:
        from autoscaler.store.policy_folder import FolderSource

        return FolderSource([Path(each) for each in settings.policies], clock)
    return _repository(settings, clock, show, github)


def _repository(settings: Settings, clock: Clock, show: Show, github: GitHub | None) -> Repository:
    from autoscaler.clients.git_remote import Place
    from autoscaler.clients.github_login import Purpose
    from autoscaler.store.policy_git import GitSource

    git = settings.git
    assert git.url is not None
    for key in ("signers", "keys", "ca"):
        file = getattr(git, key)
        if file is not None and not os.access(file, os.R_OK):
            raise SettingsError(f"git.{key}: {file} cannot be read", hint="correct the settings")
    place = Place(
        url=git.url, ref=git.ref, username=git.username, token_file=git.token_file or "", ca=git.ca or "",
        signers=git.signers or "", keys=git.keys or "",
    )  # fmt: skip
    folder = settings.data_folder / POLICIES
    lent = partial(github.token, Purpose.POLICIES) if github is not None and lends_token(settings.github, git) else None
    return GitSource(
        place, folder, clock, path=git.path, every_s=git.every, pin=git.pin or "", show=show, token=lent
    )  # fmt: skip


def github_of(settings: Settings, clock: Clock, token: str = "") -> GitHub | None:
    """GitHub's API for the repository of these settings; None where they name no way to get in, or no repository.

    `token` is used where the settings have none. Raises SettingsError.
    """
    from autoscaler.clients.github import GitHub
    from autoscaler.clients.github_wire import Host

    told, repository = settings.github, repository_at(settings.github, settings.git)
    if not repository or not (told.known or token):
        return None
    if told.ca is not None:
        check(Access(url=told.url, name="github", ca=told.ca))
    host = Host(url=told.url, ca=told.ca or "", proxy=told.proxy or "")
    return GitHub(
        host, repository, clock, app=told.app or "", key_file=told.key_file or "", token_file=told.token_file or "",
        token="" if told.known else token,
    )  # fmt: skip


def forge_of(settings: Settings, github: GitHub) -> Forge:
    """Who is told at GitHub which commit is live."""
    from autoscaler.messengers.github import GitHubForge

    return GitHubForge(github, settings.github.report.value, settings.github.environment)


def texts_of(settings: Settings) -> list[tuple[str, str]]:
    """Names and texts of the policies of these settings: the files', or those of the commit that is in force.

    Those a command was told of come with the defaults of their set.

    Raises SettingsError, PolicyError, UsageError and StoreError.
    """
    sets = around(settings)
    if settings.git.url is None or sets is not None:
        return read([Path(each) for each in settings.policies], sets)
    kept = last_good.read(settings.data_folder / POLICIES / last_good.NAME)
    if kept is None:
        said = f"no policies of {settings.git.url} are in {settings.data_folder} yet"
        raise UsageError(said, hint="`autoscaler run` fetches them; or name a checkout with --policies")
    return list(kept.texts)
