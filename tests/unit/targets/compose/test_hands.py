"""Other hands, told from ours: by what we do, by names and labels, and by what a compose program does for us."""

from __future__ import annotations

import pytest

from autoscaler.targets.compose.hands import LEAVING_S, QUIET_S, Hands
from tests.unit.targets.compose.records import P

KEY = ("shop", "web")
NOW = 1000.0


def about(name: str = "shop-web-1", **more: str) -> dict[str, str]:
    return {f"{P}project": "shop", f"{P}service": "web", f"{P}oneoff": "False", "name": name, **more}


def hands() -> Hands:
    return Hands(set())


OURS = {"io.autoscaler.operation": "op"}


@pytest.mark.parametrize("action", ["create", "destroy"])
def test_what_others_make_and_take_away_changes_the_service(action: str) -> None:
    known = hands()
    known.told(action, "a", about(), NOW)
    assert known.changed == {KEY: NOW}
    assert known.destroyed == ({"shop": NOW} if action == "destroy" else {})
    known.told(action, "b", about(), NOW - 5)
    assert known.changed == {KEY: NOW}, "an older event says nothing new"


def test_what_we_make_and_take_away_does_not() -> None:
    known = hands()
    known.told("create", "a", about(**OURS), NOW)
    known.ours("b")
    for action in ("kill", "stop", "destroy"):
        known.told(action, "b", about(signal="15"), NOW)
        known.told(action, "c", about("draining_shop-web-2", signal="15"), NOW)
    assert (known.changed, known.destroyed, known.stopped) == ({}, {}, set())
    assert not known.busy(KEY, NOW)


def test_a_destroy_told_twice_is_ours_both_times() -> None:
    known = hands()
    known.ours("b")
    for _ in range(2):  # after a break the engine tells again what it told
        known.told("destroy", "b", about(), NOW)
    assert known.changed == {}


def test_one_that_we_made_and_others_take_away_is_their_doing_unless_nobody_saw() -> None:
    known = hands()
    known.told("destroy", "a", about(**OURS), NOW, past=True)
    assert known.changed == {}
    known.told("destroy", "a", about(**OURS), NOW)
    assert known.changed == {KEY: NOW}


def test_what_the_compose_program_makes_for_us_is_ours_and_for_a_moment_after() -> None:
    known = hands()
    known.composing(KEY, NOW + 3)
    known.told("create", "a", about(), NOW + 2)
    assert known.changed == {}
    known.told("create", "b", about(), NOW + 4)
    assert known.changed == {KEY: NOW + 4}


def test_a_one_off_run_is_nobodys_business() -> None:
    known = hands()
    for action in ("create", "stop", "destroy"):
        known.told(action, "a", {**about(), f"{P}oneoff": "True"}, NOW)
    known.told("destroy", "b", {"name": "plain"}, NOW)
    assert (known.changed, known.destroyed, known.stopped) == ({}, {}, set())
    assert not known.busy(KEY, NOW)


def test_somebodys_stop_lasts_until_a_start() -> None:
    known = hands()
    known.told("stop", "a", about(), NOW)
    assert known.stopped == {"a"}
    known.told("start", "a", about(), NOW + 9)
    assert known.stopped == set()


@pytest.mark.parametrize("action", ["stop", "destroy"])
def test_after_one_was_taken_away_anywhere_in_the_project_the_next_may_follow(action: str) -> None:
    known = hands()
    known.told(action, "a", {**about(), f"{P}service": "db"}, NOW)
    assert known.busy(KEY, NOW + QUIET_S - 0.1)
    assert not known.busy(KEY, NOW + QUIET_S)
    assert not known.busy(("other", "web"), NOW)


def test_after_one_was_made_the_next_of_the_service_may_follow() -> None:
    known = hands()
    known.told("create", "a", about(), NOW)
    assert known.busy(KEY, NOW + 1)
    assert not known.busy(("shop", "db"), NOW + 1)


def test_somebodys_start_of_what_they_stopped_is_followed_too_and_the_engines_restarts_are_not() -> None:
    known = hands()
    known.told("start", "a", about(), NOW)
    assert not known.busy(KEY, NOW)
    known.told("stop", "a", about(), NOW)
    known.told("start", "a", about(), NOW + 10)
    assert known.busy(KEY, NOW + 11)


def test_one_that_was_told_to_end_is_waited_for() -> None:
    known = hands()
    known.told("kill", "a", about(signal="15"), NOW)
    assert known.busy(KEY, NOW + 20)
    assert not known.busy(KEY, NOW + LEAVING_S)
    known.told("die", "a", about(), NOW + 21)
    assert not known.busy(KEY, NOW + 22)


def test_a_signal_that_asks_for_something_else_is_not_an_end() -> None:
    known = hands()
    known.told("kill", "a", about(signal="1"), NOW)
    assert not known.busy(KEY, NOW)
