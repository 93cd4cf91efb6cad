"""Objects that are worth knowing and not needed: followed where that is allowed and they exist, said once where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_watch import Listing, Reflector
from autoscaler.errors import Forbidden, Gone, TargetError
from autoscaler.ports import Clock

R = TypeVar("R")

DENIED_S = 300.0  # how often it is tried again what is not allowed, or not there


def aside(
    api: KubernetesApi,
    clock: Clock,
    listing: Listing[R],
    changed: Callable[[str, R | None], None],
    *,
    lost: Callable[[], None],
    said: Callable[[str], None],
    without: str,
) -> Reflector[R]:
    """A watch that may be in vain. `lost` is called where nothing of it can be known: a right is missing, which is
    `said` once together with what is not known `without` it, or there is no such kind here. Once it works again, all of
    it is told again.
    """
    told: list[str] = []

    def failed(error: TargetError) -> None:
        if not isinstance(error, Gone | Forbidden):
            return  # the API server is away, or lets nobody in: what is known stays
        lost()
        watch.forget()
        if isinstance(error, Forbidden) and not told:
            told.append(without)
            said(f"{without}: {error}")

    watch = Reflector(api, clock, listing, changed, failed=failed, works=told.clear, denied_s=DENIED_S)
    return watch
