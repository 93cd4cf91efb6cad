"""What was imported behaves: ScaledObjects as their owners know them, on virtual time and through `step()`."""

from __future__ import annotations

from typing import Any

from autoscaler.policy.importers import keda
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.text import policies
from autoscaler.policy.load import load
from tests.scenarios.story import ON_KUBERNETES, Story
from tests.support.manifests import cron, prometheus, scaled_object


def imported(*triggers: dict[str, Any], count: int = 1, start: str | float = 1_000_000.0, **spec: Any) -> Story:
    turned = keda.turn([("so.yaml", scaled_object(*triggers, **spec))], Wanted(), "default", [])
    (policy,) = load([("policies.yaml", policies(turned))], "r").policies
    return Story(policy, count=count, ref=ON_KUBERNETES, start=start)


def test_office_hours_alone_raise_the_count_and_bring_it_back() -> None:
    story = imported(cron(), minReplicaCount=1, start="2026-06-01T07:55 Europe/Berlin")
    assert story.run_until("2026-06-01T08:00 Europe/Berlin", "0") == "1x20"
    assert story.run_until("2026-06-01T18:00 Europe/Berlin", "0") == "6x2400"
    story.run_until("2026-06-01T18:10 Europe/Berlin", "0")
    assert story.count == 1


def test_office_hours_over_a_minimum_of_zero_end_in_sleep_and_wake_by_the_clock() -> None:
    story = imported(cron(), start="2026-06-01T17:55 Europe/Berlin", count=6)
    story.run_until("2026-06-01T18:00 Europe/Berlin", "0")
    assert story.count == 6
    story.run_until("2026-06-01T18:30 Europe/Berlin", "0")
    assert story.count == 0
    story.run_until("2026-06-02T07:59 Europe/Berlin", "0")
    assert story.count == 0
    story.run_until("2026-06-02T08:01 Europe/Berlin", "0")
    assert story.count == 6


def test_a_queue_puts_its_workers_to_sleep_after_the_cooldown_and_wakes_them_above_the_activation() -> None:
    queue = prometheus(query="sum(queue_depth)", threshold=5, activationThreshold="2")
    story = imported(queue, cooldownPeriod=120, count=2)
    story.run("2x60")
    assert story.count == 0
    assert story.run("2x4 3x1") == "0x4 1x1", "2 is not above 2"
    assert story.run("40x2")[-3:] == "8x1", "with 4 more in 15 s as an HPA without behavior"


def test_an_empty_answer_is_zero_unless_the_owner_said_otherwise() -> None:
    careless = imported(prometheus(), minReplicaCount=1, count=5)
    careless.run("500x40 nonex80")
    assert careless.count == 1
    careful = imported(prometheus(ignoreNullValues="false"), minReplicaCount=1, count=5)
    careful.run("500x40 nonex80")
    assert careful.count == 5


def test_a_fallback_raises_while_data_is_missing_and_never_shrinks() -> None:
    fallback = {"failureThreshold": 3, "replicas": 6}
    few = imported(prometheus(), minReplicaCount=1, fallback=fallback, count=2)
    few.run("200x10 downx5")
    assert few.count == 6
    many = imported(prometheus(), minReplicaCount=1, fallback=fallback, count=9)
    many.run("900x10 downx80")
    assert many.count == 9
