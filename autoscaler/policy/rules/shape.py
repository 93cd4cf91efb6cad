"""Maps of which exactly one key of several is written; the JSON Schema says the same."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.model import policy
from autoscaler.policy.convert import Fault

SOURCES = ("prometheus", "scrape", "push", "resource")

# The keys, what they are called together, and what to do about none and about several.
ONE_OF: dict[type, tuple[tuple[str, ...], str, str, str]] = {
    policy.ComposeTarget: (
        ("service", "selector"),
        "",
        "add service: NAME, or selector: {LABEL: VALUE}",
        "a service is named, or found by its labels",
    ),
    policy.Fallback: (("last_good", "at_least"), "", "add last_good: 5m", "keep one of them"),
    policy.KubernetesTarget: (
        ("name", "selector"),
        "",
        "add name: NAME, or selector: {LABEL: VALUE}",
        "a workload is named, or found by its labels",
    ),
    policy.Rate: (("replicas", "percent"), "", "add percent: 100", "two limits are two rates"),
    policy.Scope: (("namespace", "project"), "", "add namespace: NAME", "write two documents of defaults"),
    policy.Signal: (SOURCES, "source of ", "add prometheus: QUERY", "keep one; a second signal may have the other"),
    policy.TargetSpec: (
        tuple(policy.TargetSpec.__struct_fields__),
        "",
        "add compose: {project: NAME, service: NAME}",
        "write one policy per workload",
    ),
}


def written(struct: object, names: tuple[str, ...]) -> list[str]:
    """Which of these fields say something."""
    return [name for name in names if getattr(struct, name) not in (None, False, {}, ())]


def one_of(struct: object) -> Iterator[Fault]:
    """Exactly one of the keys."""
    names, noun, none, several = ONE_OF[type(struct)]
    found = written(struct, names)
    if len(found) != 1:
        said = f"expected exactly one {noun or 'of '}{', '.join(names)}, got {' and '.join(found) or 'none'}"
        yield (), said, several if found else none
