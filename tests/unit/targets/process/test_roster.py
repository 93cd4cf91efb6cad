"""The files that say who works here: whole, found again by the next daemon, and not taken for more than they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.clients.processes import Processes
from autoscaler.errors import Conflict, Refused
from autoscaler.model.policy import ProcessTarget as Spec
from autoscaler.targets.process.roster import Duty, Roster, Worker, fingerprint
from tests.support.wait import until

IDLE = Spec(command=("sleep", "600"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of workers; all are ended afterwards."""
    yield tmp_path / "workers"
    last = Roster(tmp_path / "workers", Processes())
    for worker in last:
        last.end(worker, kill=True)


@pytest.fixture
def roster(folder: Path) -> Roster:
    return Roster(folder, Processes())


def add(roster: Roster, number: int = 1, *, duty: Duty = Duty.SERVING, id: str = "") -> Worker:
    return roster.add(id or f"w{number}", "web", IDLE, number=number, duty=duty, now=100.0)


def test_a_worker_is_on_file_before_it_is_started(roster: Roster, folder: Path) -> None:
    worker = add(roster)
    assert (worker.pid, roster.alive(worker)) == (0, False)
    (again,) = Roster(folder, Processes())
    assert (again.id, again.port, again.number) == (worker.id, worker.port, 1)


def test_the_same_id_is_the_same_worker(roster: Roster) -> None:
    assert add(roster) is add(roster)


def test_a_number_is_given_once_and_once_more_to_a_stand_in(roster: Roster) -> None:
    add(roster)
    with pytest.raises(Conflict, match="exists already"):
        add(roster, id="other")
    add(roster, id="new", duty=Duty.SURGE)
    with pytest.raises(Conflict, match="being replaced already"):
        add(roster, id="newer", duty=Duty.SURGE)


def test_starting_twice_makes_one_process(roster: Roster) -> None:
    worker = add(roster)
    roster.start(worker, IDLE)
    first = worker.pid
    roster.start(worker, IDLE)
    assert (worker.pid, roster.alive(worker)) == (first, True)


def test_the_next_daemon_finds_the_process_even_if_the_file_does_not_name_it(roster: Roster, folder: Path) -> None:
    worker = add(roster)
    roster.start(worker, IDLE)
    pid, worker.pid, worker.started = worker.pid, 0, 0
    roster.keep(worker)  # as if the daemon had died between the start and the writing
    (again,) = (found := Roster(folder, Processes()))
    assert (again.pid, found.alive(again)) == (pid, True)


def test_another_process_with_the_same_pid_is_not_the_worker(roster: Roster) -> None:
    worker = add(roster)
    worker.pid, worker.started = os.getpid(), 1
    assert not roster.alive(worker)
    roster.end(worker, kill=True)  # and it is not killed in the worker's place


def test_the_command_gets_its_port_and_its_environment(roster: Roster, folder: Path) -> None:
    spec = Spec(command=("sh", "-c", "echo {port} $PORT $GREETING"), env={"GREETING": "hello"})
    worker = roster.add("w1", "web", spec, number=1, duty=Duty.SERVING, now=100.0)
    roster.start(worker, spec)
    until(lambda: not roster.alive(worker), "it has ended")
    said = until(lambda: (folder / "w1.log").read_text(), "it has written")
    assert said.split() == [str(worker.port), str(worker.port), "hello"]


def test_how_a_worker_ended_is_told(roster: Roster) -> None:
    worker = add(roster)
    roster.start(worker, IDLE)
    os.kill(worker.pid, signal.SIGKILL)
    until(lambda: not roster.alive(worker), "it has ended")
    assert "signal 9" in roster.end_of(worker)
    instance = roster.instance(worker, "web-1", worker.command)
    assert (instance.running, instance.ready, instance.exit_code) == (False, False, -9)


def test_a_worker_and_its_stand_in_are_one(roster: Roster) -> None:
    add(roster)
    add(roster, id="new", duty=Duty.SURGE)
    add(roster, 2).duty = Duty.DRAINING
    assert roster.count("web") == 1
    assert [each.id for each in roster.serving("web")] == ["w1"]


def test_one_that_served_and_ended_is_lost_and_swept(roster: Roster, folder: Path) -> None:
    worker = add(roster)
    roster.start(worker, IDLE)
    worker.was_ready = True
    roster.end(worker, kill=True)
    until(lambda: roster.lost(worker), "it is lost")
    assert (roster.count("web"), roster.sweep("web")) == (0, 1)
    assert list(folder.glob("*.json")) == []


def test_dropping_twice_is_fine(roster: Roster) -> None:
    worker = add(roster)
    roster.drop(worker)
    roster.drop(worker)
    assert list(roster) == []


def test_files_that_are_not_ours_are_left_alone(roster: Roster, folder: Path) -> None:
    add(roster)
    (folder / "notes.json").write_text("{")
    assert [each.id for each in Roster(folder, Processes())] == ["w1"]
    assert (folder / "notes.json").exists()


def test_a_folder_that_cannot_be_written_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written"):
        add(Roster(tmp_path / "file", Processes()))


def test_a_file_that_cannot_be_removed_is_a_refusal(roster: Roster, folder: Path) -> None:
    worker = add(roster)
    (folder / "w1.json").unlink()
    (folder / "w1.json").mkdir()
    with pytest.raises(Refused, match="cannot be removed"):
        roster.drop(worker)
    assert roster.get("w1") is None


def test_the_fingerprint_follows_command_and_environment() -> None:
    same = fingerprint(Spec(command=("a",), env={"X": "1", "Y": "2"}))
    assert same == fingerprint(Spec(command=("a",), env={"Y": "2", "X": "1"}))
    assert same != fingerprint(Spec(command=("a",), env={"X": "1"}))
    assert same != fingerprint(Spec(command=("b",), env={"X": "1", "Y": "2"}))
