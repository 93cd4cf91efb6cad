"""Rules of recycling: what a platform never shows is no cause there, and keys that only one platform has."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.model.policy import How, KubernetesTarget, Method, Policy, Pull, Recycle, When
from autoscaler.policy.convert import Fault
from autoscaler.policy.rules.query import placeholders
from autoscaler.policy.rules.shape import ONE_OF, written
from autoscaler.policy.rules.window import times

# Causes that a platform never gives, with the reason and what to write instead.
_NEVER = {
    "kubernetes": {
        "exited": ("the kubelet starts what ended again, by itself", "write restarts: {count: 5, per: 10m}"),
        "config_changed": ("its controller rolls out a new template by itself", "remove it"),
    },
    "process": {
        "exited": ("a worker that ended is started anew anyway", "remove it"),
        "restarts": ("workers are started anew, never restarted", "write never_ready_after: 1m"),
        "oom_kills": ("nobody tells why the kernel killed a worker", "write unhealthy_for: 30s"),
        "memory_growth": ("nothing measures the memory of single workers", "write older_than: 1d"),
        "image_changed": ("workers have no image", "write config_changed: true, which looks at command and env"),
    },
}


def when(when: When) -> Iterator[Fault]:
    """At least one cause."""
    if not written(when, when.__struct_fields__):
        yield (), "expected at least one cause, got none", "add unhealthy_for: 30s"


def pull(pull: Pull) -> Iterator[Fault]:
    """Times that come."""
    yield from times(pull.cron, pull.timezone)


def _restart(target: KubernetesTarget | None, asked: Recycle) -> Iterator[Fault]:
    """A rollout is for what serves, and for what rolls."""
    if not asked.when.image_changed and asked.when.older_than is None:
        said = "does nothing without older_than or image_changed: the sick are evicted one by one"
        yield ("recycle", "method"), f"restart {said}", "remove it"
    if target is not None and target.kind not in ("Deployment", "StatefulSet"):
        yield ("recycle", "method"), f"restart does not go with a {target.kind}: it does not roll", "remove it"


def recycle(policy: Policy) -> Iterator[Fault]:
    """What goes with the policy's target, and keys that need another."""
    asked = policy.recycle
    if asked is None:
        return
    platforms = written(policy.target, ONE_OF[type(policy.target)][0])
    platform = platforms[0] if len(platforms) == 1 else ""
    causes = written(asked.when, asked.when.__struct_fields__)
    for cause in causes:
        if cause in _NEVER.get(platform, {}):
            why, way_out = _NEVER[platform][cause]
            yield ("recycle", "when", cause), f"does not go with a {platform} target: {why}", way_out
    outlier = asked.when.outlier
    if platform and outlier is not None:
        yield from placeholders(platform, outlier.prometheus, ("recycle", "when", "outlier", "prometheus"))
    if asked.windows and not {"older_than", "image_changed", "config_changed"} & set(causes):
        said = "does nothing without older_than, image_changed or config_changed: the sick never wait for a window"
        yield ("recycle", "windows"), said, "remove it"
    if asked.pull is not None and platform == "kubernetes":
        said = "does not go with a kubernetes target: its nodes pull images when pods begin"
        yield ("recycle", "pull"), said, "remove it, and set imagePullPolicy: Always"
    elif asked.pull is not None and not asked.when.image_changed:
        said = "does nothing without image_changed: what is pulled replaces nobody"
        yield ("recycle", "pull"), said, "add image_changed: true to when"
    if platform == "kubernetes" and asked.how is not How.AUTO:
        said = "does not go with a kubernetes target: a pod's owner makes the next one once it is gone"
        yield ("recycle", "how"), said, "remove it"
    if asked.method is Method.RESTART and platform == "kubernetes":
        yield from _restart(policy.target.kubernetes, asked)
    if platform not in ("", "kubernetes") and asked.method is not Method.EVICT:
        yield ("recycle", "method"), f"does not go with a {platform} target: pods are evicted or deleted", "remove it"
