"""The daemon as its own process, and GitHub beside it: which commit is live where, and scaling while GitHub is away."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.e2e.workers import workers
from tests.parts.require import shared_path
from tests.support.github import StandIn, description
from tests.support.github_app import key_file, key_pair
from tests.support.repository import Repository
from tests.support.wait import until

pytestmark = pytest.mark.e2e


def test_github_is_told_which_commit_is_live_and_scaling_goes_on_without_it(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "theirs")
    there = StandIn(description(shared_path("github", "openapi-subset.json")), time.time, key_pair()[1])
    with there.threaded() as url:
        told = {
            "url": url, "repository": "acme/infra", "app": "12345", "key_file": str(key_file(tmp_path)),
            "report": "deployments", "environment": "production",
        }  # fmt: skip
        git = {"url": repo.url, "path": "policies", "every": "1s", "processes": True}
        with workers(tmp_path, git=git, github=told) as shop:
            repo.write("policies/shop.yaml", shop.policy(least=1))
            first = repo.push()
            there.pulls[first] = [7]
            shop.start()
            until(lambda: _states(there) == {first: ["success"]}, what="the first commit is live", within=30)
            by = f"by policies/shop.yaml:1 of policies {first} of {repo.url}, pull request #7"
            until(lambda: by in shop.cli("explain", "shop"), what="the pull request in explain", within=20)

            repo.write("policies/shop.yaml", shop.policy(least=0) + "nonsense: 1\n")
            bad = repo.push()
            until(lambda: _states(there).get(bad) == ["failure"], what="the bad commit is told", within=20)
            failed = next(each["id"] for each in there.deployments if each["sha"] == bad)
            assert "policies/shop.yaml:" in there.deployment_statuses[failed][0]["description"]

            there.away = True
            repo.write("policies/shop.yaml", shop.policy(least=2))
            repo.push()
            until(lambda: len(shop.pids()) == 2, what="it scales by the newest commit all the same", within=20)
            until(lambda: "GitHub is not told" in shop.text(), what="the fault", within=20)
            assert shop.stop() == 0
            kept = [file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file()]
            secrets = [*there.secrets, *(each.removeprefix("Bearer ") for each in there.authorizations if each)]
            assert secrets
            for each in secrets:
                assert each not in shop.text(), "no secret is in the log"
                assert not any(each.encode() in file for file in kept), "nor in what is kept"
    assert not there.violations, "\n".join(there.violations)


def _states(there: StandIn) -> dict[str, list[str]]:
    """What was told of each commit's Deployment, in order."""
    told = there.deployment_statuses
    return {each["sha"]: [status["state"] for status in told.get(each["id"], [])] for each in there.deployments}
