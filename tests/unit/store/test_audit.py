"""The audit's file: whole lines of what was done, rotated, without secrets, and a disk that is full."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from autoscaler.errors import SettingsError
from autoscaler.model.decision import Decision, Reason, Replacement, Stage, Step
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.signal import Missing, MissingWhy, Point, Series
from autoscaler.model.target import WorkloadRef
from autoscaler.ports import Record, RecordKind
from autoscaler.store import audit as module
from autoscaler.store.audit import Audit, acts
from tests.support.wait import until

NOW = 1_750_000_000.0
WEB = WorkloadRef("compose", "shop", "service", "web")
GREW = Decision(
    ref=WEB, policy="web", at=NOW, current=2, desired=5, reason=Reason.ABOVE_TARGET,
    steps=(Step(Stage.SIGNAL, 2, 5, Reason.ABOVE_TARGET, {"signal": "load", "load": 450.0, "target": 100.0}),),
    readings=(("load", Series((Point(450.0),), 3.0)), ("queue", Missing(MissingWhy.FAILED, "http://a:pw@q answered"))),
)  # fmt: skip


def decided(decision: Decision) -> Record:
    return Record(
        at=decision.at, kind=RecordKind.DECISION, workload=decision.ref.key, policy=decision.policy, revision="r1",
        before=decision.current, after=decision.desired, reason=decision.reason.value, text="asks for more",
        decision=decision,
    )  # fmt: skip


def said(text: str, *, reason: str = "paused") -> Record:
    return Record(at=NOW, kind=RecordKind.CONTROL, workload=WEB.key, reason=reason, text=text, by="ann")


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Audit]:
    made = Audit(tmp_path / "audit.jsonl", size=1_000_000, keep=2, retry_s=0.05)
    made.start()
    yield made
    made.close()


def written(audit: Audit, folder: Path, records: list[Record]) -> list[dict[str, Any]]:
    audit.accept(records)
    audit.close()
    return lines(folder / "audit.jsonl")


def test_a_change_is_there_with_its_inputs_counts_reason_revision_and_caller(audit: Audit, tmp_path: Path) -> None:
    (line,) = written(audit, tmp_path, [decided(GREW)])
    told = {key: line[key] for key in ("at", "kind", "action", "caller", "before", "after", "reason", "revision")}
    assert told == {
        "at": "2025-06-15T15:06:40Z", "kind": "decision", "action": "scale", "caller": "daemon", "before": 2,
        "after": 5, "reason": "above_target", "revision": "r1",
    }  # fmt: skip
    assert line["readings"][0] == {"signal": "load", "series": 1, "age_s": 3.0, "value": 450.0}
    assert line["readings"][1]["missing"] == "failed"
    assert line["steps"][0]["facts"] == {"signal": "load", "load": 450.0, "target": 100.0}


def test_what_people_say_what_operations_come_to_and_which_policies_follow_which_are_actions(
    audit: Audit, tmp_path: Path
) -> None:
    operation = Operation(id="o1", kind=OperationKind.ADOPT, ref=WEB, started=NOW, deadline=NOW, instance="i1")
    outcome = Outcome(operation, OutcomeKind.APPLIED, NOW, "HPA web is gone")
    sets = [
        Record(at=NOW, kind=RecordKind.POLICIES, revision=name, reason="activated", text="policies: 1")
        for name in ("r1", "r2")
    ]
    ended = Record(at=NOW, kind=RecordKind.OUTCOME, workload=WEB.key, reason="applied", outcome=outcome)
    fault = Record(at=NOW, kind=RecordKind.FAULT, reason="lease_lost", text="the lease was lost")
    records = [said("paused: why not"), said("resumed", reason="resumed"), ended, fault, *sets]
    found = written(audit, tmp_path, records)
    actions = ["pause", "resume", "adopt", "fault", "policies", "policies"]
    assert [each["action"] for each in found] == actions
    assert [each["caller"] for each in found[:3]] == ["ann", "ann", "daemon"]
    assert (found[2]["operation"], found[2]["instance"]) == ("o1", "i1")
    assert [(each.get("before"), each["after"]) for each in found[4:]] == [(None, "r1"), ("r1", "r2")]


def test_decisions_that_change_nothing_are_no_actions() -> None:
    same = msgspec.structs.replace(GREW, desired=2)
    observed = msgspec.structs.replace(GREW, act=False)
    replaces = msgspec.structs.replace(same, replace=(Replacement("i", "web-1", Reason.UNHEALTHY),))
    by_hand = msgspec.structs.replace(same, steps=(Step(Stage.CONTROL, 2, 2, Reason.FOREIGN_COUNT),))
    told = [acts(decided(each)) for each in (GREW, same, observed, replaces, by_hand)]
    assert told == [True, False, False, True, True]


def test_secrets_are_not_in_it(audit: Audit, tmp_path: Path) -> None:
    written(audit, tmp_path, [decided(GREW), said("because token=abcdef123 said so")])
    text = (tmp_path / "audit.jsonl").read_text()
    assert "pw@" not in text
    assert "abcdef123" not in text
    assert text.count("[redacted]") == 2
    assert (tmp_path / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_file_is_rotated_at_its_size_and_so_many_former_ones_stay(tmp_path: Path) -> None:
    audit = Audit(tmp_path / "audit.jsonl", size=2000, keep=2)
    audit.start()
    audit.accept([said(f"number {number}") for number in range(60)])
    audit.close()
    files = sorted(tmp_path.iterdir())
    assert [each.name for each in files] == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    assert all(each.stat().st_size <= 2000 for each in files)
    told = [line["text"] for each in (files[2], files[1], files[0]) for line in lines(each)]
    assert told == [f"number {number}" for number in range(60 - len(told), 60)], "whole lines, in their order"


def test_half_a_line_of_a_daemon_that_was_killed_gets_an_end(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_text('{"at": "2025')
    audit = Audit(file, size=100_000, keep=1)
    audit.start()
    audit.accept([said("after")])
    audit.close()
    assert [json.loads(each)["text"] for each in file.read_text().splitlines()[1:]] == ["after"]


def test_a_folder_that_is_away_is_told_once_and_what_waited_is_written_when_it_is_back(
    audit: Audit, tmp_path: Path
) -> None:
    told: list[str] = []
    audit.fault = told.append
    audit.accept([said("before")])
    until(lambda: audit.counts["written"] == 1, "the first line")
    audit._file.stream.close()  # type: ignore[union-attr]
    audit._file.stream = None  # type: ignore[assignment]
    (tmp_path / "audit.jsonl").unlink()
    (tmp_path / "audit.jsonl").mkdir()
    audit.accept([said("meanwhile"), said("later")])
    until(lambda: audit.failing, "it is told")
    assert "cannot be written" in audit.failing
    (tmp_path / "audit.jsonl").rmdir()
    until(lambda: audit.counts["written"] == 3, "it goes on")
    until(lambda: len(told) == 2, "that is told, too")
    assert told[1] == "the audit is written again"
    assert [each["text"] for each in lines(tmp_path / "audit.jsonl")] == ["meanwhile", "later"]


def test_what_does_not_fit_while_it_waits_is_dropped_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WAITING", 3)
    audit = Audit(tmp_path / "audit.jsonl", size=100_000, keep=1)
    audit.accept([said(f"number {number}") for number in range(5)])
    assert audit.counts["dropped"] == 2
    audit.start()
    audit.close()
    found = lines(tmp_path / "audit.jsonl")
    assert (found[0]["action"], found[0]["lines"]) == ("lost", 2)
    assert [each["text"] for each in found[1:]] == ["number 0", "number 1", "number 2"]


FULL = """
    import resource, signal, sys
    from pathlib import Path
    from tests.unit.store.test_audit import said
    from autoscaler.store.audit import Audit
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    audit = Audit(Path(sys.argv[1]), size=100_000, keep=1, retry_s=0.05)
    audit.fault = lambda sentence: print(sentence, flush=True)
    audit.start()
    audit.accept([said(f"number {number}") for number in range(12)])
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    audit.close()
"""


def test_a_disk_that_takes_no_more_leaves_no_half_line_and_loses_none(tmp_path: Path) -> None:
    """The kernel refuses to let the file grow, in the middle of a line, as a full disk would."""
    file = tmp_path / "audit.jsonl"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(FULL), str(file)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    assert "the audit cannot be written" in process.stdout.readline()
    few = lines(file)
    assert 0 < len(few) < 12
    said_then, _ = process.communicate("\n", timeout=30)
    assert "written again" in said_then, process.returncode
    assert [each["text"] for each in lines(file)] == [f"number {number}" for number in range(12)]


def test_a_file_that_can_never_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    audit = Audit(tmp_path, size=100_000, keep=1)
    with pytest.raises(SettingsError, match=r"audit\.file: .* cannot be written: Is a directory") as caught:
        audit.start()
    assert "hint: name a file" in str(caught.value)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY, "the other test has its own process"
