"""Several policies for one workload: who steers it."""

from __future__ import annotations

import msgspec

from autoscaler.decide.memory import Memory, fingerprint
from autoscaler.decide.step import step
from autoscaler.loop.claims import Claim, claimed
from autoscaler.model.decision import Reason
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Capacity, ComposeTarget, Objective, Policy, Replicas, Signal, TargetSpec
from autoscaler.model.signal import Missing, MissingWhy, Point, Series
from autoscaler.model.target import TargetState, WorkloadRef

WEB = WorkloadRef("compose", "shop", "service", "web")


def policy(name: str, *, selector: bool = True, low: int = 1, high: int = 9, carries: float = 1.0) -> Policy:
    named = ComposeTarget(project="shop", selector={"tier": "web"}) if selector else None
    return Policy(
        name=name,
        target=TargetSpec(compose=named or ComposeTarget(project="shop", service="web")),
        replicas=Replicas(min=low, max=high),
        signals=(Signal(name="load", prometheus="load", per_replica=carries),),
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


def wish(claim: Claim, loads: dict[str, float], *, running: int) -> tuple[int, list[Reason]]:
    """What is decided under this claim; a load that is not given is missing."""
    plan = claim.plan()
    readings = tuple(
        Series((Point(loads[name]),)) if name in loads else Missing(MissingWhy.EMPTY, "no series")
        for name in plan.signals
    )
    memories: dict[str, Memory] = {}
    for now in range(0, 900, 15):  # longer than any window
        state = TargetState(ref=WEB, desired=running, existing=running, ready=running, at=now)
        stepped = step([plan], [Seen(state=state, readings=readings)], memories, now)
        memories = stepped.memories
    (decision,) = stepped.decisions
    return decision.desired, [each.reason for each in decision.steps]


def test_of_two_that_nobody_knows_the_larger_wish_wins_each_within_its_own_maximum() -> None:
    (claim,) = claimed([(WEB, policy("a", high=4)), (WEB, policy("b", carries=10.0, high=20))], {})
    assert claim.plan().signals == ("a/load", "b/load")
    assert wish(claim, {"a/load": 3.0, "b/load": 70.0}, running=4)[0] == 7
    assert wish(claim, {"a/load": 900.0, "b/load": 10.0}, running=2)[0] == 4, "a asks for no more than its maximum"
    assert wish(claim, {"b/load": 70.0}, running=4)[0] == 7, "doubt about one still lets it grow by the other"
    count, reasons = wish(claim, {"a/load": 1.0, "b/load": 1.0}, running=6)
    assert count == 6
    assert Reason.CLAIMED_TWICE in reasons


def test_signals_of_two_that_name_others_still_name_their_own() -> None:
    told = Signal(name="load", prometheus="load", per_replica=1.0, capacity=Capacity.LEARN, busy="cpu", served="out")
    told = msgspec.structs.replace(told, latency="took")
    beside = (Signal(name="cpu", prometheus="cpu"), Signal(name="out", prometheus="out"))
    aim = Objective(good="out", total="load", target=0.99)
    learns = [msgspec.structs.replace(policy(name), signals=(told, *beside), objective=aim) for name in ("a", "b")]
    (claim,) = claimed([(WEB, each) for each in learns], {})
    plan = claim.plan()
    asked = {each.name: each for each in plan.workload.policy.signals}
    assert (asked["a/load"].busy, asked["b/load"].served) == ("a/cpu", "b/out")
    assert asked["b/load"].latency == "b/took"
    together = plan.workload.policy.objective
    assert together is not None
    assert together.good in asked
    assert together.total in asked


def test_the_larger_minimum_holds_for_both() -> None:
    (claim,) = claimed([(WEB, policy("a")), (WEB, policy("b", low=3))], {})
    assert wish(claim, {"a/load": 1.0, "b/load": 1.0}, running=1)[0] == 3


def test_after_a_restart_the_memory_tells_whose_signals_steered_it() -> None:
    a, b = policy("a"), policy("b", carries=10.0)
    (claim,) = claimed([(WEB, a), (WEB, b)], {}, {WEB.key: fingerprint(b)})
    assert (claim.policy.name, claim.refused, claim.disputed) == ("b", ("a",), False)
    same = msgspec.structs.replace(b, name="a")
    (claim,) = claimed([(WEB, same), (WEB, b)], {}, {WEB.key: fingerprint(b)})
    assert claim.disputed, "both have these signals"
