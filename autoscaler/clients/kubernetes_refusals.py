"""What an API server said instead of doing it, as one of our errors in words that help."""

from __future__ import annotations

import re

import msgspec

from autoscaler.clients.kubernetes_wire import Resource, Status
from autoscaler.errors import Conflict, Forbidden, Gone, Refused, TargetError, Unreachable

MEASURED = "metrics.k8s.io"  # a group that knows no watch
_decode_status = msgspec.json.Decoder(Status).decode
_NOT_ALLOWED = re.compile(r'cannot (\w+) resource "([^"]+)" in API group "([^"]*)"')
_BUDGET = re.compile(r"disruption budget ([^ ]+)")


class Asked(msgspec.Struct, frozen=True):
    """What was asked for, in the words of RBAC."""

    verb: str
    resource: Resource
    namespace: str
    name: str = ""
    subresource: str = ""

    @property
    def words(self) -> str:
        """The request for people.

        >>> Asked("patch", Resource("apps/v1", "deployments"), "shop", "web", "scale").words
        'patch deployments/scale shop/web'
        """
        if self.name:
            return f"{self.verb} {self.what} {self.namespace}/{self.name}"
        what = self.what or f"what there is of {self.resource.group_version}"
        return f"{self.verb} {what} in {self.namespace or 'all namespaces'}"

    @property
    def what(self) -> str:
        """Plural and subresource, as a rule names them."""
        return f"{self.resource.plural}/{self.subresource}" if self.subresource else self.resource.plural


def refusal(asked: Asked, code: int, content: bytes, retry_after: str | None = None) -> TargetError:
    """The error that an answer other than success is."""
    try:
        status = _decode_status(content)
    except msgspec.DecodeError:
        status = Status(message=content[:200].decode(errors="replace").strip())
    said = f"{asked.words}: {status.message or 'no reason given'} ({code})"
    if code in (404, 410):
        return Gone(said)
    if code == 409:
        return Conflict(said)
    if code == 422 and asked.verb == "patch" and not status.details.causes:
        # A failed `test` of a JSON patch has neither words nor causes; an invalid object always names its fields.
        return Conflict(f"{asked.words}: the count is not what it was")
    if code == 429:
        return _busy(asked, status, retry_after)
    if code == 403:
        return Forbidden(said, hint=_rule(asked, status.message))
    if code >= 500 and "more than one PodDisruptionBudget" not in status.message:
        return Unreachable(said, retry_after_s=_seconds(retry_after))
    return Refused(said)


def _busy(asked: Asked, status: Status, retry_after: str | None) -> TargetError:
    budget = next((cause for cause in status.details.causes if cause.reason == "DisruptionBudget"), None)
    if asked.subresource == "eviction" and budget is not None:
        found = _BUDGET.search(budget.message)
        named = f"PodDisruptionBudget {asked.namespace}/{found.group(1)}" if found else "a PodDisruptionBudget"
        return Refused(
            f"pdb_blocks_unhealthy: {named} does not let pod {asked.namespace}/{asked.name} be evicted: "
            f"{budget.message or status.message}",
            hint="set unhealthyPodEvictionPolicy: AlwaysAllow in it, so that pods which do not serve may be replaced",
        )
    wait = _seconds(retry_after)
    if wait is None:
        wait = status.details.retry_after_seconds
    return Unreachable(f"{asked.words}: the API server is busy (429)", retry_after_s=wait)


def _rule(asked: Asked, message: str) -> str:
    """The RBAC rule to add; empty where an admission webhook refused, not RBAC.

    >>> print(_rule(Asked("patch", Resource("apps/v1", "deployments"), "shop", "web", "scale"),
    ...     'cannot patch resource "deployments/scale" in API group "apps" in the namespace "shop"'))
    add this rule to the Role in namespace shop:
      - apiGroups: ["apps"]
        resources: ["deployments/scale"]
        verbs: ["patch"]
    """
    found = _NOT_ALLOWED.search(message)
    if found is None:
        return ""
    verb, what, group = found.groups()
    return _told(asked.namespace, verb, what, group)


def rule(asked: Asked) -> str:
    """The RBAC rule that allows it, in the same words."""
    return _told(asked.namespace, asked.verb, asked.what, asked.resource.group)


def _told(namespace: str, verb: str, what: str, group: str) -> str:
    both = verb in ("list", "watch") and group != MEASURED  # everything else that we list we watch as well
    verbs = '"list", "watch"' if both else f'"{verb}"'
    role = f"Role in namespace {namespace}" if namespace else "ClusterRole"
    return f'add this rule to the {role}:\n  - apiGroups: ["{group}"]\n    resources: ["{what}"]\n    verbs: [{verbs}]'


def _seconds(written: str | None) -> float | None:
    try:
        return max(0.0, float(written)) if written else None
    except ValueError:
        return None
