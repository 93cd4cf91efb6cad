"""GitHub's API: who we are, its limits, what did not change, and where a token never goes."""

from __future__ import annotations

import json
import os
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from aiohttp import web

from autoscaler.clients.github import GitHub
from autoscaler.clients.github_etags import Etags, Kept, Key
from autoscaler.clients.github_governor import Urgency
from autoscaler.clients.github_login import Purpose
from autoscaler.clients.github_wire import Host, api_of
from autoscaler.errors import GitHubBusy, GitHubError
from tests.parts.certificates import Authority
from tests.parts.require import shared_path
from tests.support.github import answers, description, limited
from tests.support.github_app import REPOSITORY, QuickClock, github_of, key_file
from tests.support.wire import served

PULLS, CHECK = "/pulls", {"name": "autoscaler / plan", "head_sha": "a" * 40, "status": "in_progress"}


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://GitHub.com/acme", "https://api.github.com"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
        ("https://ghes.example", "https://ghes.example/api/v3"),
        ("https://ghes.example:8443/acme/infra.git", "https://ghes.example:8443/api/v3"),
        ("https://evilghe.com", "https://evilghe.com/api/v3"),
    ],
)
def test_the_api_is_found_by_the_web_address(url: str, api: str) -> None:
    assert api_of(url) == api


# who we are


