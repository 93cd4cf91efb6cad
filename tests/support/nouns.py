"""Small whole nouns for tests: every argument that does not matter to the story has a value already."""

from __future__ import annotations

from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.observation import Workload
from autoscaler.model.policy import ComposeTarget, Placed, Policy, PolicySet, Replicas, Signal, TargetSpec
from autoscaler.model.signal import Reading
from autoscaler.model.target import Instance, TargetState, WorkloadRef
from autoscaler.ports import Record, RecordKind


def ref(name: str = "web", namespace: str = "shop") -> WorkloadRef:
    return WorkloadRef("compose", namespace, "service", name)


def policy(name: str = "web", *, at_most: int = 10, namespace: str = "shop", service: str | None = None) -> Policy:
    return Policy(
        name=name,
        target=TargetSpec(compose=ComposeTarget(project=namespace, service=service or name)),
        replicas=Replicas(max=at_most),
        signals=(Signal(name="requests", prometheus="sum(rate(requests[1m]))", per_replica=100),),
    )


def workload(name: str = "web", namespace: str = "shop", policy_name: str | None = None) -> Workload:
    return Workload(ref(name, namespace), policy(policy_name or name, namespace=namespace, service=name))


def policy_set(*workloads: Workload, revision: str = "r1") -> PolicySet:
    return PolicySet(
        revision,
        tuple(Placed(each.policy, "policies/web.yaml", number) for number, each in enumerate(workloads, start=1)),
    )


def decision(
    name: str = "web",
    *,
    at: float = 1000.0,
    current: int = 2,
    desired: int = 2,
    reason: Reason = Reason.WITHIN_TOLERANCE,
    readings: tuple[tuple[str, Reading], ...] = (),
) -> Decision:
    facts = {"signal": "requests", "goal": "per_replica", "load": 550.0, "target": 100.0}
    step = Step(Stage.SIGNAL, current, desired, reason, facts)
    return Decision(
        ref=ref(name),
        policy=name,
        at=at,
        current=current,
        desired=desired,
        reason=reason,
        steps=(step,),
        readings=readings,
    )


def state(name: str = "web", *, existing: int = 2, ready: int | None = None, at: float = 1000.0) -> TargetState:
    ready = existing if ready is None else ready
    return TargetState(
        ref=ref(name),
        desired=None,
        existing=existing,
        ready=ready,
        at=at,
        instances=tuple(
            Instance(id=f"id{n}", name=f"{name}-{n}", created=at - 60, ready=n <= ready, since=at - 30)
            for n in range(1, existing + 1)
        ),
    )


def record(at: float, workload: str = "", text: str = "", made: Decision | None = None) -> Record:
    return Record(at=at, kind=RecordKind.DECISION, workload=workload, text=text, decision=made)
