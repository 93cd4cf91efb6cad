"""The daemon as its own process, its policies in a repository behind https: live by a push, and by the last good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.workers import workers
from tests.support.repository import Repository, Server
from tests.support.wait import until

pytestmark = pytest.mark.e2e

TOKEN = "ghs_0123456789abcdefghij"


def test_a_push_is_live_and_a_restart_without_the_repository_goes_on_by_the_last_good(tmp_path: Path) -> None:
    repo = Repository(tmp_path / "theirs")
    token = tmp_path / "token"
    token.write_text(TOKEN)
    with Server(tmp_path, repo.bare.parent, TOKEN) as server:
        git = {
            "url": server.url("shop.git"), "path": "policies", "every": "1s", "ca": str(server.ca),
            "token_file": str(token), "processes": True,
        }  # fmt: skip
        with workers(tmp_path, git=git) as shop:
            repo.write("policies/shop.yaml", shop.policy(least=1))
            first = repo.push()
            shop.start()
            until(lambda: len(shop.pids()) == 1, what="one worker", within=20)
            repo.write("policies/shop.yaml", shop.policy(least=2))
            second = repo.push()
            until(lambda: len(shop.pids()) == 2, what="the pushed minimum", within=20)
            told = shop.status()["policies"]
            assert (told["revision"], told["origin"]["head"], told["rejected"]) == (second, second, "")
            until(lambda: f"by policies/shop.yaml:1 of policies {second}" in shop.cli("explain", "shop"), within=10)

            repo.write("policies/shop.yaml", shop.policy(least=0) + "nonsense: 1\n")
            bad = repo.push()
            until(lambda: shop.status()["policies"]["rejected"] == bad, what="the bad push is told", within=20)
            listed = shop.cli("policies")
            assert "policies/shop.yaml:" in listed
            assert f"In force: {second}" in listed

            shop.cli("rollback", "--for", "1h", "--why", "two are too many")
            until(lambda: shop.status()["policies"]["revision"] == first, what="the rollback", within=20)

            server.stop()
            shop.kill()
            shop.start()
            until(lambda: shop.status()["policies"]["origin"]["trouble"], what="the trouble is told", within=20)
            assert "policies from git: " in shop.text(), "and logged, as every fault is"
            told = shop.status()["policies"]
            assert (told["revision"], told["origin"]["rollback"]["commit"]) == (first, first)
            shop.load(45)
            until(lambda: len(shop.pids()) == 5, what="it goes on deciding", within=20)
            assert json.loads(shop.cli("dry-run", "--format", "json"))["workloads"], "commands go by the last good too"
            stopped = shop.stop()
            assert stopped == 0
            assert TOKEN not in shop.text() + shop.config.read_text()
