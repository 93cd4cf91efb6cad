"""Containers of a service as its state: who counts, whose zero it is, and what a rollout looks like."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.targets.compose.container import Container
from autoscaler.targets.compose.state import MIXED_S, ROLLOUT_S, Known, state

REF = WorkloadRef("compose", "shop", "service", "web")
NOW = 10_000.0


def made(
    number: int = 1, *, id: str = "", name: str = "", state: str = "running", service: str = "web", **more: object
) -> Container:
    return Container(
        id=id or f"{number:012x}" + "0" * 52,
        name=name or f"shop-web-{number}",
        project="shop",
        service=service,
        number=number,
        created=NOW - 100,
        started=NOW - 99,
        state=state,
        **more,  # type: ignore[arg-type]
    )


def told(*containers: Container, known: Known | None = None, foreign_at: float | None = None) -> TargetState:
    known = known or Known()
    for each in containers:
        known.look(each, NOW)
    return state(REF, containers, known, now=NOW, foreign_at=foreign_at)


def counts(*containers: Container, known: Known | None = None) -> tuple[int, int]:
    seen = told(*containers, known=known)
    return seen.existing, seen.ready


def names(seen: TargetState) -> Sequence[str]:
    return [each.name for each in seen.instances]


def test_what_runs_exists_and_what_is_healthy_is_ready() -> None:
    assert counts(made(1, health="healthy"), made(2, health="starting"), made(3)) == (3, 2)


def test_compose_keeps_no_desired_count() -> None:
    assert told(made()).desired is None


@pytest.mark.parametrize("state", ["created", "restarting", "paused"])
def test_one_that_is_not_running_yet_or_again_exists_and_is_not_ready(state: str) -> None:
    assert counts(made(1), made(2, state=state)) == (2, 1)


def test_a_draining_one_is_shown_and_not_counted() -> None:
    seen = told(made(1), made(2, name="draining_shop-web-2"))
    assert (seen.existing, seen.ready) == (1, 1)
    assert [(each.name, each.draining, each.ready) for each in seen.instances] == [
        ("shop-web-1", False, True),
        ("shop-web-2", True, False),
    ]


def test_one_being_removed_is_gone() -> None:
    assert counts(made(1), made(2, state="removing")) == (1, 1)


def test_one_that_stands_in_counts_once_the_old_one_leaves() -> None:
    old = made(1, id="0123456789ab" + "0" * 52, health="unhealthy")
    new = made(1, id="f" * 64, name="0123456789ab_shop-web-1", health="healthy")
    leaving = made(1, id=old.id, name="draining_shop-web-1", health="unhealthy")
    assert counts(old, new) == (1, 0)
    assert names(told(old, new)) == ["shop-web-1"]
    assert counts(leaving, new) == (1, 1)
    assert counts(new) == (1, 1)


def test_one_that_finished_its_job_is_at_rest_and_one_that_crashed_is_sick() -> None:
    assert counts(made(1, state="exited", exit_code=0)) == (0, 0)
    seen = told(made(1, state="exited", exit_code=3, finished=NOW - 5))
    assert (seen.existing, seen.ready) == (1, 0)
    assert (seen.instances[0].exit_code, seen.instances[0].running, seen.instances[0].since) == (3, False, NOW - 5)


def test_one_that_the_engine_would_have_started_again_was_stopped_by_somebody() -> None:
    assert counts(made(1, state="exited", exit_code=137, restart_policy="unless-stopped")) == (0, 0)
    assert counts(made(1, state="exited", exit_code=1, restart_policy="on-failure")) == (1, 0)


def test_one_that_a_person_was_seen_stopping_is_at_rest() -> None:
    stopped = made(1, state="exited", exit_code=143)
    known = Known()
    known.stopped.add(stopped.id)
    assert counts(stopped, known=known) == (0, 0)


def test_nothing_that_counts_is_the_owners_zero() -> None:
    assert told().off_by_owner
    assert told(made(1, state="exited", exit_code=0)).off_by_owner
    assert not told(made(1, state="exited", exit_code=1)).off_by_owner


def test_other_hands_making_containers_just_now_are_a_rollout() -> None:
    same = (made(1), made(2))
    assert told(*same, foreign_at=NOW - ROLLOUT_S + 1).rollout
    assert not told(*same, foreign_at=NOW - ROLLOUT_S - 1).rollout
    assert not told(*same).rollout


@pytest.mark.parametrize("odd", [{"config_hash": "new"}, {"image": "sha256:new"}])
def test_mixed_containers_are_a_rollout_for_longer_and_not_for_ever(odd: dict[str, str]) -> None:
    mixed = (made(1), made(2, **odd))
    assert told(*mixed, foreign_at=NOW - MIXED_S + 1).rollout
    assert not told(*mixed, foreign_at=NOW - MIXED_S - 1).rollout
    assert not told(*mixed).rollout, "two kinds of containers that nobody is changing"


def test_the_version_is_what_most_are_made_from() -> None:
    assert told(made(1, config_hash="a"), made(2, config_hash="b"), made(3, config_hash="b")).version == "b"


def test_a_turn_that_was_watched_is_known_to_the_second() -> None:
    known = Known()
    known.look(made(1, health="healthy"), NOW - 50)
    known.look(made(1, health="unhealthy"), NOW)
    (instance,) = state(REF, [made(1, health="unhealthy")], known, now=NOW, foreign_at=None).instances
    assert (instance.ready, instance.since, instance.was_ready) == (False, NOW, True)


def test_a_turn_before_the_first_look_is_told_by_the_health_log() -> None:
    (instance,) = told(made(1, health="unhealthy", failing_since=NOW - 7)).instances
    assert (instance.since, instance.was_ready) == (NOW - 7, False)


def test_what_is_gone_is_forgotten() -> None:
    known = Known()
    one = made(1)
    known.look(one, NOW)
    known.stopped.add(one.id)
    known.forget(one.id)
    assert (known.since, known.healthy, known.stopped) == ({}, set(), set())


def test_a_stand_in_counts_once_the_old_one_was_stopped_by_somebody() -> None:
    """As compose recreates: the new one is there, the old one has ended and is about to be removed."""
    old = made(1, id="0123456789ab" + "0" * 52, state="exited", restart_policy="always")
    new = made(1, id="f" * 64, name="0123456789ab_shop-web-1", state="created")
    assert counts(old, new) == (1, 0)


def test_what_an_open_operation_of_ours_made_is_no_sign_of_a_rollout() -> None:
    mixed = (made(1), made(2, image="sha256:new", operation="op"))
    known, foreign = Known(), NOW - ROLLOUT_S - 1
    assert state(REF, mixed, known, now=NOW, foreign_at=foreign).rollout
    assert not state(REF, mixed, known, now=NOW, foreign_at=foreign, making={"op"}).rollout


def test_one_that_we_made_from_what_the_tag_means_now_is_no_sign_of_a_rollout_and_one_that_compose_made_is() -> None:
    old, foreign = made(1, image="sha256:old", tag="shop/web:1"), NOW - ROLLOUT_S - 1
    images = {"shop/web:1": "sha256:new"}
    for operation, rollout in (("op", False), ("", True)):
        new = made(2, image="sha256:new", tag="shop/web:1", operation=operation)
        assert state(REF, (old, new), Known(), now=NOW, foreign_at=foreign, images=images).rollout is rollout


def test_those_unlike_the_others_have_drifted_and_of_as_many_the_older() -> None:
    seen = told(made(1, config_hash="old"), made(2, config_hash="new"), made(3, config_hash="new"))
    assert [each.drifted for each in seen.instances] == [True, False, False]
    older = made(1, config_hash="old", image="x")
    newer = msgspec.structs.replace(older, id="n" * 64, created=NOW - 1, config_hash="new")
    assert [each.drifted for each in told(older, newer).instances] == [True, False]
    assert not told(made(1), made(2)).instances[0].drifted


def test_when_other_hands_were_at_it_is_handed_on() -> None:
    assert told(foreign_at=NOW - 3).foreign_at == NOW - 3
    assert told().foreign_at is None


def test_those_made_from_an_older_configuration_than_compose_made_last_are_told_whoever_was_made_last() -> None:
    old = made(1, config_hash="old", origin=1.0)
    new = made(2, config_hash="new", origin=2.0)
    twin = msgspec.structs.replace(old, id="t" * 64, number=3, created=NOW, operation="op")
    assert [each.newer_config for each in told(old, new, twin).instances] == ["new", "", "new"]
    assert [each.newer_config for each in told(old, twin).instances] == ["", ""]


def test_those_whose_tag_means_another_image_by_now_are_told() -> None:
    known = Known()
    one, other = made(1, image="sha256:old", tag="web:1"), made(2, image="sha256:new", tag="web:1")
    seen = state(REF, (one, other), known, now=NOW, foreign_at=None, images={"web:1": "sha256:new"})
    assert [each.newer_image for each in seen.instances] == ["sha256:new", ""]
    assert not any(each.newer_image for each in told(one, other).instances), "what is not known is no change"


def test_one_that_makes_room_stands_for_itself_and_its_successor_until_it_is_gone() -> None:
    old = made(1, id="0123456789ab" + "0" * 52, name="replacing_shop-web-1", state="exited", exit_code=0)
    new = made(1, id="f" * 64, name="0123456789ab_shop-web-1")
    assert counts(old) == counts(old, new) == (1, 0)
    assert names(told(old, new)) == ["shop-web-1"]
    assert counts(new) == (1, 1)


def test_an_end_by_lack_of_memory_is_one_whether_the_event_or_the_record_tells_it() -> None:
    known = Known()
    one = made(1, state="exited", exit_code=137, oom_killed=True, finished=NOW - 5)
    known.oom(one.id, NOW - 5.1)
    assert told(one, known=known).instances[0].ooms == (NOW - 5.1,)
    known.oom(one.id, NOW - 60)
    assert len(told(one, known=known).instances[0].ooms) == 2
