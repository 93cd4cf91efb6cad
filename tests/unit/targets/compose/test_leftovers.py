"""Traces of a dead daemon; what compose is in the middle of is compose's own."""

from __future__ import annotations

from autoscaler.model.operation import OperationKind
from autoscaler.targets.compose.leftovers import left
from tests.unit.targets.compose.test_state import NOW, REF, made


def test_a_stand_in_of_ours_is_gone_on_with_and_one_of_composes_is_not() -> None:
    old = made(1, id="0123456789ab" + "0" * 52)
    name = "0123456789ab_shop-web-1"
    (found,) = left(REF, [old, made(1, id="f" * 64, name=name, operation="op")], NOW)
    assert (found.kind, found.stage, found.instance) == (OperationKind.REPLACE, "wait", old.id)
    assert left(REF, [old, made(1, id="f" * 64, name=name)], NOW) == []


def test_a_draining_one_is_finished_and_one_never_started_swept() -> None:
    draining = made(1, name="draining_shop-web-1")
    fresh = made(2, state="created", operation="op")
    found = left(REF, [draining, fresh, made(3, state="created")], NOW)
    assert [(each.stage, each.instance) for each in found] == [("stop", draining.id), ("sweep", fresh.id)]
