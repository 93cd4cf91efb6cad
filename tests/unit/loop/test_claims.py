"""Several policies for one workload: who steers it."""

from __future__ import annotations

from autoscaler.loop.claims import claimed
from autoscaler.model.policy import ComposeTarget, Policy, Replicas, Signal, TargetSpec
from autoscaler.model.target import WorkloadRef

WEB = WorkloadRef("compose", "shop", "service", "web")


def policy(name: str, *, selector: bool = True, low: int = 1) -> Policy:
    named = ComposeTarget(project="shop", selector={"tier": "web"}) if selector else None
    return Policy(
        name=name,
        target=TargetSpec(compose=named or ComposeTarget(project="shop", service="web")),
        replicas=Replicas(min=low, max=9),
        signals=(Signal(name="load", prometheus="load", per_replica=1.0),),
    )


def test_one_policy_one_claim() -> None:
    (claim,) = claimed([(WEB, policy("a"))], {})
    assert (claim.policy.name, claim.refused, claim.disputed) == ("a", (), False)
    assert claim.plan().claimed_by == ()


def test_an_explicit_target_beats_a_selector_without_a_word() -> None:
    (claim,) = claimed([(WEB, policy("a")), (WEB, policy("b", selector=False))], {WEB.key: "a"})
    assert (claim.policy.name, claim.refused) == ("b", ())


def test_who_steers_it_keeps_it_and_the_newcomer_is_refused_by_name() -> None:
    (claim,) = claimed([(WEB, policy("a", low=5)), (WEB, policy("b"))], {WEB.key: "b"})
    assert (claim.policy.name, claim.refused, claim.disputed) == ("b", ("a",), False)
    assert claim.sentence() == f"claimed_twice: {WEB.key} is steered by policy b; refused: a"


def test_when_nobody_knows_who_steered_it_nothing_shrinks() -> None:
    (claim,) = claimed([(WEB, policy("a")), (WEB, policy("b", low=3))], {})
    assert (claim.policy.name, claim.plan().claimed_by) == ("b", ("a",))
