"""Services that selectors find: by the labels of their containers, on the whole engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoscaler.model.policy import ComposeTarget as Named
from autoscaler.model.policy import Policy
from autoscaler.model.policy.target import EVERY
from autoscaler.targets.compose.container import ONEOFF, PROJECT, SERVICE
from autoscaler.targets.compose.hands import Key
from autoscaler.targets.compose.specs import Specs

GRACE_S = 600.0  # a service without any container is known so long: a deployment takes all of them away at times

Labels = Mapping[str, str]


class Survey:
    """Remembers what was there when; times are seconds since the epoch.

    `ours` says of a service without containers whether that is our own order's doing: then it stays known.
    """

    def __init__(self, specs: Specs, ours: Callable[[Key], bool], own: str = "") -> None:
        self._specs = specs
        self._ours = ours
        self._own = own
        self._seen: dict[Key, tuple[list[Labels], float]] = {}

    def look(self, listed: Sequence[Mapping[str, Any]], now: float) -> None:
        """Take in a list of every container of every project."""
        there: dict[Key, list[Labels]] = {}
        not_ours_to_scale: set[Key] = set()
        for each in listed:
            labels: Labels = each.get("Labels") or {}
            key = labels.get(PROJECT, ""), labels.get(SERVICE, "")
            if not all(key) or labels.get(ONEOFF) == "True":
                continue
            there.setdefault(key, []).append(labels)
            if self._own and str(each["Id"]).startswith(self._own):
                not_ours_to_scale.add(key)
        self._seen = {key: seen for key, seen in self._seen.items() if now - seen[1] < GRACE_S or self._ours(key)}
        self._seen |= {key: (labels, now) for key, labels in there.items() if key not in not_ours_to_scale}
        for spec in self._specs:  # those at zero since before this process began
            key = spec.project, spec.service
            if key not in self._seen and self._ours(key):
                self._seen[key] = [spec.labels], now

    def found(self, policy: Policy) -> list[Key]:
        """The services a policy's target stands for, in order."""
        target = policy.target.compose
        assert target is not None
        return sorted(key for key, (labels, _) in self._seen.items() if _fits(target, key, labels))


def _fits(target: Named, key: Key, labels: Sequence[Labels]) -> bool:
    project, service = key
    if target.project not in (EVERY, project):
        return False
    if target.service is not None:
        return target.service == service
    return any(target.selector.items() <= dict(each).items() for each in labels)
