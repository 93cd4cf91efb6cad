"""`autoscaler github`, and which settings give whom a token."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoscaler import settings
from autoscaler.cli.root import root
from autoscaler.clock import SystemClock
from autoscaler.errors import SettingsError
from autoscaler.forge import GitHubSettings, lends_token, repository
from autoscaler.policy_wiring import github_of
from autoscaler.servers import GitSettings
from tests.support.github_app import github_of as at_stand_in
from tests.support.github_app import key_file

KNOWN = GitHubSettings(app="1", key_file="k")


async def invoked(*words: str, **environment: str) -> Result:
    """A command, on a thread of its own: what it asks is answered by this one."""
    told = {"GITHUB_TOKEN": "", **environment}
    return await asyncio.to_thread(CliRunner(env=told).invoke, root, ["github", *words])


async def test_doctor_tells_by_feature_and_ends_with_1_where_something_that_is_wanted_fails(tmp_path: Path) -> None:
    config = tmp_path / "autoscaler.yaml"
    async with at_stand_in(tmp_path) as (_, there, clock):
        clock.at = SystemClock().now()
        config.write_text(
            f"git: {{url: 'https://git.example/acme/infra.git', ref: main}}\n"
            f"github: {{url: '{there.base}', repository: acme/infra, app: '12345', key_file: app.pem,"
            f" report: deployments}}\n"
        )
        key_file(tmp_path)
        done = await invoked("doctor", "--config", str(config))
        assert done.exit_code == 0, done.output
        assert "✓ login: App 12345 (octoapp) is installed at acme/infra" in done.output
        assert "✓ live revision by deployments: every permission is held" in done.output
        assert "! branch: by its rulesets main takes changes that nobody approved" in done.output
        del there.permissions["deployments"]
        done = await invoked("doctor", "--format", "json", "--config", str(config))
        assert done.exit_code == 1
        told = {each["about"]: each for each in json.loads(done.output)["findings"]}
        assert told["live revision by deployments"]["text"] == "missing: deployments write"
        assert "BEGIN" not in done.output


async def test_doctor_takes_the_token_of_an_action(tmp_path: Path) -> None:
    async with at_stand_in(tmp_path, app=False) as (_, there, _clock):
        config = tmp_path / "autoscaler.yaml"
        config.write_text(f"github: {{url: '{there.base}'}}\n")
        words = ("doctor", "--config", str(config), "--repository", "acme/infra")
        done = await invoked(*words, GITHUB_TOKEN="ghp_somebodys_token_0123456789")
        assert done.exit_code == 0, done.output
        assert "the token of the environment reads acme/infra" in done.output
        done = await invoked(*words)
        assert done.exit_code != 0
        assert "name no way to get in at GitHub" in str(done.exception)


@pytest.mark.parametrize(
    ("url", "lends"),
    [
        ("https://github.com/acme/infra.git", True),
        ("https://GitHub.com/acme/infra", True),
        ("https://github.com/acme/infra/extra", False),
        ("https://git.example/acme/infra.git", False),
        ("https://github.com:8443/acme/infra.git", False),
        ("https://github.com:443/acme/infra.git", True),
        ("https://github.com.evil.example/acme/infra.git", False),
        ("ssh://git@github.com/acme/infra.git", False),
    ],
)
def test_git_is_lent_a_token_only_at_this_github_and_over_https(url: str, lends: bool) -> None:
    assert lends_token(KNOWN, GitSettings(url=url)) is lends
    assert not lends_token(GitHubSettings(), GitSettings(url=url))
    assert not lends_token(KNOWN, GitSettings(url="https://github.com/acme/infra", token_file="t"))
    assert not lends_token(
        GitHubSettings(app="1", key_file="k", repository="acme/other"), GitSettings(url="https://github.com/acme/infra")
    )


def test_the_repository_is_that_of_git_unless_another_is_named() -> None:
    assert repository(GitHubSettings(), GitSettings(url="https://github.com/acme/infra.git")) == "acme/infra"
    assert repository(GitHubSettings(), GitSettings(url="ssh://git@github.com/acme/infra.git")) == "acme/infra"
    assert repository(GitHubSettings(url="https://ghes.example"), GitSettings(url="https://github.com/a/b")) == ""
    assert repository(GitHubSettings(repository="x/y"), GitSettings(url="https://github.com/a/b")) == "x/y"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("github: {app: '1'}", "key_file is missing: an App and its key go together"),
        ("github: {app: '1', key_file: k, token_file: t}", "does nothing beside an App"),
        ("github: {report: deployments}", "needs a way to get in"),
        ("github: {url: 'http://ghes.example'}", "tokens would go there unencrypted"),
        ("github: {url: 'https://ann:word@ghes.example'}", "github.url"),
        ("github: {repository: '../etc'}", "github.repository"),
        ("github: {token_file: t, report: statuses}", "it is not known of which repository"),
        ("github: {token_file: t, report: statuses, repository: a/b}", "does nothing for policies from files"),
    ],
)
def test_settings_of_github_that_cannot_work_are_told(tmp_path: Path, text: str, wrong: str) -> None:
    file = tmp_path / "autoscaler.yaml"
    file.write_text(text + "\n")
    with pytest.raises(SettingsError) as told:
        github_of(settings.load(file, {}), SystemClock())
    assert wrong in str(told.value)


def test_without_a_login_there_is_no_client() -> None:
    assert github_of(settings.Settings(), SystemClock()) is None
    git = GitSettings(url="https://github.com/acme/infra.git")
    assert github_of(settings.Settings(git=git), SystemClock()) is None
