"""Documents of defaults: what policies inherit, and whose line a problem stands in."""

from __future__ import annotations

from autoscaler.model.policy import Mode, Policy, PolicySet
from autoscaler.policy.load import load
from tests.unit.policy.test_load import SMALLEST, problems

FLEET = """\
kind: defaults
mode: observe
labels: {team: core, tier: "1"}
behavior: {down: {stabilization: 10m, tolerance: 5%}}
recycle: {when: {unhealthy_for: 1m}}
"""
SHOP = "kind: defaults\nscope: {project: shop}\nlabels: {team: shop}\nbehavior: {down: {stabilization: 2m}}\n"
PROD = "kind: defaults\nscope: {namespace: prod}\nlabels: {team: prod}\n"
KUBERNETES = SMALLEST.replace("compose: {project: shop, service: web}", "kubernetes: {namespace: prod, name: web}")


def loaded(*texts: str) -> PolicySet:
    return load([(f"{number}.yaml", text) for number, text in enumerate(texts)], "r")


def only(*texts: str) -> Policy:
    (policy,) = loaded(*texts).policies
    return policy


def test_maps_merge_from_the_fleet_by_the_project_to_the_policy() -> None:
    own = SMALLEST + "labels: {tier: '2'}\nbehavior: {down: {tolerance: 20%}}\n"
    for texts in ((FLEET, SHOP, own), (own, SHOP, FLEET)):
        policy = only(*texts)
        assert policy.mode is Mode.OBSERVE
        assert policy.labels == {"team": "shop", "tier": "2"}
        assert (policy.behavior.down.stabilization, policy.behavior.down.tolerance) == (120.0, 0.2)  # type: ignore[union-attr]
        assert policy.recycle is not None


def test_they_may_stand_in_the_policys_own_file() -> None:
    assert only(f"{FLEET}---\n{SMALLEST}").mode is Mode.OBSERVE


def test_lists_and_words_replace() -> None:
    fleet = "kind: defaults\nsignals: [{name: cpu, resource: cpu, utilization: 70%}]\nbehavior: legacy\n"
    assert [each.name for each in only(fleet, SMALLEST).signals] == ["in flight"]
    without = SMALLEST[: SMALLEST.index("signals:")]
    assert [each.name for each in only(fleet, without).signals] == ["cpu"]
    policy = only(fleet, SMALLEST + "behavior: {up: {tolerance: 5%}}\n")
    assert policy.behavior.up.tolerance == 0.05  # type: ignore[union-attr]


def test_a_scope_is_for_its_own_and_for_nobody_else() -> None:
    assert only(PROD, KUBERNETES).labels == {"team": "prod"}
    assert only(PROD, SMALLEST).labels == {}
    assert only(SHOP, SMALLEST.replace("shop", '"*"', 1)).labels == {}
    worker = SMALLEST.replace("compose: {project: shop, service: web}", "process: {command: [x]}")
    assert only(FLEET, SHOP, PROD, worker).labels == {"team": "core", "tier": "1"}


def test_a_key_written_as_nothing_takes_a_default_away() -> None:
    policy = only(FLEET, SMALLEST + "recycle: ~\nlabels: {tier: ~}\n")
    assert policy.recycle is None
    assert policy.labels == {"team": "core"}
    assert only(FLEET, SHOP + "recycle: ~\n", SMALLEST).recycle is None
    assert (
        "recycle: expected a map of when, how, unavailable, budget, got nothing"
        in problems(SMALLEST + "recycle: ~\n")[0]
    )


def test_a_default_completes_what_the_policy_leaves_out() -> None:
    fleet = "kind: defaults\nreplicas: {max: 30}\nidle: {after: 1h}\n"
    text = SMALLEST.replace("max: 12", "").replace("2, }", "2}") + "idle: {on_doubt: wake}\n"
    policy = only(fleet, text.replace("per_replica: 8", "per_replica: 8\n    wake_above: 0"))
    assert policy.replicas is not None
    assert (policy.replicas.min, policy.replicas.max) == (2, 30)
    assert policy.idle is not None
    assert policy.idle.after == 3600.0


def test_a_problem_from_a_default_names_its_line_and_the_policy_that_uses_it() -> None:
    fleet = "kind: defaults\nidle: {after: 1h}\n"
    second = SMALLEST.replace("name: web", "name: api", 1).replace("service: web", "service: api")
    found = problems(fleet, f"{SMALLEST}---\n{second}")
    assert len(found) == 2
    assert all(each.startswith("0.yaml:2:7: idle: needs a signal with wake_above") for each in found)
    assert [each.split("used by ")[1].split(")")[0] for each in found] == ["api at 1.yaml:9", "web at 1.yaml:1"]


def test_what_is_wrong_with_defaults_alone_is_told_once_and_without_a_policy() -> None:
    fleet = "kind: defaults\nmode: obseve\nreplicas: {mx: 3}\nevery: 15\n"
    for texts in ((fleet,), (fleet, SMALLEST), (fleet, SHOP, SMALLEST)):
        found = problems(*texts)
        assert [each.split(": ")[0] for each in found] == ["0.yaml:2:7", "0.yaml:3:12", "0.yaml:4:8"]
        assert "used by" not in "".join(found)


def test_two_for_one_scope_are_refused() -> None:
    assert "1.yaml:1:1: defaults: there are others for the fleet at 0.yaml:1" in problems(FLEET, FLEET)[0]
    assert "there are others for project shop at 0.yaml:1" in problems(SHOP, SHOP)[0]
    assert loaded(SHOP, SHOP.replace("shop}", "other}")).placed == ()


def test_what_makes_a_policy_itself_is_no_default() -> None:
    assert "0.yaml:2:1: name: defaults have none" in problems("kind: defaults\nname: web\n")[0]
    assert "target: defaults have none" in problems("kind: defaults\ntarget: {}\n")[0]
    assert "scope: expected exactly one of namespace, project" in problems("kind: defaults\nscope: {}\n")[0]
    assert "scope.team: unknown key" in problems("kind: defaults\nscope: {team: a}\n")[0]
    assert "scope.namespace: expected text, got a list" in problems("kind: defaults\nscope: {namespace: [a]}\n")[0]
    assert "scope: unknown key" in problems(SMALLEST + "scope: {project: shop}\n")[0]
