"""Which commit should be in force: every combination of where the ref is and what people said, from plain data."""

from __future__ import annotations

import itertools

import pytest

from autoscaler.model.commits import Rollback, Said
from autoscaler.store.activation import Course, Known, Move, course, move

A, B, C = "a" * 40, "b" * 40, "c" * 40
BACK = Rollback(commit=C, since=0.0, until=100.0, why="noise")


@pytest.mark.parametrize(
    ("known", "said", "pin", "now", "expected"),
    [
        (Known(), Said(), "", 0.0, Course("")),
        (Known(head=A), Said(), "", 0.0, Course(A)),
        (Known(base=A), Said(), "", 0.0, Course(A)),
        (Known(base=A, head=A), Said(), "", 0.0, Course(A)),
        (Known(base=A, head=B, descends=True), Said(), "", 0.0, Course(B)),
        (Known(base=A, head=B), Said(), "", 0.0, Course(A, held=B)),
        (Known(base=A, head=B), Said(accepted=B), "", 0.0, Course(B)),
        (Known(base=A, head=B), Said(accepted=C), "", 0.0, Course(A, held=B)),
        (Known(base=A, head=B, descends=True), Said(), C, 0.0, Course(C, follows=False)),
        (Known(), Said(), C, 0.0, Course(C, follows=False)),
        (Known(base=A, head=B, descends=True), Said(rollback=BACK), A, 99.0, Course(C, follows=False)),
        (Known(base=A, head=B, descends=True), Said(rollback=BACK), A, 100.0, Course(A, follows=False)),
        (Known(base=A, head=B, descends=True), Said(rollback=BACK), "", 100.0, Course(B)),
        (Known(base=A, head=B), Said(rollback=BACK), "", 100.0, Course(A, held=B)),
    ],
)
def test_what_should_be_in_force(known: Known, said: Said, pin: str, now: float, expected: Course) -> None:
    assert course(known, said, pin, now) == expected


def test_a_commit_is_only_ever_taken_by_the_refs_progress_or_somebodys_word() -> None:
    for base, head, descends, accepted, pin, rollback in itertools.product(
        ("", A), ("", A, B), (False, True), ("", B), ("", C), (None, BACK)
    ):
        known = Known(base=base, head=head, descends=descends)
        way = course(known, Said(rollback, accepted), pin, 50.0)
        assert way.commit in ("", base, head, pin, C if rollback else "")
        assert bool(way.commit) == bool(base or head or pin or rollback), "what is known is in force"
        if way.commit == B:
            assert not base or descends or accepted == B
        if way.held:
            assert (way.commit, move(known)) == (base, Move.FORCED)
