"""A container as the engine tells it: readiness, names with marks, and what its health log still knows."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.targets.compose.container import Container, container
from tests.unit.targets.compose.records import FIRST, START, record

SECOND = 1e9  # nanoseconds


def probe(second: int, code: int) -> dict[str, Any]:
    return {"End": f"2001-09-09T01:47:{second:02d}Z", "ExitCode": code}


def checked(status: str, *log: dict[str, Any], streak: int = 0) -> Container:
    check = {"Test": ["CMD", "true"], "Interval": SECOND, "Timeout": SECOND}
    health = {"Status": status, "Log": list(log), "FailingStreak": streak}
    return container(record(state={"Health": health}, config={"Healthcheck": check}))


def test_the_contract_of_labels_is_read() -> None:
    made = container(record(restarts=3, host={"RestartPolicy": {"Name": "always"}}, config={"StopTimeout": 7}))
    assert (made.id, made.name, made.project, made.service, made.number) == (FIRST, "shop-web-1", "shop", "web", 1)
    assert (made.started, made.created, made.finished) == (START, START - 1, 0.0)
    assert (made.restarts, made.restart_policy, made.stop_timeout) == (3, "always", 7)
    assert (made.config_hash, made.operation, made.address) == ("hash", "", "10.0.0.2")


def test_without_a_health_check_running_is_ready() -> None:
    assert container(record()).ready
    assert not container(record(state={"Status": "restarting"})).ready
    assert not container(record(state={"Status": "paused"})).ready


def test_a_health_check_that_was_switched_off_is_none() -> None:
    health = {"Status": "none"}
    assert container(record(state={"Health": health}, config={"Healthcheck": {"Test": ["NONE"]}})).ready


@pytest.mark.parametrize(("status", "ready"), [("healthy", True), ("starting", False), ("unhealthy", False)])
def test_with_a_health_check_only_healthy_is_ready(status: str, ready: bool) -> None:
    assert checked(status).ready is ready


def test_failures_at_the_end_of_the_log_tell_since_when() -> None:
    assert checked("unhealthy", probe(1, 0), probe(2, 1), probe(3, 1)).failing_since == START + 22
    assert checked("healthy", probe(1, 1), probe(2, 0)).failing_since == 0.0


def test_a_probe_that_passed_says_that_it_was_healthy_once() -> None:
    assert checked("unhealthy", probe(1, 0), probe(2, 1)).healthy_once
    assert checked("healthy").healthy_once


def test_a_log_full_of_failures_since_the_start_says_that_it_never_was() -> None:
    assert not checked("unhealthy", *(probe(n, 1) for n in range(1, 6)), streak=25).healthy_once
    assert not checked("starting").healthy_once


def test_failures_that_do_not_fill_the_time_since_the_start_say_that_it_was() -> None:
    assert checked("unhealthy", probe(40, 1), probe(41, 1), streak=2).healthy_once


@pytest.mark.parametrize(
    ("name", "final", "draining", "replaces"),
    [
        ("shop-web-1", "shop-web-1", False, ""),
        ("draining_shop-web-1", "shop-web-1", True, ""),
        ("0123456789ab_shop-web-1", "shop-web-1", False, "0123456789ab"),
        ("draining_0123456789ab_shop-web-1", "shop-web-1", True, ""),
        ("ffffffffffff_0123456789ab_shop-web-1", "shop-web-1", False, "ffffffffffff"),
        ("0123456789AB_shop-web-1", "0123456789AB_shop-web-1", False, ""),
    ],
)
def test_a_name_tells_what_goes_on(name: str, final: str, draining: bool, replaces: str) -> None:
    made = container(record(name=name))
    assert (made.final_name, made.draining, made.replaces) == (final, draining, replaces)


def test_on_the_hosts_network_it_is_reached_at_loopback() -> None:
    assert container(record(networks={"host": {"IPAddress": ""}})).address == "127.0.0.1"
    assert container(record(networks={})).address == ""


def test_the_mark_compose_v1_puts_on_an_old_one_is_no_stand_in() -> None:
    old = container(record(name=f"{FIRST[:12]}_shop_web_1"))
    assert old.replaces == ""
    assert old.final_name == "shop_web_1"


def test_whose_network_it_lives_in_is_told() -> None:
    assert container(record(host={"NetworkMode": "container:" + "d" * 64}, networks={})).lives_in == "d" * 64
    assert container(record()).lives_in == ""
