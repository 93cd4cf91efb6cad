"""Keys of the language that do not work yet: refused by name, so that nobody believes in a key that does nothing."""

from __future__ import annotations

from autoscaler.model import policy

LATER: dict[type, frozenset[str]] = {
    policy.Policy: frozenset(
        [
            "every",
            "idle",
            "combine",
            "schedule",
            "algorithm",
            "compare",
            "objective",
            "parity",
            "swarm",
            "cleanup",
            "defaults",
        ]
    ),
    policy.TargetSpec: frozenset({"swarm"}),
    policy.ComposeTarget: frozenset({"engine", "selector"}),
    policy.KubernetesTarget: frozenset({"apiVersion", "selector", "cluster"}),
    policy.Signal: frozenset(
        [
            "server",
            "resource",
            "container",
            "push",
            "reduce",
            "steps",
            "wake_above",
            "capacity",
            "at_most",
            "plausible",
            "coverage",
            "empty",
            "nan",
            "failed",
        ]
    ),
    policy.Behavior: frozenset({"reversals"}),
    policy.Lifecycle: frozenset({"before_stop", "warm_up"}),
    policy.Recycle: frozenset(["how", "unavailable", "budget", "breaker", "windows", "method"]),
    policy.When: frozenset(
        [
            "never_ready_after",
            "restarts",
            "oom_kills",
            "exited",
            "older_than",
            "image_changed",
            "config_changed",
            "memory_growth",
            "outlier",
        ]
    ),
}
