"""Keys of the language that do not work yet: refused by name, so that nobody believes in a key that does nothing."""

from __future__ import annotations

from autoscaler.model import policy

LATER: dict[type, frozenset[str]] = {
    policy.TargetSpec: frozenset({"swarm"}),
    policy.KubernetesTarget: frozenset({"cluster"}),
}
