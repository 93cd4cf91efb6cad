"""Operations on workers stage by stage, on real processes that do nothing; readiness is said by the test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from autoscaler.clients.processes import Processes
from autoscaler.model.operation import BEGIN, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.model.policy import ProcessTarget as Spec
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.process.roster import Duty, Roster, Worker
from autoscaler.targets.process.stages import DISCARD, DRAIN, END, STOP, TELL, WAIT, Brake, Stages, told, victims
from tests.support.wait import until

REF = WorkloadRef("process", "local", "process", "web")
IDLE = Spec(command=("sleep", "600"))
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); signal.pause()"
NOW = 1_000.0


@pytest.fixture
def roster(tmp_path: Path) -> Iterator[Roster]:
    made = Roster(tmp_path, Processes())
    yield made
    for worker in made:
        made.end(worker, kill=True)
        until(lambda worker=worker: not made.alive(worker), "it has ended", within=5.0)


@pytest.fixture
def stages(roster: Roster) -> Stages:
    return Stages(roster)


def order(kind: OperationKind, *, id: str = "op", **fields: object) -> Operation:
    told: dict[str, object] = {"ready_within_s": 5.0, **fields}
    return Operation(id=id, kind=kind, ref=REF, started=NOW, deadline=NOW + 60, **told)  # type: ignore[arg-type]


def serving(roster: Roster, number: int, *, spec: Spec = IDLE, ready: bool = True) -> Worker:
    worker = roster.add(f"w{number}", REF.key, spec, number=number, duty=Duty.SERVING, now=NOW)
    roster.start(worker, spec)
    worker.ready = worker.was_ready = ready
    return worker


def onward(stages: Stages, operation: Operation, *, spec: Spec | None = IDLE, now: float = NOW) -> Operation:
    after = stages.advance(operation, spec, now)
    assert isinstance(after, Operation), after
    return after


def ended(stages: Stages, operation: Operation, *, spec: Spec | None = IDLE, now: float = NOW) -> Outcome:
    """The outcome, once processes that have to end have ended."""

    def told() -> Outcome | None:
        after = stages.advance(operation, spec, now)
        return after if isinstance(after, Outcome) else None

    found = until(told, "the outcome", within=5.0)
    assert found is not None
    return found


# a count


def test_new_workers_get_the_lowest_free_numbers(roster: Roster, stages: Stages) -> None:
    serving(roster, 1)
    serving(roster, 3)
    split = stages.advance(order(OperationKind.SCALE, count=4), IDLE, NOW)
    assert isinstance(split, Split)
    assert [(each.kind, each.facts["number"]) for each in split.parts] == [
        (OperationKind.CREATE, "2"),
        (OperationKind.CREATE, "4"),
    ]


def test_a_leaving_worker_is_not_counted_and_keeps_its_number(roster: Roster, stages: Stages) -> None:
    serving(roster, 1)
    serving(roster, 2).duty = Duty.DRAINING
    split = stages.advance(order(OperationKind.SCALE, count=2), IDLE, NOW)
    assert isinstance(split, Split)
    assert [each.facts["number"] for each in split.parts] == ["3"]


def test_the_sick_go_first_then_the_unready_then_the_newest(roster: Roster) -> None:
    one, two, three = serving(roster, 1), serving(roster, 2, ready=False), serving(roster, 3)
    assert victims([one, two, three], [one.id]) == [one, two, three]
    assert victims([one, two, three], []) == [two, three, one]


# create


def test_a_worker_comes_to_readiness_and_each_stage_may_be_done_twice(roster: Roster, stages: Stages) -> None:
    begun = order(OperationKind.CREATE, facts={"number": "1"})
    onward(stages, begun)
    started = onward(stages, begun)
    onward(stages, started)
    waiting = onward(stages, started)
    (worker,) = roster.of(REF.key)
    assert waiting.stage == WAIT
    assert (worker.number, roster.alive(worker)) == (1, True)
    assert onward(stages, waiting).wait_until > NOW
    worker.ready = worker.was_ready = True
    assert ended(stages, waiting).kind is ended(stages, waiting).kind is OutcomeKind.APPLIED


def test_a_number_is_given_once(roster: Roster, stages: Stages) -> None:
    serving(roster, 1)
    assert ended(stages, order(OperationKind.CREATE, facts={"number": "1"})).kind is OutcomeKind.CONFLICT
    assert len(roster.of(REF.key)) == 1


def test_one_that_is_not_ready_in_time_is_ended_and_forgotten(roster: Roster, stages: Stages) -> None:
    waiting = onward(stages, onward(stages, order(OperationKind.CREATE, facts={"number": "1"})))
    late = onward(stages, waiting, now=NOW + 5.0)
    assert late.stage == DISCARD
    outcome = ended(stages, late)
    assert (outcome.kind, roster.of(REF.key)) == (OutcomeKind.FAILED, [])
    assert "not ready within 5 s" in outcome.detail
    assert ended(stages, late).kind is OutcomeKind.FAILED, "once more, with nothing left to do"


def test_one_that_ends_before_it_is_ready_says_how(roster: Roster, stages: Stages) -> None:
    spec = Spec(command=(sys.executable, "-c", "print('no such table'); raise SystemExit(3)"))
    waiting = onward(stages, onward(stages, order(OperationKind.CREATE, facts={"number": "1"})), spec=spec)
    (worker,) = roster.of(REF.key)
    until(lambda: not roster.alive(worker), "it has ended")
    outcome = ended(stages, onward(stages, waiting, spec=spec), spec=spec)
    assert outcome.kind is OutcomeKind.FAILED
    assert "exit status 3; it wrote last: no such table" in outcome.detail


def test_a_command_that_is_not_there_is_a_refusal_and_leaves_nothing(roster: Roster, stages: Stages) -> None:
    spec = Spec(command=("/nowhere/worker",))
    outcome = ended(stages, onward(stages, order(OperationKind.CREATE, facts={"number": "1"}), spec=spec), spec=spec)
    assert (outcome.kind, roster.of(REF.key)) == (OutcomeKind.REFUSED, [])
    assert "/nowhere/worker" in outcome.detail


def test_one_that_somebody_took_away_is_gone(roster: Roster, stages: Stages) -> None:
    waiting = onward(stages, onward(stages, order(OperationKind.CREATE, facts={"number": "1"})))
    (worker,) = roster.of(REF.key)
    roster.end(worker, kill=True)
    roster.drop(worker)
    assert ended(stages, waiting).kind is OutcomeKind.GONE


def test_a_workload_that_no_policy_names_any_more_gets_no_worker(roster: Roster, stages: Stages) -> None:
    assert ended(stages, order(OperationKind.CREATE, facts={"number": "1"}), spec=None).kind is OutcomeKind.GONE


# remove


def test_a_worker_drains_then_is_told_to_end_then_is_forgotten(roster: Roster, stages: Stages) -> None:
    worker = serving(roster, 1)
    draining = onward(stages, order(OperationKind.REMOVE, instance=worker.id, drain_s=30.0), spec=None)
    assert (draining.stage, draining.wait_until) == (STOP, NOW + 30.0)
    assert (worker.duty, roster.alive(worker)) == (Duty.DRAINING, True)
    ending = onward(stages, draining)
    assert ending.stage == END
    assert ended(stages, ending).kind is OutcomeKind.APPLIED
    assert roster.of(REF.key) == []
    assert ended(stages, ending).detail == "it was gone already"


def test_one_that_does_not_end_by_itself_is_killed_after_its_grace(roster: Roster, stages: Stages) -> None:
    worker = serving(roster, 1, spec=Spec(command=(sys.executable, "-c", STUBBORN)))
    until(lambda: "here" in roster.end_of(worker), "it ignores being told")
    ending = onward(stages, order(OperationKind.REMOVE, stage=STOP, instance=worker.id, stop_within_s=2.0))
    onward(stages, ending, now=NOW + 1.9)
    assert roster.alive(worker)
    assert ended(stages, ending, now=NOW + 2.0).kind is OutcomeKind.APPLIED


# replace


def half_way(roster: Roster, stages: Stages, old: Worker) -> tuple[Operation, Worker]:
    """A replacement whose new worker is ready, about to take the old one's place."""
    waiting = onward(stages, onward(stages, order(OperationKind.REPLACE, instance=old.id)))
    new = next(each for each in roster.of(REF.key) if each is not old)
    assert (new.duty, new.number) == (Duty.SURGE, old.number)
    new.ready = new.was_ready = True
    taking = onward(stages, waiting)
    assert taking.stage == DRAIN
    return taking, new


