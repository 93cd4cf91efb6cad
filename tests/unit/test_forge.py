"""Which repository GitHub is asked about, by the addresses of the settings."""

from __future__ import annotations

import pytest

from autoscaler.forge import GitHubSettings, lends_token, repository, rules
from autoscaler.servers import GitSettings

IN = GitHubSettings(token_file="token")


@pytest.mark.parametrize("url", ["https://github.com:99999/acme/infra.git", "https://[github.com/acme/infra.git"])
def test_an_address_that_is_none_names_no_repository_and_ends_nothing(url: str) -> None:
    assert repository(IN, GitSettings(url=url)) == ""
    assert not lends_token(IN, GitSettings(url=url))


def test_an_address_of_github_that_is_none_is_told() -> None:
    assert [fault[1] for fault in rules(GitHubSettings(url="https://[::1"))] == ["this is no URL"]


def test_a_token_is_lent_to_git_at_this_host_port_and_repository_alone() -> None:
    assert lends_token(IN, GitSettings(url="https://github.com/acme/infra.git"))
    assert not lends_token(IN, GitSettings(url="https://github.com:8443/acme/infra.git"))
    assert not lends_token(IN, GitSettings(url="https://gitlab.example/acme/infra.git"))
