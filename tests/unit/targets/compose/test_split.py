"""A count as one operation per container: numbers, the sibling to copy, and who goes first."""

from __future__ import annotations

from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.targets.compose.container import Container
from autoscaler.targets.compose.order import Look, pattern_source, split, victims
from autoscaler.targets.compose.state import Known
from tests.unit.targets.compose.test_state import REF, made


def order(count: int, *, sick: tuple[str, ...] = ()) -> Operation:
    return Operation(
        id="op", kind=OperationKind.SCALE, ref=REF, started=0.0, deadline=60.0, count=count, sick=sick,
        ready_within_s=120.0, drain_s=30.0,
    )  # fmt: skip


def parts(count: int, *containers: Container, sick: tuple[str, ...] = ()) -> list[Operation]:
    after = split(order(count, sick=sick), Look(mine=containers), Known(), 0.0)
    assert isinstance(after, Split), after
    return list(after.parts)


def gone(*containers: Container, sick: tuple[str, ...] = ()) -> list[int]:
    return [each.number for each in victims(containers, sick)]


def test_new_ones_get_the_lowest_free_numbers() -> None:
    made_ones = parts(5, made(1), made(3))
    assert [each.facts["number"] for each in made_ones] == ["2", "4", "5"]
    assert len({each.id for each in made_ones}) == 3


def test_a_number_on_its_way_out_or_at_rest_is_not_free() -> None:
    draining = made(2, name="draining_shop-web-2")
    stopped = made(3, state="exited")
    assert [each.facts["number"] for each in parts(2, made(1), draining, stopped)] == ["4"]


def test_new_ones_are_like_the_newest_that_serves() -> None:
    old, sick = made(1), made(2, health="unhealthy")
    assert pattern_source([old, sick]) is old
    assert parts(3, old, sick)[0].facts["source"] == old.id


def test_without_a_container_there_is_nothing_to_be_like() -> None:
    outcome = split(order(2), Look(mine=[]), Known(), 0.0)
    assert isinstance(outcome, Outcome)
    assert outcome.kind is OutcomeKind.REFUSED


def test_a_count_that_stands_is_applied() -> None:
    outcome = split(order(2), Look(mine=[made(1), made(2)]), Known(), 0.0)
    assert isinstance(outcome, Outcome)
    assert (outcome.kind, outcome.count) == (OutcomeKind.APPLIED, 2)


def test_the_part_has_time_enough_to_start_and_to_drain() -> None:
    (one,) = parts(2, made(1))
    assert one.deadline > one.ready_within_s + one.drain_s
    assert (one.kind, one.stage) == (OperationKind.CREATE, "begin")
    (other,) = parts(1, made(1), made(2))
    assert (other.kind, other.instance) == (OperationKind.REMOVE, made(2).id)


def test_among_the_well_the_highest_number_goes_first() -> None:
    assert gone(made(1), made(3), made(2)) == [3, 2, 1]


def test_the_not_running_then_the_unhealthy_then_the_starting_go_before_the_well() -> None:
    assert gone(
        made(1, health="starting"), made(2, health="unhealthy"), made(3, state="exited", exit_code=1), made(4)
    ) == [3, 2, 1, 4]


def test_those_called_sick_go_before_all_others() -> None:
    assert gone(made(1), made(2, health="unhealthy"), made(3), sick=(made(1).id,)) == [1, 2, 3]


def test_those_unlike_the_others_go_before_those_like_them() -> None:
    assert gone(made(1, config_hash="old"), made(2), made(3)) == [1, 3, 2]
    assert gone(made(1, image="sha256:old"), made(2), made(3)) == [1, 3, 2]
