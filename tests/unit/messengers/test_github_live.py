"""Deployments and commit statuses at GitHub: one for each commit and environment, written only on change."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.errors import GitHubError
from autoscaler.messengers.github import GitHubForge
from autoscaler.ports import Live
from tests.support.github import StandIn
from tests.support.github_app import github_of

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


def states(there: StandIn) -> dict[str, list[str]]:
    """What was told of each commit's Deployment, in order."""
    told = there.deployment_statuses
    return {each["sha"][:1]: [status["state"] for status in told.get(each["id"], [])] for each in there.deployments}


async def test_each_commit_has_one_deployment_and_the_one_before_is_ended(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        forge = GitHubForge(github, "deployments", "production")
        await forge.report(ONE, Live.ACTIVE, "policies: 1")
        await forge.report(TWO, Live.REJECTED, "web.yaml:3:1: expected a number")
        await forge.report(THREE, Live.ACTIVE, "policies: 2")
        assert states(there) == {"1": ["success", "inactive"], "2": ["failure"], "3": ["success"]}
        await forge.report(ONE, Live.ACTIVE, "policies: 1")
        assert states(there)["1"] == ["success", "inactive", "success"]
        assert states(there)["3"] == ["success", "inactive"]
        made = [body for asked, body in there.bodies if asked.endswith("/deployments") and body]
        assert len(made) == 3
        for each in made:
            assert (each["task"], each["environment"]) == ("autoscaler-policy", "production")
            assert (each["auto_merge"], each["required_contexts"]) == (False, [])


async def test_nothing_is_written_where_it_is_said_already(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        await GitHubForge(github, "deployments", "production").report(ONE, Live.ACTIVE, "policies: 1, workloads: 3")
        written = len([each for each in there.asked if each.startswith("POST")])
        again = GitHubForge(github, "deployments", "production")  # as after a restart
        await again.report(ONE, Live.ACTIVE, "policies: 1, workloads: 4")
        assert len([each for each in there.asked if each.startswith("POST")]) == written
        await GitHubForge(github, "deployments", "staging").report(ONE, Live.ACTIVE, "policies: 1")
        assert [each["environment"] for each in there.deployments] == ["production", "staging"]


async def test_a_commit_status_names_the_environment_and_is_told_once(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        for environment in ("production", "staging", "production"):
            forge = GitHubForge(github, "statuses", environment)
            await forge.report(ONE, Live.ACTIVE, "policies: 1")
        await forge.report(ONE, Live.REJECTED, "x" * 300)
        told = [(each["context"].partition("/")[2], each["state"]) for each in there.statuses]
        assert told == [("production", "success"), ("staging", "success"), ("production", "failure")]
        assert len(there.statuses[-1]["description"]) == 140


async def test_a_token_for_deployments_cannot_write_checks_or_read_files(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        await GitHubForge(github, "deployments", "production").report(ONE, Live.ACTIVE, "policies: 1")
        assert [each["permissions"] for each in there.tokens.values()] == [{"deployments": "write", "metadata": "read"}]


async def test_without_the_permission_it_is_told_what_is_missing(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        del there.permissions["deployments"]
        with pytest.raises(GitHubError, match="no token for deployments"):
            await GitHubForge(github, "deployments", "production").report(ONE, Live.ACTIVE, "policies: 1")


async def test_the_pull_request_of_a_commit_is_found_where_we_may_know_it(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.pulls[ONE] = [7]
        forge = GitHubForge(github, "deployments", "production")
        assert await forge.pull_of(ONE) == 7
        assert await forge.pull_of(TWO) is None
        del there.permissions["pull_requests"]
        there.tokens.clear()
        assert await forge.pull_of(ONE) is None
