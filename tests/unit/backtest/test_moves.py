"""Moves: what about a policy can be tuned, and that a try changes one key and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.backtest.honesty import treatments
from autoscaler.backtest.moves import Try, knobs, tries, untunable
from autoscaler.backtest.replay import acting
from autoscaler.decide.plan import Plan
from autoscaler.policy.load import Text, load, read
from autoscaler.policy.words import dotted
from autoscaler.targets.naming import named

WEB = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 40}
signals:
  - {name: requests, prometheus: "sum(rate(r[1m]))", per_replica: 50}
"""


def plans(texts: Sequence[Text]) -> list[Plan]:
    return [acting(named(policy), policy) for policy in load(texts, "r").policies]


def tried(*texts: str, most: int = 100) -> tuple[list[Try], list[str]]:
    files = [(f"{place}.yaml", text) for place, text in enumerate(texts)]
    return tries(files, read(files).loaded[0], plans, most)


def keys(text: str) -> list[str]:
    (policy,) = load([("web.yaml", text)], "r").policies
    return [dotted(knob.path) for knob in knobs(policy)]


def told(text: str) -> list[str]:
    (policy,) = load([("web.yaml", text)], "r").policies
    return untunable(policy, treatments(policy))


def test_targets_minimum_and_behavior_can_be_tuned() -> None:
    assert keys(WEB) == [
        "signals[0].per_replica",
        "behavior.down.stabilization",
        "replicas.min",
        "behavior.up.stabilization",
        "behavior.down.tolerance",
        "behavior.up.tolerance",
        "behavior.down.rates",
        "behavior.up.rates",
    ]


def test_written_rates_are_tuned_by_their_speed_and_utilization_by_its_share() -> None:
    text = WEB + "  - {name: cpu, resource: cpu, utilization: 70%}\n"
    text += "behavior: {up: {rates: [{replicas: 4, per: 15s}]}, down: {rates: [{percent: 10, per: 1m}]}}\n"
    found, _ = tried(text)
    values: dict[tuple[str, str], list[str]] = {}
    for each in found:
        values.setdefault((each.change.key, each.change.before), []).append(each.change.after)
    assert values["cpu.utilization", "70%"] == ["88%", "56%", "77%", "63%", "45%", "35%"], "105 % is no share"
    assert values["behavior.up.rates[0].replicas", "4"] == ["2", "8"]
    assert values["behavior.down.rates[0].percent", "10"] == ["5", "20"]
    assert values["requests.per_replica", "50"] == ["62", "40", "55", "45", "75", "32", "100", "25", "150"]


def test_each_try_is_the_policy_its_text_loads_as_with_one_key_changed() -> None:
    found, stuck = tried(WEB)
    assert stuck == []
    assert len(found) > 20
    for each in found:
        (plan,) = plans([("0.yaml", each.text)])
        assert plan == each.plan
        assert each.text != WEB


def test_a_small_budget_still_looks_at_every_key() -> None:
    found, _ = tried(WEB, most=9)
    assert len({each.change.key for each in found}) == 8
    assert [each.change.after for each in found[:2]] == ["62", "40"], "a target is tried up and down"


def test_a_key_that_changes_others_with_it_is_not_tuned_and_that_is_said() -> None:
    text = WEB.replace("min: 2", "min: &few 2") + "labels: {few: *few}\n"
    found, stuck = tried(text)
    assert "replicas.min" not in {each.change.key for each in found}
    assert stuck == [
        "replicas.min is not tuned: where it is written it cannot be changed alone (an alias, or a list in defaults)"
    ]


def test_a_map_that_stands_for_another_by_an_alias_is_not_tuned() -> None:
    text = WEB + "behavior: {up: &both {stabilization: 4m}, down: *both}\n"
    found, stuck = tried(text)
    assert {each.change.key for each in found} == {"requests.per_replica", "replicas.min"}
    assert stuck[0].startswith("behavior.down.stabilization is not tuned")


def test_values_that_a_rule_forbids_are_not_tried() -> None:
    text = WEB.replace("min: 2, max: 40", "min: 2, max: 3")
    assert {each.change.after for each in tried(text)[0] if each.change.key == "replicas.min"} == {"3", "1"}


def test_other_policies_of_the_same_file_stay_as_they_are() -> None:
    other = WEB.replace("name: web", "name: api").replace("service: web", "service: api")
    found, _ = tried(f"{WEB}---\n{other}")
    assert {each.plan.workload.policy.name for each in found} == {"web"}
    assert all(each.text.endswith(f"---\n{other}") for each in found)


def test_what_cannot_be_tuned_is_said() -> None:
    steps = WEB.replace("per_replica: 50", "steps: [{above: 10, replicas: 2}]")
    assert told(steps) == [
        "requests is not tuned: of steps no single number is the target",
        "no target of this policy can be tuned",
    ]
    wakes = WEB + "  - {name: door, prometheus: 'sum(rate(d[1m]))', wake_above: 0}\n"
    assert "door is not tuned: wake_above only wakes, it has no target" in told(wakes + "idle: {after: 10m}\n")
    slow = WEB + "  - {name: p90, prometheus: 'histogram_quantile(0.9, rate(b[1m]))', value: 300ms}\n"
    assert told(slow)[0].startswith("p90 is not tuned, the replay leaves it out: a value per instance or a latency")
    legacy = WEB + "behavior: legacy\n"
    assert told(legacy) == ["behavior is not tuned: legacy has no values of its own"]
    assert keys(legacy) == ["signals[0].per_replica", "replicas.min"]
    assert told(WEB) == []
