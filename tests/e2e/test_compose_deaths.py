"""The daemon killed at every stage of what it does to containers: the next one goes on, and leaves no trace of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.e2e.lone import Lone
from tests.support.front import Front
from tests.support.wait import never, until

pytestmark = [pytest.mark.docker, pytest.mark.e2e]

POLICY = """
name: app
target: {{compose: {{project: {project}, service: app}}}}
replicas: {{min: 1, max: 1}}
behavior: {{down: {{stabilization: 0s}}}}
lifecycle: {{ready_within: {ready_within}}}
recycle: {{when: {{unhealthy_for: 1s}}}}
"""


@pytest.fixture
def daemon(service: Lone, front: Front, tmp_path: Path) -> Iterator[DaemonProcess]:
    policy = POLICY.format(project=service.project.name, ready_within="60s")
    process = DaemonProcess(tmp_path, policy, docker={"host": front.host})
    try:
        yield process
    finally:
        if process.alive:
            process.stop()
        print(process.text())


def replaced_in_the_end(service: Lone, before: str) -> None:
    what = f"one healthy container, a new one, and no trace of {before[:12]}"
    until(service.replaced(before), what=what, within=90)


STAGES = ("begin", "connect", "copy", "start", "wait", "drain", "stop", "remove", "rename")


@pytest.mark.parametrize("stage", STAGES)
def test_killed_before_a_stage_of_a_replacement_the_next_daemon_finishes_it(
    service: Lone, daemon: DaemonProcess, stage: str
) -> None:
    ((name, before),) = service.ids().items()
    daemon.start(kill_at=f"replace:{stage}")
    service.make_sick(name)
    daemon.died()
    daemon.start()
    replaced_in_the_end(service, before)


def test_without_the_memory_of_the_dead_one_a_container_it_never_started_is_taken_away(
    service: Lone, daemon: DaemonProcess
) -> None:
    ((name, before),) = service.ids().items()
    daemon.start(kill_at="replace:start")
    service.make_sick(name)
    daemon.died()
    assert list(service.ids()) != [name]
    shutil.rmtree(daemon.folder / "data")
    daemon.start()
    # Whether the sick one was ever well may be forgotten with the rest; then it is not replaced.
    until(lambda: service.ids() == {name: before} or service.settled(1), what="no trace", within=60)


@pytest.mark.parametrize("stage", ["wait", "stop", "rename"])
def test_without_the_memory_of_the_dead_one_the_names_tell_the_next_daemon(
    service: Lone, daemon: DaemonProcess, stage: str
) -> None:
    ((name, before),) = service.ids().items()
    daemon.start(kill_at=f"replace:{stage}")
    service.make_sick(name)
    daemon.died()
    shutil.rmtree(daemon.folder / "data")
    daemon.start()
    replaced_in_the_end(service, before)


def test_killed_after_each_call_of_a_replacement_with_the_answer_lost_the_eighth_daemon_finishes_it(
    service: Lone, daemon: DaemonProcess, front: Front
) -> None:
    ((name, before),) = service.ids().items()
    service.make_sick(name)
    for call in (
        "POST /containers/create",
        "POST /networks/[^/]+/connect",
        "POST /containers/[^/]+/start",
        r"POST /containers/[^/]+/rename\?name=draining_",
        "POST /containers/[^/]+/stop",
        "DELETE /containers/",
        rf"POST /containers/[^/]+/rename\?name={name}",
    ):
        front.after(call, daemon.kill)
        daemon.start()
        until(lambda: not daemon.alive, what=f"killed after {call}", within=60)
    daemon.start()
    replaced_in_the_end(service, before)


@pytest.mark.parametrize(
    ("create", "remove"),
    [("begin", "begin"), ("connect", "stop"), ("copy", "remove"), ("start", ""), ("wait", "")],
)
def test_killed_at_a_stage_of_growing_and_of_shrinking_the_next_daemon_finishes_it(
    service: Lone, daemon: DaemonProcess, create: str, remove: str
) -> None:
    (before,) = service.ids().values()
    policy = daemon.policy_file.read_text()
    daemon.policy_file.write_text(policy.replace("min: 1, max: 1", "min: 2, max: 2"))
    daemon.start(kill_at=f"create:{create}")
    daemon.died()
    daemon.start(kill_at=f"remove:{remove}" if remove else "")
    until(lambda: service.settled(2), what="two healthy containers", within=60)
    daemon.policy_file.write_text(policy)
    if remove:
        daemon.died()
        daemon.start()
    until(lambda: service.settled(1), what="one healthy container", within=60)
    assert list(service.ids().values()) == [before], "the newest was to go"


def test_killed_while_it_takes_a_failed_new_container_away_again_the_old_one_stays(
    service: Lone, daemon: DaemonProcess
) -> None:
    there = service.ids()
    (name,) = there
    daemon.policy_file.write_text(POLICY.format(project=service.project.name, ready_within="3s"))
    service.broken()
    daemon.start(kill_at="replace:discard")
    service.make_sick(name)
    daemon.died()
    assert len(service.ids()) == 2
    daemon.start()
    until(lambda: service.ids() == there, what="only the old container", within=30)
    never(lambda: service.ids() != there, what="another try before its time", for_s=2)
    assert "not ready within 3 s" in daemon.cli("history", "app")


def test_traces_are_looked_for_again_when_the_engine_was_away_at_the_start(
    service: Lone, daemon: DaemonProcess, front: Front
) -> None:
    ((name, before),) = service.ids().items()
    daemon.start(kill_at="replace:wait")
    service.make_sick(name)
    daemon.died()
    shutil.rmtree(daemon.folder / "data")
    front.stop()
    daemon.start()
    until(lambda: "no such socket" in daemon.workload()["trouble"], what="the engine's absence is told")
    front.start()
    replaced_in_the_end(service, before)
