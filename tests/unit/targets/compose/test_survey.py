"""Services by selectors: found by the labels of their containers, known for a while after, never our own."""

from __future__ import annotations

from typing import Any

from autoscaler.model.policy import ComposeTarget, Policy, TargetSpec
from autoscaler.targets.compose.hands import Key
from autoscaler.targets.compose.specs import Spec, Specs, reduced
from autoscaler.targets.compose.survey import GRACE_S, Survey
from tests.unit.targets.compose.records import P, record

NOW = 1000.0


def policy(project: str = "*", service: str | None = None, **selector: str) -> Policy:
    target = ComposeTarget(project=project, service=service, selector=selector)
    return Policy(name="p", target=TargetSpec(compose=target))


def listed(project: str, service: str, *, id: str = "a" * 64, **labels: str) -> dict[str, Any]:
    return {"Id": id, "Labels": {f"{P}project": project, f"{P}service": service, **labels}}


SHOP = [listed("shop", "web", team="red"), listed("shop", "db"), listed("blog", "web", team="red", tier="front")]


def survey(*, ours: frozenset[Key] = frozenset(), own: str = "", specs: Specs | None = None) -> Survey:
    return Survey(specs or Specs(), ours.__contains__, own)


def test_a_selector_finds_by_all_its_labels_in_one_project_or_in_all() -> None:
    made = survey()
    made.look(SHOP, NOW)
    assert made.found(policy(team="red")) == [("blog", "web"), ("shop", "web")]
    assert made.found(policy(team="red", tier="front")) == [("blog", "web")]
    assert made.found(policy("shop", team="red")) == [("shop", "web")]
    assert made.found(policy(team="blue")) == []


def test_a_service_in_every_project_is_found_by_its_name() -> None:
    made = survey()
    made.look(SHOP, NOW)
    assert made.found(policy(service="web")) == [("blog", "web"), ("shop", "web")]


def test_labels_of_two_containers_do_not_add_up() -> None:
    made = survey()
    made.look([listed("shop", "web", team="red"), listed("shop", "web", tier="front")], NOW)
    assert made.found(policy(team="red", tier="front")) == []
    assert made.found(policy(tier="front")) == [("shop", "web")]


def test_what_is_gone_is_known_for_ten_minutes_and_found_again_when_it_comes_back() -> None:
    made = survey()
    made.look(SHOP, NOW)
    made.look([], NOW + GRACE_S - 1)
    assert len(made.found(policy(team="red"))) == 2
    made.look([], NOW + GRACE_S)
    assert made.found(policy(team="red")) == []
    made.look(SHOP, NOW + GRACE_S + 1)
    assert len(made.found(policy(team="red"))) == 2


def test_one_at_zero_by_our_order_stays_known() -> None:
    made = survey(ours=frozenset([("shop", "web")]))
    made.look(SHOP, NOW)
    made.look([], NOW + 10 * GRACE_S)
    assert made.found(policy(team="red")) == [("shop", "web")]


async def test_the_next_daemon_knows_one_at_zero_by_what_is_remembered() -> None:
    specs = Specs()
    told = reduced(record(labels={"team": "red"}))
    await specs.keep(
        Spec(project="shop", service="web", config_hash="h", record=told, since=NOW, kept=NOW, zero_at=NOW)
    )
    made = survey(ours=frozenset([("shop", "web")]), specs=specs)
    made.look([], NOW + 5)
    assert made.found(policy(team="red")) == [("shop", "web")]
    stranger = survey(specs=specs)
    stranger.look([], NOW + 5)
    assert stranger.found(policy(team="red")) == []


def test_the_service_we_run_in_and_one_off_runs_are_not_found() -> None:
    made = survey(own="0123456789ab")
    mine = listed("tools", "autoscaler", id="0123456789ab" + "0" * 52, team="red")
    once = listed("shop", "job", team="red", **{f"{P}oneoff": "True"})
    made.look([mine, once, {"Id": "b" * 64, "Labels": {"team": "red"}}], NOW)
    assert made.found(policy(team="red")) == []
