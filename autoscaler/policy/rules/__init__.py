"""What the types alone cannot say: rules across keys, each with a sentence, a place and a way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from autoscaler.model import policy
from autoscaler.policy.convert import Fault
from autoscaler.policy.rules import cleanup, recycle, shape, signal, target, whole, window

RULES: dict[type, tuple[Callable[[Any], Iterator[Fault]], ...]] = {
    policy.Cleanup: (cleanup.cleanup,),
    policy.ComposeTarget: (shape.one_of, target.compose),
    policy.Fallback: (shape.one_of,),
    policy.KubernetesTarget: (shape.one_of, target.kubernetes),
    policy.Objective: (whole.objective,),
    policy.Opening: (window.opening,),
    policy.Plausible: (signal.plausible,),
    policy.Policy: (
        whole.policy,
        whole.adaptive,
        whole.named,
        whole.signals,
        whole.idle,
        whole.lifecycle,
        recycle.recycle,
        window.schedule,
    ),
    policy.Pull: (recycle.pull,),
    policy.Push: (signal.push,),
    policy.Rate: (shape.one_of,),
    policy.Replicas: (whole.replicas,),
    policy.Scope: (shape.one_of,),
    policy.Signal: (shape.one_of, signal.source, signal.goal, signal.words),
    policy.TargetSpec: (shape.one_of,),
    policy.When: (recycle.when,),
    policy.Window: (window.window,),
}


def faults(struct: object) -> Iterator[Fault]:
    """What is wrong with one struct of a policy as a whole."""
    for rule in RULES.get(type(struct), ()):
        yield from rule(struct)
