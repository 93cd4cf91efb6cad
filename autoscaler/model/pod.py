"""What a pod says beyond what every instance does: what it requests, and how far it has come."""

from __future__ import annotations

import msgspec


class Container(msgspec.Struct, frozen=True, gc=False):
    """A container's requests by resource, in thousandths of a core or byte.

    `restart_always` makes an init container a sidecar.
    """

    name: str
    requests: dict[str, int] = {}
    restart_always: bool = False


class PodFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`ready` is True, False or Unknown as the API has it, None without such a condition; `started` None before that.

    `requests` are those written at the pod itself.
    """

    phase: str
    ready: str | None
    started: float | None
    containers: tuple[Container, ...] = ()
    init_containers: tuple[Container, ...] = ()
    requests: dict[str, int] = {}
    overhead: dict[str, int] = {}
