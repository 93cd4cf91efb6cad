"""Traces of a dead daemon; what compose is in the middle of is compose's own."""

from __future__ import annotations

import msgspec

from autoscaler.model.operation import OperationKind
from autoscaler.targets.compose.followers import children
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


def test_who_lives_in_the_network_of_one_that_is_replaced_is_part_of_that() -> None:
    old = made(1, id="0123456789ab" + "0" * 52)
    new = made(1, id="e" * 64, name="0123456789ab_shop-web-1", operation="op")
    side = made(1, id="a" * 64, name="shop-side-1", service="side", lives_in=old.id)
    job = made(1, id="b" * 64, name="shop-job-1", service="job", state="exited", lives_in=old.id)
    name = f"{'a' * 12}_shop-side-1"
    twin = made(1, id="c" * 64, name=name, service="side", lives_in=new.id, operation="follows-op", state="created")
    everything = [old, new, side, job, twin]
    (found,) = left(REF, everything, NOW)
    those = {each.id: each for each in children(found)}
    assert (those[side.id].new, those[side.id].at, those[side.id].ran) == (twin.id, "made", True)
    assert (those[job.id].new, those[job.id].at, those[job.id].ran) == ("", "", False)
    assert left(msgspec.structs.replace(REF, name="side"), everything, NOW) == []


def test_a_follower_whose_old_one_is_gone_only_wants_its_name_and_one_never_started_is_kept() -> None:
    new = made(1, id="e" * 64, name="0123456789ab_shop-web-1", operation="op")
    twin = made(1, id="c" * 64, name=f"{'a' * 12}_shop-side-1", service="side", lives_in=new.id, operation="follows-op")
    (found,) = left(REF, [new, twin], NOW)
    assert found.stage == "settle"
    assert [(each.id, each.new, each.name) for each in children(found)] == [("a" * 12, twin.id, "shop-side-1")]
    settled = msgspec.structs.replace(twin, name="shop-side-1", state="created")
    alone = msgspec.structs.replace(new, name="shop-web-1")
    assert left(msgspec.structs.replace(REF, name="side"), [alone, settled], NOW) == []