async def test_an_app_gets_a_token_for_each_purpose_that_can_do_no_more(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert (await github.post(github.at("/check-runs"), CHECK, purpose=Purpose.PLAN)).status == 201
        await github.get(github.at("/deployments"), purpose=Purpose.DEPLOYMENTS)
        minted = [body for asked, body in there.bodies if asked.endswith("/access_tokens")]
        assert [each["permissions"] for each in minted] == [
            {"checks": "write", "contents": "read", "metadata": "read", "pull_requests": "write"},
            {"deployments": "write", "metadata": "read"},
        ]
        assert {tuple(each["repositories"]) for each in minted} == {("infra",)}
        with pytest.raises(GitHubError, match="Resource not accessible") as refused:
            await github.post(github.at("/check-runs"), CHECK, purpose=Purpose.DEPLOYMENTS)
        assert refused.value.wants == "checks=write"
        assert "checks=write" in refused.value.hint


async def test_a_token_is_renewed_five_minutes_before_its_end(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        for later in (0, 3200, 200):
            clock.at += later
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert len(there.tokens) == 2


async def test_a_token_that_was_revoked_is_renewed_once(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        there.tokens.clear()
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert len(there.tokens) == 1
        there.next += [answers(401, "Bad credentials")] * 5
        with pytest.raises(GitHubError, match="Bad credentials") as refused:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert refused.value.status == 401


async def test_an_app_that_is_not_installed_is_told_so(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.installed = False
        with pytest.raises(GitHubError, match="not installed at acme/infra") as refused:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert "Install App" in refused.value.hint


@pytest.mark.parametrize(("installation", "key"), [({}, "id"), ({"id": "7"}, "id"), ({"id": 7}, "token")])
async def test_who_answers_something_else_in_githubs_place_is_an_error_as_any(
    installation: dict[str, object], key: str, tmp_path: Path
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(installation if request.method == "GET" else {})

    async with served(answer) as url:
        github = GitHub(Host(url=url), REPOSITORY, QuickClock(), app="12345", key_file=str(key_file(tmp_path)))
        with pytest.raises(GitHubError, match=f"answer has no {key}"):
            await github.token(Purpose.POLICIES)
        await github.close()


async def test_an_app_without_a_permission_is_told_which_it_lacks(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        del there.permissions["deployments"]
        with pytest.raises(GitHubError, match="no token for deployments") as refused:
            await github.get(github.at("/deployments"), purpose=Purpose.DEPLOYMENTS)
        assert "deployments write" in refused.value.hint


@pytest.mark.parametrize("skew_s", [-900.0, 900.0])
async def test_a_clock_that_is_wrong_is_no_hindrance(tmp_path: Path, skew_s: float) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        there.skew_s = skew_s
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        clock.at += 3400
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert len(there.tokens) == 2
        assert github.wire.skew_s == pytest.approx(skew_s, abs=1.1)


async def test_a_token_in_a_file_is_read_again_once_it_is_another(tmp_path: Path) -> None:
    async with github_of(tmp_path, app=False) as (_, there, clock):
        file = tmp_path / "token"
        file.write_text("ghp_old_old_old_old_old\n")
        there.static.add("ghp_new_new_new_new_new_new")
        github = GitHub(Host(url=there.base), "acme/infra", clock, token_file=str(file))
        with pytest.raises(GitHubError, match="Bad credentials") as refused:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert str(file) in refused.value.hint
        file.write_text("ghp_new_new_new_new_new_new\n")
        assert (await github.get(github.at(PULLS), purpose=Purpose.PLAN)).status == 200
        await github.close()


async def test_a_key_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, _, _clock):
        (tmp_path / "app.pem").chmod(0o644)
        with pytest.raises(GitHubError, match="everybody on this machine may read") as refused:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert refused.value.hint.startswith("chmod 600")


# what did not change


async def test_what_did_not_change_costs_nothing_and_says_so(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.limit = 5000
        there.open_pulls = [{"number": 7}]
        first = await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        left = there.remaining
        again = await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert (first.changed, again.changed, again.status) == (True, False, 304)
        assert again.body == first.body
        assert there.remaining == left
        there.open_pulls = [{"number": 8}]
        other = await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert (other.changed, other.body[0]["number"]) == (True, 8)


async def test_one_login_is_never_answered_with_what_another_may_see(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, _, _clock):
        await github.get(github.at(), purpose=Purpose.PLAN)
        assert (await github.get(github.at(), purpose=Purpose.RULES)).changed
        assert not (await github.get(github.at(), purpose=Purpose.PLAN)).changed


def test_what_is_kept_is_bounded_and_the_newest_stays() -> None:
    kept = Etags(most=3, most_bytes=100)
    for number in range(5):
        kept.put(Key(str(number), "", ""), Kept("e", b"x" * 40, ""))
    assert len(kept) == 2
    assert kept.size == 80
    assert kept.get(Key("4", "", "")) is not None
    kept.put(Key("big", "", ""), Kept("e", b"x" * 101, ""))
    assert kept.get(Key("big", "", "")) is None
    kept.put(Key("4", "", ""), Kept("e", b"x", ""))
    assert kept.size == 41


async def test_all_pages_are_read_also_where_their_path_is_another(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        there.page_size = 2
        there.files[7] = [f"policies/{number}.yaml" for number in range(5)]
        found = await github.pages(github.at("/pulls/7/files"), purpose=Purpose.PLAN)
        assert [each["filename"] for each in found] == there.files[7]
        unchanged = await github.pages(github.at("/pulls/7/files"), purpose=Purpose.PLAN)
        assert unchanged == found


# limits


async def test_a_secondary_limit_is_waited_for_as_long_as_it_says(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next.append(limited(retry_after="30"))
        assert (await github.get(github.at(PULLS), purpose=Purpose.PLAN)).status == 200
        assert clock.slept == [30.0]


@pytest.mark.parametrize("status", [403, 429])
async def test_a_limit_without_a_time_is_a_minute_and_then_doubles(tmp_path: Path, status: int) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next += [answers(status, "You have exceeded a secondary rate limit. Please wait")] * 2
        with pytest.raises(GitHubBusy, match="it is not asked for 120 s") as busy:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert busy.value.retry_after_s == 120
        assert clock.slept == [60.0]
        asked = len(there.asked)
        with pytest.raises(GitHubBusy, match="it told us to stay away"):
            await github.get(github.at(PULLS), purpose=Purpose.DEPLOYMENTS)
        assert len(there.asked) == asked  # whoever asks by this login is held


async def test_a_403_that_is_about_rights_is_no_limit(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next.append(answers(403, "Resource not accessible by personal access token"))
        with pytest.raises(GitHubError, match="not accessible") as refused:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert not isinstance(refused.value, GitHubBusy)
        assert clock.slept == []


async def test_when_the_hour_is_used_up_reports_end_first_and_policies_last(tmp_path: Path) -> None:
    async with github_of(tmp_path, app=False) as (github, there, clock):
        there.limit, there.remaining, there.reset = 100, 12, clock.at + 1800
        await github.get(github.at(), purpose=Purpose.POLICIES)
        with pytest.raises(GitHubBusy, match="11 of 100 requests are left"):
            await github.get(github.at(), purpose=Purpose.DEPLOYMENTS)
        for _ in range(6):
            await github.get(f"/repos/acme/infra/rules/branches/{_}", purpose=Purpose.PLAN)
        with pytest.raises(GitHubBusy, match="5 of 100 requests are left"):
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        for _ in range(5):
            await github.get(f"/repos/acme/infra/rules/branches/x{_}", purpose=Purpose.POLICIES)
        with pytest.raises(GitHubBusy, match="0 of 100 requests are left"):
            await github.get("/repos/acme/infra/rules/branches/y", purpose=Purpose.POLICIES)
        clock.at += 1801
        assert (await github.get(github.at(PULLS), purpose=Purpose.DEPLOYMENTS)).status == 200


async def test_a_second_lies_between_two_writes(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        for _ in range(3):
            await github.post(github.at("/check-runs"), CHECK, purpose=Purpose.PLAN)
        assert clock.slept == [1.0, 1.0]
        assert len(there.check_runs) == 3


async def test_no_more_than_500_writes_go_out_in_an_hour(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, _, clock):
        began = clock.at
        for _ in range(500):
            async with github.governor.turn(Urgency.PLAN, write=True):
                pass
        with pytest.raises(GitHubBusy, match="so much was written lately") as busy:
            await github.post(github.at("/check-runs"), CHECK, purpose=Purpose.PLAN)
        assert clock.at + busy.value.retry_after_s == pytest.approx(began + 3600)


# what fails


async def test_a_storm_of_500s_is_ridden_out_where_asking_twice_does_no_harm(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, clock):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next += [answers(502), answers(503)]
        assert (await github.get(github.at(PULLS), purpose=Purpose.PLAN)).status == 200
        assert clock.slept == [1.0, 2.0]
        there.next += [answers(502)] * 3
        with pytest.raises(GitHubError, match="502") as failed:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        assert failed.value.status == 502


async def test_what_may_have_been_made_is_not_made_twice(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next.append(answers(502))
        with pytest.raises(GitHubError, match="502"):
            await github.post(github.at("/check-runs"), CHECK, purpose=Purpose.PLAN)
        assert sum(each.startswith("POST") and each.endswith("check-runs") for each in there.asked) == 1


async def test_a_github_that_is_away_is_told_by_its_address(tmp_path: Path) -> None:
    github = GitHub(Host(url="http://127.0.0.1:9"), "acme/infra", QuickClock(), token="ghp_a_token_of_somebody")
    with pytest.raises(GitHubError, match=r"http://127\.0\.0\.1:9/api/v3: no answer") as failed:
        await github.get(github.at(), purpose=Purpose.PLAN)
    assert failed.value.status == 0
    await github.close()


# where a token never goes


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirection_to_another_host_is_refused_and_never_sees_the_token(tmp_path: Path, status: int) -> None:
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response({})

    async with served(elsewhere) as other, github_of(tmp_path) as (github, there, _):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next.append(answers(status, Location=f"{other}/api/v3/steal?token=1"))
        with pytest.raises(GitHubError, match="that is not followed"):
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
    assert asked == []


async def test_a_repository_that_was_renamed_is_followed_on_the_same_host(tmp_path: Path) -> None:
    async with github_of(tmp_path) as (github, there, _):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next.append(answers(301, Location=f"{there.base}/api/v3/repos/acme/infra/pulls"))
        assert (await github.get(github.at("/issues/1/comments"), purpose=Purpose.PLAN)).status == 200
        there.next += [answers(301, Location=f"{there.base}/api/v3/repos/acme/infra/pulls")] * 9
        with pytest.raises(GitHubError, match="from one place to another"):
            await github.get(github.at("/issues/1/comments"), purpose=Purpose.PLAN)


async def test_a_next_page_on_another_host_is_not_asked_for(tmp_path: Path) -> None:
    def lead_away(request: web.Request) -> web.StreamResponse:
        return web.json_response([], headers={"Link": '<http://169.254.169.254/api/v3/x>; rel="next"'})

    async with github_of(tmp_path) as (github, there, _):
        await github.get(github.at(), purpose=Purpose.PLAN)
        there.next.append(lead_away)
        with pytest.raises(GitHubError, match=r"169\.254\.169\.254.*not followed"):
            await github.pages(github.at(PULLS), purpose=Purpose.PLAN)


@pytest.mark.parametrize(
    "path",
    [
        "/repos/acme/other/pulls",
        "/repos/acme/infra/../other/pulls",
        "/repos/acme/infra/%2e%2e/other",
        "//elsewhere.example/repos/acme/infra",
        "https://elsewhere.example/api/v3/repos/acme/infra",
        "/repos/acme/infra\\..\\..",
    ],
)
async def test_only_the_repository_of_the_settings_is_asked_about(tmp_path: Path, path: str) -> None:
    async with github_of(tmp_path) as (github, there, _):
        with pytest.raises(GitHubError):
            await github.get(path, purpose=Purpose.PLAN)
        assert there.asked == []


async def test_no_secret_is_in_an_error(tmp_path: Path) -> None:
    def tell_it(request: web.Request) -> web.StreamResponse:
        message = f"bad \x1b[31m {request.headers['Authorization']} {request.headers['Authorization'][7:]}"
        return web.json_response({"message": message, "errors": [message]}, status=422)

    async with github_of(tmp_path) as (github, there, _):
        there.next.append(tell_it)
        with pytest.raises(GitHubError) as of_app:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        there.next.append(tell_it)
        with pytest.raises(GitHubError) as of_token:
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)
        sent = {each.removeprefix("Bearer ") for each in there.authorizations}
        for error in (of_app.value, of_token.value):
            assert "[redacted]" in str(error)
            assert not any(each in str(error) for each in (*sent, *there.secrets))
            assert "\x1b" not in str(error)


async def test_an_answer_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoscaler.clients.github_wire.MOST_BYTES", 1000)
    async with github_of(tmp_path, app=False) as (github, there, _):
        there.next += [lambda request: web.Response(body=os.urandom(2000))] * 3
        with pytest.raises(GitHubError, match="more than 1000 bytes"):
            await github.get(github.at(PULLS), purpose=Purpose.PLAN)


# its own authority, a proxy, and the judge of it all


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named_and_nowhere_else(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    authority.sign("server", "127.0.0.1", names=["127.0.0.1"])
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(tmp_path / "server.crt", tmp_path / "server.key")
    seen: list[str] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        seen.append(request.path)
        return web.json_response({"full_name": "acme/infra"})

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        strange = GitHub(Host(url=url), "acme/infra", QuickClock(), token="ghp_a_token_of_somebody")
        with pytest.raises(GitHubError, match=r"[Cc]ertificate"):
            await strange.get(strange.at(), purpose=Purpose.RULES)
        await strange.close()
        known = GitHub(
            Host(url=url, ca=str(authority.certificate)), "acme/infra", QuickClock(), token="ghp_a_token_of_somebody"
        )
        assert (await known.get(known.at(), purpose=Purpose.RULES)).body == {"full_name": "acme/infra"}
        await known.close()
        assert seen == ["/api/v3/repos/acme/infra"]
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("told", ["settings", "environment"])
async def test_a_proxy_is_asked_instead_of_the_server(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def proxy(request: web.BaseRequest) -> web.Response:
        seen.append(str(request.raw_path))
        return web.json_response({})

    runner = web.ServerRunner(web.Server(proxy))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        way = f"http://127.0.0.1:{runner.addresses[0][1]}"
        if told == "environment":
            monkeypatch.setenv("http_proxy", way)
        host = Host(url="http://ghes.invalid", proxy=way if told == "settings" else "")
        github = GitHub(host, "acme/infra", QuickClock(), token="ghp_a_token_of_somebody")
        await github.get(github.at(), purpose=Purpose.RULES)
        await github.close()
        assert seen == ["http://ghes.invalid/api/v3/repos/acme/infra"]
    finally:
        await runner.cleanup()


async def test_a_password_in_a_netrc_is_neither_sent_nor_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password another-password\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with github_of(tmp_path) as (github, there, _):
        assert (await github.get(github.at(), purpose=Purpose.RULES)).status == 200
        assert all(each.startswith("Bearer ") for each in there.authorizations)


def test_the_judge_of_these_tests_finds_what_github_would_refuse() -> None:
    """GitHub's description knows nothing of slashes in a path, for which the shared one has routes of its own."""
    judge = description(shared_path("github", "openapi-subset.json"))
    wrong = []
    for case in json.loads(shared_path("github", "contract-cases.json").read_text()):
        path, _, query = case["path"].partition("?")
        body = json.dumps(repeated(case["body"])).encode() if "body" in case else b""
        faults = judge.request_faults(case["method"], path, dict(parse_qsl(query)), body)
        if bool(faults) != (case["expect"] in (404, 422)):
            wrong.append((case["name"], faults))
    assert wrong == []


def repeated(told: Any) -> Any:
    """A body with `{"$repeat": [x, n]}` written out."""
    if isinstance(told, dict):
        if "$repeat" in told:
            each, number = told["$repeat"]
            return each * number if isinstance(each, str) else [each] * number
        return {key: repeated(value) for key, value in told.items()}
    return [repeated(each) for each in told] if isinstance(told, list) else told
