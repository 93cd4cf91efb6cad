"""A person's hand on the count of a Deployment, on a real API server: respected, answered or named, never fought."""

from __future__ import annotations

import pytest

from tests.e2e.shop import Shop, lines
from tests.support.wait import never, until

pytestmark = [pytest.mark.kubernetes, pytest.mark.prometheus, pytest.mark.e2e]


def test_a_zero_by_a_person_outlives_load_and_the_daemon_and_ends_with_the_first_replica(shop: Shop) -> None:
    shop.open(2)
    daemon = shop.daemon().start()
    until(lambda: daemon.workload()["desired"] == 2, "the daemon has decided")
    shop.cluster.scale(shop.namespace, "web", 0)
    until(lambda: daemon.workload()["reason"] == "held_zero_by_owner", "the zero is told")
    shop.load(500)
    never(lambda: shop.replicas, "a count in spite of the owner", for_s=2)
    daemon.kill()
    daemon.start()
    until(lambda: daemon.workload()["reason"] == "held_zero_by_owner", "the next daemon knows whose zero it is")
    never(lambda: shop.replicas, "a count in spite of the owner", for_s=2)
    shop.cluster.scale(shop.namespace, "web", 1)
    shop.scaled(5)


def test_a_zero_by_a_person_ends_with_resume(shop: Shop) -> None:
    shop.open(2)
    daemon = shop.daemon(minimum=2).start()
    until(lambda: daemon.workload()["desired"] == 2, "the daemon has decided")
    shop.cluster.scale(shop.namespace, "web", 0)
    until(lambda: daemon.workload()["reason"] == "held_zero_by_owner", "the zero is told")
    daemon.cli("resume", "web")
    shop.scaled(2)


def test_a_cut_while_data_is_missing_is_raised_to_what_we_ordered_last(shop: Shop) -> None:
    shop.open(1)
    daemon = shop.daemon().start()
    shop.load(400)
    shop.scaled(4)
    shop.gauges.drop("load")
    until(lambda: daemon.workload()["missing"], "nothing is read")
    shop.cluster.scale(shop.namespace, "web", 2)
    shop.scaled(4)
    said = "somebody else (kubectl) changed the count from 4 to 2"
    until(lambda: any(said in line["text"] for line in lines(daemon)), "the hand is named")
    shop.cluster.scale(shop.namespace, "web", 0)
    until(lambda: daemon.workload()["reason"] == "held_zero_by_owner", "a zero is respected all the same")
    never(lambda: shop.replicas, "a count in spite of the owner", for_s=2)


def test_a_raise_by_a_person_is_held_and_above_the_maximum_comes_down_to_it(shop: Shop) -> None:
    shop.open(2)
    daemon = shop.daemon().start()
    until(lambda: daemon.workload()["desired"] == 2, "the daemon has decided")
    shop.cluster.scale(shop.namespace, "web", 4)
    until(lambda: daemon.workload()["current"] == 4, "the raise is seen")
    never(lambda: shop.replicas != 4, "a raise taken back at once", for_s=3)
    shop.cluster.scale(shop.namespace, "web", 9)
    until(lambda: shop.replicas == 6, "the policy's maximum is law")
    never(lambda: shop.replicas != 6, "a raise taken back at once", for_s=2)


def test_a_count_that_is_cut_again_and_again_is_contested_and_not_fought(shop: Shop) -> None:
    shop.open(4)
    daemon = shop.daemon().start()
    until(lambda: daemon.workload()["desired"] == 4, "the daemon has decided")
    for _ in range(2):
        shop.cluster.scale(shop.namespace, "web", 2)
        shop.scaled(4)
    shop.cluster.scale(shop.namespace, "web", 2)
    until(lambda: daemon.workload()["reason"] == "contested", "it is a contest")
    assert "kubectl" in daemon.workload()["because"]
    changes = shop.changes
    never(lambda: shop.changes > changes, "a raise within the minute", for_s=4)
