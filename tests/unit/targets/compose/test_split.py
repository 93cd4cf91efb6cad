"""A count as one operation per container: numbers, the sibling to copy, and who goes first."""

from __future__ import annotations

from typing import Any

import msgspec

from autoscaler.model.operation import Advanced, Operation, OperationKind, Outcome, OutcomeKind, Split
from autoscaler.targets.compose.container import Container
from autoscaler.targets.compose.declared import Declared, Place
from autoscaler.targets.compose.order import Look, pattern_source, split, victims
from autoscaler.targets.compose.specs import Spec
from autoscaler.targets.compose.state import Known
from tests.unit.targets.compose.records import P
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


# beside other things


def ordered(count: int, look: Look, *, before: int = 1, now: float = 0.0) -> Advanced:
    return split(msgspec.structs.replace(order(count), before=before), look, Known(), now)


def outcome(count: int, look: Look, **more: Any) -> tuple[OutcomeKind, str]:
    after = ordered(count, look, **more)
    assert isinstance(after, Outcome), after
    return after.kind, after.detail


SPEC = Spec(project="shop", service="web", config_hash="h", record={}, since=0.0, kept=0.0)
FILE = Declared(Place(("/srv/shop/compose.yml",), "/srv/shop"), 0.0)


def hooked(*hooks: str) -> Declared:
    return Declared(FILE.place, 0.0, hooks)


def test_from_zero_new_ones_are_as_remembered_and_the_first_may_have_what_only_one_can() -> None:
    after = ordered(2, Look(mine=[], spec=SPEC), before=0)
    assert isinstance(after, Split)
    assert [each.facts for each in after.parts] == [
        {"source": "spec", "number": "1", "only": "yes"},
        {"source": "spec", "number": "2"},
    ]


def test_one_that_serves_is_copied_rather_than_what_is_remembered() -> None:
    after = ordered(2, Look(mine=[made(1)], spec=SPEC))
    assert isinstance(after, Split)
    assert after.parts[0].facts == {"source": made(1).id, "number": "2"}


def test_one_at_rest_is_copied_where_nothing_is_remembered() -> None:
    stopped = made(1, state="exited")
    after = ordered(1, Look(mine=[stopped]), before=0)
    assert isinstance(after, Split)
    assert after.parts[0].facts["source"] == stopped.id


def test_with_nothing_left_the_compose_program_is_asked_for_all_it_counts() -> None:
    after = ordered(2, Look(mine=[], file=FILE, labels={f"{P}version": "1.29.2"}), before=0)
    assert isinstance(after, Split)
    (part,) = after.parts
    assert (part.kind, part.facts["scale"], part.facts["first"]) == (OperationKind.CREATE, "2", "yes")
    assert "none is remembered" in part.facts["said"]
    assert "the daemon's environment" in part.facts["said"]


def test_the_compose_program_counts_stopped_ones_too_and_waits_for_leaving_ones() -> None:
    here = [made(1), made(2, state="exited")]
    after = ordered(2, Look(mine=here, file=hooked("post_start")))
    assert isinstance(after, Split)
    assert after.parts[0].facts["scale"] == "3"
    leaving = [made(1), made(2, name="draining_shop-web-2")]
    waits = ordered(2, Look(mine=leaving, file=hooked("post_start")))
    assert isinstance(waits, Operation)
    assert waits.wait_until > 0


def test_hooks_are_composes_own_and_without_its_file_there_is_no_way() -> None:
    kind, why = outcome(1, Look(mine=[made(1), made(2)], file=hooked("pre_stop")))
    assert kind is OutcomeKind.REFUSED
    assert "pre_stop, which only compose itself runs" in why
    kind, why = outcome(1, Look(mine=[]), before=0)
    assert kind is OutcomeKind.REFUSED
    assert why.endswith("the project's compose file cannot be read here")


def test_those_in_whose_network_others_live_go_last_and_never() -> None:
    guest = made(9, lives_in=made(3).id)
    here = [made(1), made(2), made(3)]
    after = ordered(1, Look(mine=here, project=[*here, guest]))
    assert isinstance(after, Split)
    assert {each.instance for each in after.parts} == {made(1).id, made(2).id}
    kind, why = outcome(0, Look(mine=here, project=[*here, guest]))
    assert kind is OutcomeKind.REFUSED
    assert why == "shop-web-9 would lose its network with shop-web-3 (network_mode)"


def test_while_other_hands_are_at_it_nothing_is_made_and_taking_away_goes_on() -> None:
    here = [made(1), made(2)]
    waits = ordered(3, Look(mine=here, busy=True))
    assert isinstance(waits, Operation)
    assert waits.wait_until > 0
    assert outcome(3, Look(mine=here, busy=True), now=60.0)[0] is OutcomeKind.CONFLICT
    assert isinstance(ordered(1, Look(mine=here, busy=True)), Split)


def test_what_somebody_took_away_meanwhile_is_not_made_again() -> None:
    kind, why = outcome(3, Look(mine=[], spec=SPEC), before=2)
    assert kind is OutcomeKind.CONFLICT
    assert "took all its containers away" in why


def test_the_service_we_run_in_is_left_alone() -> None:
    kind, why = outcome(2, Look(mine=[made(1)], own=made(1).id[:12]))
    assert kind is OutcomeKind.REFUSED
    assert "the autoscaler itself" in why
