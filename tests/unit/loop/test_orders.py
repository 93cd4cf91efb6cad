"""How an instance is to go: a rollout is for the old and the changed."""

from __future__ import annotations

import pytest

from autoscaler.loop.orders import Orders
from autoscaler.model.decision import Reason, Replacement
from autoscaler.model.policy import KubernetesTarget, Method, Policy, Recycle, TargetSpec, When
from autoscaler.model.target import WorkloadRef

REF = WorkloadRef("kubernetes", "shop", "Deployment", "web")


@pytest.mark.parametrize(
    ("reason", "method"),
    [(Reason.TOO_OLD, "restart"), (Reason.IMAGE_CHANGED, "restart"), (Reason.UNHEALTHY, "evict"),
     (Reason.MEMORY_GROWTH, "evict")],
)  # fmt: skip
def test_the_old_and_changed_go_by_a_rollout_where_the_policy_says_so_and_the_sick_are_evicted(
    reason: Reason, method: str
) -> None:
    target = TargetSpec(kubernetes=KubernetesTarget(namespace="shop", name="web"))
    recycle = Recycle(when=When(older_than=60.0), method=Method.RESTART)
    policy = Policy(name="web", target=target, recycle=recycle)
    made = Orders().replacement(REF, Replacement("uid", "web-1", reason, 1.0), policy, 1000.0)
    assert made.method == method
