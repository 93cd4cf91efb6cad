"""What people ask a running daemon and tell it: the commands as their own processes, the daemon killed in between."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import ROOT
from tests.e2e.workers import Workers, workers
from tests.parts.process import free_port
from tests.support.wait import never, until

pytestmark = pytest.mark.e2e

KEY = "process/default/local/process/shop"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workers]:
    """A daemon whose one policy has two workers ready."""
    with workers(tmp_path, least=2) as made:
        made.start()
        until(lambda: made.ready() == 2, what="two ready workers", within=20)
        yield made


def asked(shop: Workers, *words: str) -> subprocess.CompletedProcess[str]:
    """A command that may fail."""
    command = [sys.executable, "-m", "autoscaler", *words, "--config", str(shop.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)


def told(shop: Workers, *words: str) -> Any:
    """A command's answer as JSON."""
    return json.loads(shop.cli(*words, "--format", "json"))


def got(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_status_shows_the_workload_its_workers_and_the_daemon(shop: Workers) -> None:
    text = shop.cli("status")
    assert text.startswith("1 workload, policies ")
    assert "cycle every 1s" in text
    (row,) = [line for line in text.splitlines() if line.startswith(KEY)]
    assert "2..6" in row
    detail = shop.cli("status", "shop")
    assert "shop-1" in detail
    assert "shop-2" in detail
    answer = told(shop, "status", "shop")
    ports = {each["address"] for each in answer["instances"]}
    assert len(ports) == 2
    assert answer["version"] == 1


def test_the_doctor_finds_nothing_wrong_with_what_runs(shop: Workers) -> None:
    told = shop.cli("doctor")
    assert "✗" not in told
    assert "daemon: runs for " in told


def test_explain_tells_the_decision_of_now_and_of_a_past_time(shop: Workers) -> None:
    until(lambda: "signal" in shop.cli("explain", "shop"), what="the signal is decided by", within=10)
    shop.load(35)
    until(lambda: shop.ready() == 4, what="four ready workers", within=20)
    raised = next(each for each in told(shop, "history", "shop")["lines"] if each["reason"] == "above_target")
    at = shop.cli("explain", "shop", "--at", _time(raised["at"]))
    assert f"{raised['before']} -> 4  above_target" in at
    assert "load: load 35, 10 per replica, so it asks for 4" in at
    until(lambda: "above_target" not in shop.cli("explain", "shop"), what="now is another decision", within=10)
    too_early = asked(shop, "explain", "shop", "--at", "2020-01-01T00:00:00Z")
    assert too_early.returncode == 2
    assert "no decision about" in too_early.stderr
    answer = told(shop, "explain", "shop")
    assert answer["decision"]["desired"] == 4
    assert answer["decision"]["steps"]


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def test_history_is_newest_first_and_limited(shop: Workers) -> None:
    lines = told(shop, "history", "--limit", "1000")["lines"]
    assert [each["at"] for each in lines] == sorted((each["at"] for each in lines), reverse=True)
    assert {"policies", "decision", "outcome"} <= {each["kind"] for each in lines}
    assert len(told(shop, "history", "--limit", "1")["lines"]) == 1


def test_a_pause_holds_everything_outlives_a_kill_and_ends_by_resume(shop: Workers) -> None:
    assert "is paused until resumed" in shop.cli("pause", "shop", "--why", "release")
    until(lambda: shop.workload()["reason"] == "paused", what="it is paused", within=10)
    shop.load(45)
    never(lambda: len(shop.pids()) != 2, what="a change while paused", for_s=3)
    shop.kill()
    shop.start()
    until(lambda: shop.workload()["reason"] == "paused", what="it is paused still", within=10)
    never(lambda: len(shop.pids()) != 2, what="a change while paused", for_s=3)
    assert "release" in shop.cli("history", "shop")
    assert "is resumed" in shop.cli("resume", "shop")
    until(lambda: len(shop.pids()) == 5, what="five workers", within=20)


def test_a_pause_with_a_term_ends_by_itself(shop: Workers) -> None:
    shop.cli("pause", "fleet", "--for", "3s")
    assert "Everything is paused" in shop.cli("status")
    shop.load(45)
    until(lambda: len(shop.pids()) == 5, what="five workers once the pause is over", within=20)
    assert "Everything is paused" not in shop.cli("status")


def test_an_override_sets_the_count_outlives_a_kill_and_expires(shop: Workers) -> None:
    assert f"{KEY} is set to 4 until " in shop.cli("override", "shop", "4", "--for", "8s", "--why", "sale")
    until(lambda: len(shop.pids()) == 4, what="four workers", within=10)
    shop.kill()
    shop.start()
    assert told(shop, "status")["workloads"][0]["override"]["count"] == 4
    until(lambda: len(shop.pids()) == 2, what="two workers once it is over", within=90)
    assert told(shop, "status")["workloads"][0]["override"] is None


def test_a_daemon_that_does_not_run_is_one_sentence_with_the_fix(tmp_path: Path) -> None:
    with workers(tmp_path) as shop:
        for words in (("status",), ("explain", "shop"), ("history",), ("pause", "shop"), ("resume", "shop")):
            done = asked(shop, *words)
            assert done.returncode == 1
            assert done.stderr.startswith(f"error: no daemon answers at {tmp_path / 'data' / 'autoscaler.sock'}: ")
            assert "hint: start one with `autoscaler run`" in done.stderr
            assert len(done.stderr.splitlines()) == 2
            assert done.stdout == ""


def test_an_unknown_workload_suggests_the_nearest(shop: Workers) -> None:
    for words in (("status", "shpo"), ("explain", "shpo"), ("pause", "shpo"), ("override", "shpo", "3", "--for", "1h")):
        done = asked(shop, *words)
        assert done.returncode == 2
        assert done.stderr == "error: no workload goes by the name shpo\n  hint: did you mean shop?\n"


def test_broken_policies_leave_the_last_good_ones_in_force_and_say_so(shop: Workers) -> None:
    good = shop.policy_file.read_text()
    shop.policy_file.write_text(good.replace("max: 6", "max: 0"))
    until(lambda: "do not load" in shop.cli("status"), what="status says so", within=10)
    assert "policy.yaml:6:25: replicas.max: expected a whole number, at least 1" in shop.cli("status")
    assert "policies rejected, the last good ones stay" in shop.text()
    shop.load(45)
    until(lambda: len(shop.pids()) == 5, what="the last good policy goes on", within=20)
    shop.policy_file.write_text(good.replace("max: 6", "max: 3"))
    until(lambda: "do not load" not in shop.cli("status"), what="the repaired policies are in force", within=10)
    until(lambda: len(shop.pids()) == 3, what="the new maximum holds", within=20)


def test_a_second_daemon_on_the_same_data_is_refused_and_told_who_holds_it(shop: Workers) -> None:
    done = asked(shop, "run")
    assert done.returncode == 3
    assert f"another autoscaler holds the lease: process {shop.process_id} on " in done.stderr
    assert "hint: stop it first, or give this one a data folder of its own" in done.stderr
    assert "Traceback" not in done.stderr
    assert shop.ready() == 2, "the first goes on, and its socket answers"


def test_health_and_metrics_answer_on_the_port(tmp_path: Path) -> None:
    port = free_port()
    with workers(tmp_path, least=2, listen=f"127.0.0.1:{port}") as shop:
        shop.start()
        until(lambda: got(f"http://127.0.0.1:{port}/readyz")[0] == 200, what="it is ready", within=10)
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        assert got(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
        status, text = got(f"http://127.0.0.1:{port}/metrics")
        assert status == 200
        assert f'autoscaler_workload_ready_replicas{{workload="{KEY}",policy="shop"}} 2' in text
        assert "autoscaler_leader 1" in text
        assert f'"key":"{KEY}"' in got(f"http://127.0.0.1:{port}/api/v1/status")[1]
        assert "<title>" in got(f"http://127.0.0.1:{port}/")[1]


def test_a_port_that_is_taken_is_one_sentence(shop: Workers, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        told = json.loads(shop.config.read_text())
        told |= {"data": str(tmp_path / "other"), "listen": f"127.0.0.1:{taken.getsockname()[1]}"}
        other = tmp_path / "other.yaml"
        other.write_text(json.dumps(told))
        words = [sys.executable, "-m", "autoscaler", "run", "--config", str(other)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False, cwd=ROOT)
    assert done.returncode == 2
    assert "cannot be listened on: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_read_only_daemon_decides_and_changes_nothing(tmp_path: Path) -> None:
    with workers(tmp_path, least=2) as shop:
        shop.start(read_only=True)
        until(lambda: shop.workload()["reason"] == "below_minimum", what="it has decided", within=10)
        never(lambda: shop.pids(), what="a worker", for_s=2)
        assert not (tmp_path / "data" / "workers").exists()
