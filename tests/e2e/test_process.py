"""Worker processes end to end: the daemon as its own process, read directly, its workers counted from outside."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.workers import workers
from tests.support.wait import never, until

pytestmark = pytest.mark.e2e

RECYCLE = "recycle: {when: {unhealthy_for: 1s}}"


def test_workers_go_up_and_down_with_the_load(tmp_path: Path) -> None:
    with workers(tmp_path) as shop:
        shop.start()
        until(lambda: len(shop.pids()) == 1, what="one worker", within=20)
        never(lambda: len(shop.pids()) != 1, what="a change without a cause", for_s=3)
        shop.load(45)
        until(lambda: len(shop.pids()) == 5, what="five workers", within=20)
        until(lambda: shop.ready() == 5, what="five ready workers", within=20)
        assert "above_target" in shop.cli("history", "shop")
        shop.load(5)
        until(lambda: len(shop.pids()) == 1, what="one worker again", within=40)
        assert "below_target" in shop.cli("history", "shop")


def test_a_worker_that_was_killed_is_started_again_at_once(tmp_path: Path) -> None:
    with workers(tmp_path, least=2, cycle="30s") as shop:  # a wake, not the next cycle, must do it
        shop.start()
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        killed, other = shop.pids()
        os.kill(killed, signal.SIGKILL)
        until(lambda: killed not in shop.pids() and len(shop.pids()) == 2, what="two workers again", within=10)
        assert other in shop.pids()
        until(lambda: shop.ready() == 2, what="two ready workers again", within=10)
        assert "ended by itself: signal 9" in shop.cli("history", "shop")


def test_a_sick_worker_gets_a_successor_before_it_goes(tmp_path: Path) -> None:
    with workers(tmp_path, least=2, more=RECYCLE) as shop:
        shop.start()
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        sick, other = shop.pids()
        shop.make_sick(sick)
        most = 0
        deadline = time.monotonic() + 20
        while sick in (there := shop.pids()):
            most = max(most, len(there))
            assert time.monotonic() < deadline, "the sick worker stays"
        assert most == 3, "the new one was there beside the sick one"
        until(lambda: shop.ready() == 2, what="two ready workers", within=10)
        assert other in shop.pids()
        assert len(shop.pids()) == 2
        until(lambda: "replace: applied" in shop.cli("history", "shop"), what="the replacement's end is told", within=5)
        assert re.search(r"shop-[12] has been unhealthy for", shop.cli("history", "shop"))


def test_workers_outlive_a_killed_daemon_and_are_taken_over_by_the_next(tmp_path: Path) -> None:
    with workers(tmp_path, least=3) as shop:
        shop.start()
        until(lambda: shop.ready() == 3, what="three ready workers", within=20)
        before = shop.pids()
        shop.kill()
        never(lambda: shop.pids() != before, what="a worker that went with its daemon", for_s=1)
        shop.start()
        until(lambda: shop.ready() == 3, what="all are ready to the new daemon", within=20)
        never(lambda: shop.pids() != before, what="a duplicate, or another worker", for_s=3)


def test_a_dry_run_goes_by_the_memory_of_the_daemon_that_runs_or_ran_last(tmp_path: Path) -> None:
    with workers(tmp_path, least=2) as shop:
        shop.load(15)
        shop.start()
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        before = shop.dry_run()
        shop.stop()
        shop.load(35)
        stopped = shop.dry_run()
        assert "Memory: of the daemon that stopped " in shop.cli("dry-run")
        afresh = shop.dry_run("--no-memory")
        shop.start()
        until(lambda: len(shop.pids()) == 4, what="what the dry run said", within=20)
        shop.kill()
        killed = shop.dry_run()
    said = [(each["memory"], each["workloads"][0]["remembered"]) for each in (before, stopped, afresh, killed)]
    assert [memory and (memory["running"], memory["clean"]) for memory, _ in said] == [
        (True, True), (False, True), None, (False, False),
    ]  # fmt: skip
    assert [remembered for _, remembered in said] == [True, True, False, True]
    assert (stopped["workloads"][0]["current"], stopped["workloads"][0]["desired"]) == (2, 4)


@pytest.mark.parametrize("stage", ["create:begin", "create:start", "create:wait", "remove:stop", "remove:end"])
def test_a_daemon_killed_in_the_middle_of_a_change_leaves_no_duplicate(tmp_path: Path, stage: str) -> None:
    with workers(tmp_path, least=1) as shop:
        grows = stage.startswith("create")
        shop.load(5 if grows else 35)
        shop.start()
        until(lambda: shop.ready() == (1 if grows else 4), what="the count before", within=20)
        shop.stop()
        shop.load(35 if grows else 5)
        shop.start(kill_at=stage)
        shop.died()
        shop.start()
        wanted = 4 if grows else 1
        until(lambda: len(shop.pids()) == wanted, what=f"{wanted} workers", within=60)
        never(lambda: len(shop.pids()) != wanted, what="one too many or too few", for_s=3)
        assert shop.workload()["existing"] == wanted


def test_a_daemon_killed_in_the_middle_of_a_replacement_goes_on_with_it(tmp_path: Path) -> None:
    with workers(tmp_path, least=2, more=RECYCLE) as shop:
        shop.start(kill_at="replace:wait")
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        sick = shop.pids()[0]
        shop.make_sick(sick)
        shop.died()
        shop.start()
        until(lambda: sick not in shop.pids(), what="the sick worker is gone", within=30)
        until(lambda: shop.ready() == 2 and len(shop.pids()) == 2, what="two ready workers", within=20)
        never(lambda: len(shop.pids()) != 2, what="one too many or too few", for_s=3)


def test_a_stopped_daemon_ends_well_and_says_that_its_workers_go_on(tmp_path: Path) -> None:
    with workers(tmp_path, least=2) as shop:
        shop.start()
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        before = shop.pids()
        assert shop.stop() == 0
        assert "2 worker processes go on; the next daemon with this data folder takes them over" in shop.text()
        assert shop.text().rstrip().endswith("stopped")
        assert shop.pids() == before
        shop.start()
        until(lambda: shop.ready() == 2, what="they are ready to the next daemon", within=20)
        assert shop.pids() == before


def test_an_override_of_zero_ends_the_workers_before_the_daemon_is_stopped(tmp_path: Path) -> None:
    with workers(tmp_path, least=2) as shop:
        shop.start()
        until(lambda: shop.ready() == 2, what="two ready workers", within=20)
        shop.cli("override", "shop", "0", "--for", "1h")
        until(lambda: shop.pids() == [], what="no worker", within=20)
        shop.stop()
        assert "worker processes go on" not in shop.text()


def test_a_command_that_does_not_exist_is_told_once_and_not_tried_at_full_speed(tmp_path: Path) -> None:
    with workers(tmp_path, least=2, cycle="200ms") as shop:
        good = shop.policy_file.read_text()
        shop.policy_file.write_text(shop.policy(least=2, command=("/nowhere/worker",)))
        shop.start()
        sentence = "/nowhere/worker cannot be started: No such file or directory"
        until(lambda: sentence in shop.workload()["trouble"], what="status says why", within=10)
        never(lambda: shop.pids(), what="a worker", for_s=6)
        assert shop.text().count(sentence) == 1, shop.text()
        assert len(shop.text().splitlines()) < 12, shop.text()
        assert "somebody else" not in shop.text(), "what we could not have is nobody else's doing"
        assert shop.alive
        shop.policy_file.write_text(good)
        until(lambda: shop.ready() == 2, what="two workers of the command that exists", within=6)


def test_a_worker_that_ends_again_and_again_is_started_ever_more_slowly(tmp_path: Path) -> None:
    with workers(tmp_path, cycle="200ms") as shop:
        starts = tmp_path / "starts"
        code = f"open({str(starts)!r}, 'a').write('x'); raise SystemExit('there is no database')"
        shop.policy_file.write_text(shop.policy(command=("python3", "-c", code)))
        shop.start()
        until(starts.exists, what="the first start", within=10)
        never(lambda: len(starts.read_text()) > 5, what="a crash loop at full speed", for_s=8)
        assert len(starts.read_text()) >= 3, "it is tried again"
        assert "it wrote last: there is no database" in shop.cli("status")
