"""Two daemons on one real cluster, each its own process with few rights: one acts, the other goes on from there."""

from __future__ import annotations

import getpass
import os
import signal
from pathlib import Path

import pytest

from autoscaler.clients import control
from autoscaler.store.cluster_lease import DURATION_S
from tests.e2e.shop import Shop, lines
from tests.faults.test_clock_real import Wall
from tests.parts.require import require
from tests.support.wait import never, until

pytestmark = [pytest.mark.kubernetes, pytest.mark.prometheus, pytest.mark.e2e]


def test_one_acts_and_when_it_ends_the_other_knows_what_it_was_told(shop: Shop) -> None:
    shop.open(2)
    one, other = shop.pair()
    one.start()
    until(lambda: one.workload()["desired"] == 2, "the first has decided")
    other.start(standby=True)
    shop.load(400)
    shop.scaled(4)
    assert shop.changes == 1
    assert "stands by" in other.cli("status"), "and says so"
    one.cli("pause", "web", "--why", "release")
    shop.load(600)
    never(lambda: shop.changes > 1, "a change in spite of the pause", for_s=2)
    assert one.stop() == 0
    until(lambda: shop.holders() == 2, "the other has the lease", within=4)
    until(lambda: other.workload()["reason"] == "paused", "it knows the pause")
    assert shop.changes == 1
    other.cli("resume", "web")
    shop.scaled(6)
    assert shop.changes == 2
    assert "Traceback" not in one.text() + other.text()


def test_one_that_hangs_past_its_lease_is_followed_and_notices_before_its_next_call(shop: Shop) -> None:
    shop.open(2)
    one, other = shop.pair()
    one.start()
    until(lambda: one.workload()["desired"] == 2, "the first has decided")
    other.start(standby=True)
    os.kill(one.process_id, signal.SIGSTOP)
    shop.load(500)
    shop.scaled(5, within=DURATION_S + 30)
    os.kill(one.process_id, signal.SIGCONT)
    until(lambda: "the lease was lost to" in one.cli("status"), "it has noticed")
    never(lambda: shop.changes > 1, "an order by what it knew", for_s=3)
    shop.load(600)
    shop.scaled(6)
    assert shop.changes == 2
    other.kill()
    until(lambda: shop.holders() == 3, "the first has it back", within=DURATION_S + 10)
    assert shop.replicas == 6, "nothing is lower after a kill"
    assert "Traceback" not in one.text() + other.text()


def test_what_the_one_that_stands_by_is_told_is_kept_before_it_answers_and_outlives_the_one_that_acts(
    shop: Shop,
) -> None:
    shop.open(2)
    one, other = shop.pair(reachable=True)
    one.start()
    until(lambda: one.workload()["desired"] == 2, "the first has decided")
    other.start(standby=True)
    assert other.workload()["desired"] == 2, "it tells what the one that acts knows"
    assert "is paused" in other.cli("pause", "web", "--why", "release")
    one.kill()
    shop.load(600)
    status, answer = control.ask(other.socket, "POST", "/api/v1/resume/web", b"{}")
    assert (status, b"does not answer" in answer, b"within 15 s" in answer) == (503, True, True)
    until(lambda: shop.holders() == 2, "the other has the lease", within=DURATION_S + 10)
    until(lambda: other.workload()["reason"] == "paused", "it knows the pause")
    assert shop.changes == 0
    one.start(standby=True)
    one.cli("resume", "web", "--why", "by way of the first")
    shop.scaled(6)
    assert [line["by"] for line in lines(other) if line["reason"] == "resumed"] == [getpass.getuser()]
    assert "Traceback" not in one.text() + other.text()


def test_a_call_that_was_on_its_way_when_its_daemon_stopped_fails_its_compare_also_with_clocks_half_a_minute_off(
    shop: Shop, tmp_path: Path
) -> None:
    require("faketime")
    shop.open(2)
    wall = Wall(tmp_path)
    wall.set(-30)
    one, other = shop.pair(env=wall.env)
    one.start(kill_at="scale:begin", by="SIGSTOP")
    until(lambda: one.workload()["desired"] == 2, "the first has decided")
    other.start(standby=True)
    never(lambda: shop.holders() > 1, "another holder because of a clock", for_s=3)
    shop.load(400)
    stat = Path(f"/proc/{one.process_id}/stat")
    until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", "it stops with its call behind the fence")
    shop.load(500)
    until(lambda: shop.replicas == 5, "the other one acts", within=DURATION_S + 60)
    os.kill(one.process_id, signal.SIGCONT)
    until(lambda: "the lease was lost to" in one.cli("status"), "it has noticed")
    never(lambda: shop.changes > 1 or shop.replicas != 5, "the old call has landed", for_s=3)
    assert "Traceback" not in one.text() + other.text()