def test_the_new_worker_counts_from_when_the_old_one_leaves(roster: Roster, stages: Stages) -> None:
    old = serving(roster, 1, ready=False)
    taking, new = half_way(roster, stages, old)
    leaving = onward(stages, taking)
    onward(stages, taking)
    assert (new.duty, old.duty, leaving.stage) == (Duty.SERVING, Duty.DRAINING, STOP)
    assert ended(stages, onward(stages, leaving)).kind is OutcomeKind.APPLIED
    assert roster.of(REF.key) == [new]


def test_an_old_one_that_is_well_again_stays_and_the_new_one_goes(roster: Roster, stages: Stages) -> None:
    old = serving(roster, 1, ready=False)
    taking, _ = half_way(roster, stages, old)
    old.ready = True
    outcome = ended(stages, onward(stages, taking))
    assert (outcome.kind, roster.of(REF.key)) == (OutcomeKind.CONFLICT, [old])
    assert "well again" in outcome.detail


def test_an_old_one_that_went_meanwhile_leaves_its_place_to_the_new_one(roster: Roster, stages: Stages) -> None:
    old = serving(roster, 1, ready=False)
    taking, new = half_way(roster, stages, old)
    roster.end(old, kill=True)
    roster.drop(old)
    assert ended(stages, taking).kind is OutcomeKind.APPLIED
    assert (new.duty, roster.of(REF.key)) == (Duty.SERVING, [new])


