"""What needs a person: the same for the dashboard, the metric and those who are notified."""

from __future__ import annotations

import pytest

from autoscaler.loop import problems
from autoscaler.loop.board import Board, Entry
from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.notice import Kind
from autoscaler.model.observation import Workload
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.policy.load import load
from tests.unit.loop.house import POLICY, WEB

(LOADED,) = load([("web.yaml", POLICY + "labels: {team: shop}\n")], "r1").policies


def entry(*reasons: Reason, desired: int = 10, silent: bool = False) -> Entry:
    steps = tuple(Step(Stage.BOUND, 12, 10, reason) for reason in reasons)
    readings = (("load", Missing(MissingWhy.EMPTY)),) if silent else ()
    made = Entry(Workload(WEB, LOADED))
    made.decision = Decision(
        ref=WEB, policy="web", at=0.0, current=10, desired=desired, reason=Reason.ON_TARGET, steps=steps,
        readings=readings,
    )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("reason", "kind", "urgent"),
    [
        (Reason.CAPPED_AT_MAXIMUM, Kind.SHORT_AT_MAX, "short at max 10, asks for 12"),
        (Reason.CONTESTED, Kind.CONTESTED, "contested"),
        (Reason.CLAIMED_TWICE, Kind.CONTESTED, "claimed twice"),
        (Reason.OTHER_AUTOSCALER, Kind.CONTESTED, "other autoscaler"),
        (Reason.PAUSE_UNREADABLE, Kind.PAUSE_UNREADABLE, "pause unreadable"),
        (Reason.CAPPED_AT_QUOTA, Kind.CAPPED_AT_QUOTA, "capped at quota"),
        (Reason.RECYCLE_GIVEN_UP, Kind.GIVEN_UP, "replacements did not last, given up"),
        (Reason.RECYCLE_BREAKER, Kind.BREAKER_OPEN, "too many are sick at once, one is replaced first"),
        (Reason.RECYCLE_BACKOFF, Kind.NEVER_READY, "replacements never become ready"),
    ],
)
def test_a_reason_that_waits_for_a_person_is_a_problem_of_its_kind(reason: Reason, kind: Kind, urgent: str) -> None:
    (problem,) = problems.told(entry(Reason.ON_TARGET, reason))
    assert (problem.kind, problem.workload, problem.labels) == (kind, WEB.key, {"team": "shop"})
    assert problems.first(entry(reason)) == (problems.weight(kind), urgent)


def test_the_most_urgent_of_several_is_shown_and_all_are_told() -> None:
    several = entry(Reason.RECYCLE_BACKOFF, Reason.CAPPED_AT_MAXIMUM, silent=True)
    operation = Operation(id="o", kind=OperationKind.CREATE, ref=WEB, started=0.0, deadline=1.0)
    several.ended = Outcome(operation, OutcomeKind.REFUSED, 0.0, "no such image")
    assert problems.first(several) == (4, "create refused")
    found = {each.kind: each.text for each in problems.told(several)}
    assert found[Kind.STUCK] == "create refused: no such image"
    assert set(found) == {Kind.STUCK, Kind.SHORT_AT_MAX, Kind.DATA_MISSING, Kind.NEVER_READY}
    several.state = Missing(MissingWhy.FAILED, "away")
    assert [each.kind for each in problems.told(several)] == [Kind.STATE_MISSING], "nothing else is known then"


def test_what_is_well_or_not_decided_yet_needs_nobody() -> None:
    assert not list(problems.told(entry(Reason.ON_TARGET)))
    assert not list(problems.told(Entry(Workload(WEB, LOADED))))
    assert not list(problems.told(entry(Reason.CAPPED_AT_MAXIMUM, desired=7))), "slower for another reason"


def test_the_fleets_brake_is_one_problem_of_the_fleet() -> None:
    held = entry(Reason.FLEET_BRAKE)
    assert not list(problems.told(held))
    assert problems.braked(held)
    board = Board()
    board.entries[WEB.key] = held
    assert problems.counted(board) == {"fleet_brake": 1}
    (problem,) = problems.of_daemon(board, held=12, losses=2, store="")
    assert (problem.kind, problem.workload) == (Kind.FLEET_BRAKE, "")
    assert "12 held" in problem.text
    board.rejected("r2", ("web.yaml:1:1: target is missing\n  hint: add it", "b"), ())
    found = {each.kind: each.text for each in problems.of_daemon(board, held=0, losses=3, store="disk full")}
    assert set(found) == {Kind.POLICIES_REJECTED, Kind.LEADER_FLAPPING, Kind.STORE_FAILING}
    assert found[Kind.POLICIES_REJECTED].endswith("web.yaml:1:1: target is missing and 1 more")
