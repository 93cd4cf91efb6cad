"""What `github doctor` tells of a login: by feature, with the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.clients.github_login import Purpose
from autoscaler.doctor.findings import Finding, Verdict
from autoscaler.doctor.github import examine_github
from tests.support.github import answers
from tests.support.github_app import github_of

DEPLOYMENTS = frozenset({Purpose.DEPLOYMENTS})
RULES = [
    {"type": "non_fast_forward", "ruleset_source_type": "Repository", "ruleset_source": "acme/infra", "ruleset_id": 1},
    {
        "type": "pull_request", "ruleset_source_type": "Repository", "ruleset_source": "acme/infra", "ruleset_id": 1,
        "parameters": {
            "required_approving_review_count": 2, "dismiss_stale_reviews_on_push": True,
            "require_code_owner_review": False, "require_last_push_approval": True,
            "required_review_thread_resolution": False,
        },
    },
    {
        "type": "required_status_checks", "ruleset_source_type": "Repository", "ruleset_source": "acme/infra",
        "ruleset_id": 1,
        "parameters": {
            "strict_required_status_checks_policy": False,
            "required_status_checks": [{"context": "autoscaler / plan"}],
        },
    },
]  # fmt: skip


def of(found: list[Finding], about: str) -> Finding:
    """The first finding about something."""
    return next(each for each in found if each.about == about)


async def test_an_app_with_everything_is_fine_by_feature(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.rules, there.limit = RULES, 5000
        found = await examine_github(github, "main", DEPLOYMENTS)
        assert [each.text for each in found if each.verdict is not Verdict.FINE] == []
        assert of(found, "login").text == "App 12345 (octoapp) is installed at acme/infra"
        assert of(found, "branch").text == "main takes what 2 approved"
        assert "of 5000 requests are left" in of(found, "rate").text
        assert not any(each.startswith(("PATCH", "DELETE")) for each in there.asked)


async def test_a_permission_that_is_missing_is_a_failure_only_where_it_is_wanted(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.permissions |= {"deployments": "read", "issues": "write"}
        del there.permissions["checks"]
        found = await examine_github(github, "main", DEPLOYMENTS)
        live = of(found, "live revision by deployments")
        assert (live.verdict, live.text) == (Verdict.FAILURE, "missing: deployments write")
        assert "approve it where the App is installed" in live.fix
        plan = of(found, "plan in pull requests")
        assert (plan.verdict, plan.text) == (Verdict.NONE, "missing: checks write; the settings do not want it")
        assert of(found, "permissions").text == "held and never used here: issues"


@pytest.mark.parametrize(("skew_s", "text"), [(600.0, "10m behind GitHub's"), (-600.0, "10m ahead of GitHub's")])
async def test_a_clock_that_is_off_is_told(tmp_path: Path, skew_s: float, text: str) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.skew_s = skew_s
        found = await examine_github(github, "main", DEPLOYMENTS)
        assert of(found, "clock").verdict is Verdict.WARNING
        assert of(found, "clock").text == text


async def test_a_branch_without_rules_is_told_with_what_that_means(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, _, _clock):
        told = [each.text for each in await examine_github(github, "HEAD", DEPLOYMENTS) if each.about == "branch"]
        assert told == [
            "by its rulesets master takes changes that nobody approved, and they are in force within a minute",
            "by its rulesets master does not require the check autoscaler / plan",
            "by its rulesets master may be forced to another history",
        ]


async def test_little_left_of_the_hour_is_a_warning(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        there.limit, there.remaining, there.reset = 1000, 150, clock.at + 600
        found = await examine_github(github, "main", DEPLOYMENTS)
        assert of(found, "rate").verdict is Verdict.WARNING


async def test_an_app_that_is_not_installed_or_not_known_is_one_failure(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.installed = False
        (only,) = await examine_github(github, "main", DEPLOYMENTS)
        assert "not installed at acme/infra" in only.text
        there.public_key = b""
        (only,) = await examine_github(github, "main", DEPLOYMENTS)
        assert "GitHub does not take App 12345" in only.text
        assert "of the same App" in only.fix


async def test_a_token_is_tried_by_what_it_can_read(tmp_path: Path) -> None:
    async with github_of(tmp_path, app=False) as (github, there, _):
        found = await examine_github(github, "main", DEPLOYMENTS)
        assert of(found, "login").text == "the token of the environment reads acme/infra"
        assert "whether it may write deployments shows in use" in of(found, "live revision by deployments").text
        there.static.clear()
        (only,) = await examine_github(github, "main", DEPLOYMENTS)
        assert only.verdict is Verdict.FAILURE
        assert "is the token of the environment still good?" in only.fix


async def test_no_secret_is_in_what_is_told(tmp_path: Path) -> None:
    async with github_of(tmp_path, app=False) as (github, there, _):
        there.next += [answers(403, "ghp_somebodys_token_0123456789 may not")]
        (only,) = await examine_github(github, "main", DEPLOYMENTS)
        assert "[redacted] may not" in only.text