def test_a_worker_is_replaced_by_one_operation_only(roster: Roster, stages: Stages) -> None:
    old = serving(roster, 1, ready=False)
    onward(stages, order(OperationKind.REPLACE, instance=old.id))
    assert ended(stages, order(OperationKind.REPLACE, id="other", instance=old.id)).kind is OutcomeKind.CONFLICT


@pytest.mark.parametrize("there", [True, False])
def test_one_that_is_gone_or_going_is_not_replaced(roster: Roster, stages: Stages, there: bool) -> None:
    old = serving(roster, 1)
    old.duty = Duty.DRAINING
    instance = old.id if there else "nobody"
    assert ended(stages, order(OperationKind.REPLACE, instance=instance)).kind is OutcomeKind.GONE
    assert roster.of(REF.key) == [old]


def test_a_deadline_of_the_whole_leaves_each_part_time_to_finish(roster: Roster, stages: Stages) -> None:
    whole = order(OperationKind.SCALE, count=1, ready_within_s=120.0, drain_s=300.0)
    split = stages.advance(whole, IDLE, NOW)
    assert isinstance(split, Split)
    assert split.parts[0].deadline >= NOW + 420.0
    assert msgspec.structs.replace(split.parts[0], stage=BEGIN) == split.parts[0]


def test_starts_slow_down_while_workers_keep_failing() -> None:
    brake = Brake()
    assert brake.until("web") == 0.0
    waits = []
    at = NOW
    for _ in range(9):
        brake.failed("web", at)
        waits.append(max(0.0, brake.until("web") - at))
        at += 100.0
    assert waits == sorted(waits)
    assert waits[-1] == 60.0
    assert brake.until("other") == 0.0


# a word before the stop


def test_a_worker_is_told_at_its_own_port_before_it_drains(roster: Roster, stages: Stages) -> None:
    worker = serving(roster, 1)
    asked = order(OperationKind.REMOVE, instance=worker.id, before_stop="/drain", drain_s=7.0)
    telling = onward(stages, asked)
    assert (telling.stage, telling.facts["url"]) == (TELL, f"http://{worker.address}/drain")
    assert worker.duty is Duty.DRAINING
    after = told(telling, "", NOW)
    assert (after.stage, after.wait_until, after.facts.get("untold")) == (STOP, NOW + 7.0, None)


def test_another_port_may_be_named_and_one_that_did_not_hear_leaves_all_the_same(
    roster: Roster, stages: Stages
) -> None:
    worker = serving(roster, 1)
    asked = order(OperationKind.REMOVE, instance=worker.id, before_stop=":9000/drain")
    after = told(onward(stages, asked), "it answered 503", NOW)
    assert after.stage == STOP
    ending = onward(stages, after)
    until(lambda: not roster.alive(worker), "it has ended", within=5.0)
    outcome = stages.advance(ending, IDLE, NOW)
    assert isinstance(outcome, Outcome)
    assert outcome.detail == "before_stop: POST http://127.0.0.1:9000/drain: it answered 503"
