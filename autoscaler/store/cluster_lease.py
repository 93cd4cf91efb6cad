"""The lease of daemons in one cluster: a Lease object, renewed while it is held and taken over once it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clients.kubernetes_wire import LeaseObject, Resource
from autoscaler.errors import Conflict, Gone, LeaseError, TargetError
from autoscaler.ports import Clock

LEASES = Resource("coordination.k8s.io/v1", "leases")
DURATION_S = 15.0  # what a renewal promises; after so long without one another daemon takes over
ADDRESS = "autoscaler/address"  # the annotation with the URL of the holder's API


class ClusterLease:
    """The Lease `name` in `namespace`, held as `identity`, which no other process may ever have had.

    `address` is the URL of the API of this daemon, for those that stand by; empty where they cannot reach it.

    Time is measured by this process's own steady clock from when it saw a renewal, so clocks of other machines do not
    matter. What is promised counts from before the request that got it. Raises LeaseError when it cannot be asked for.
    """

    def __init__(
        self, api: KubernetesApi, clock: Clock, namespace: str, name: str, identity: str, address: str = ""
    ) -> None:
        self._api = api
        self._clock = clock
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._own_address = address
        self._until = 0.0  # by the steady clock: ours until then
        self._holder: str | None = None
        self._address = ""
        self._version = ""  # of our own last renewal: while it is the newest, nobody else has written
        self._seen: tuple[str, str, str] | None = None  # the last renewal of somebody else
        self._seen_at = 0.0
        self._seen_lasts_s = DURATION_S

    async def hold(self) -> bool:
        """Take or renew it; False where somebody else has it, whom `holder` names then."""
        asked = self._clock.monotonic()
        try:
            holder = await self._renew() or await self._take(asked)
        except Conflict:  # somebody was faster
            holder = None
        except TargetError as error:
            raise LeaseError(f"lease {self._namespace}/{self._name}: {error}") from None
        self._holder = holder
        self._until = asked + DURATION_S if holder == self._identity else 0.0
        return holder == self._identity

    def holder(self) -> str | None:
        """Who had it when `hold` last asked; None before, and after `release`."""
        return self._holder

    def address(self) -> str:
        """The URL of the API of whom `holder` names, where that one told it."""
        return self._address

    def remaining(self) -> float:
        """Seconds for which it is surely ours still; 0 where it is not."""
        return max(0.0, self._until - self._clock.monotonic())

    async def release(self) -> None:
        """Give it up at once, so that the next need not wait. A server that is away will see it run out."""
        ours, self._until, self._holder, self._version = self.remaining() > 0, 0.0, None, ""
        if not ours:
            return
        try:
            found = await self._found()
            if found is not None and found.spec.holder_identity == self._identity:
                meta = {"resourceVersion": found.metadata.resource_version}
                change = {"metadata": meta, "spec": {"holderIdentity": "", "leaseDurationSeconds": 1}}
                await self._api.merge(LEASES, self._namespace, self._name, change, LeaseObject)
        except TargetError:
            return

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    async def _renew(self) -> str | None:
        """One request while nobody else has written; None where it is not surely ours any more."""
        if not self._version:
            return None
        version, self._version = self._version, ""
        change = {"metadata": {"resourceVersion": version}, "spec": {"renewTime": self._time()}}
        try:
            made = await self._api.merge(LEASES, self._namespace, self._name, change, LeaseObject)
        except (Conflict, Gone):
            return None
        self._version = made.metadata.resource_version
        return self._identity

    async def _take(self, now: float) -> str:
        """Take it where nobody has it; who has it then."""
        found = await self._found()
        if found is None:
            body = {"metadata": {"name": self._name, **self._noted()}, "spec": self._spec(0)}
            made = await self._api.create(LEASES, self._namespace, body, LeaseObject)
        elif found.spec.holder_identity not in ("", self._identity) and not self._over(found, now):
            self._address = found.metadata.annotations.get(ADDRESS, "")
            return found.spec.holder_identity
        else:
            spec = self._spec(found.spec.lease_transitions + (found.spec.holder_identity != self._identity))
            meta = {"resourceVersion": found.metadata.resource_version, **self._noted()}
            change = {"metadata": meta, "spec": spec}
            made = await self._api.merge(LEASES, self._namespace, self._name, change, LeaseObject)
        self._version, self._address = made.metadata.resource_version, self._own_address
        return self._identity

    async def _found(self) -> LeaseObject | None:
        try:
            return await self._api.get(LEASES, self._namespace, self._name, LeaseObject)
        except Gone:
            return None

    def _over(self, found: LeaseObject, now: float) -> bool:
        """Whether its holder let it run out, as far as this process has seen."""
        spec = found.spec
        renewal = spec.holder_identity, spec.renew_time, found.metadata.resource_version
        if renewal != self._seen:
            self._seen, self._seen_at = renewal, now
            self._seen_lasts_s = max(spec.lease_duration_seconds, DURATION_S)
        return now - self._seen_at > self._seen_lasts_s

    def _noted(self) -> dict[str, Any]:
        return {"annotations": {ADDRESS: self._own_address or None}}  # none takes that of the one before away

    def _spec(self, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": round(DURATION_S),
            "acquireTime": self._time(),
            "renewTime": self._time(),
            "leaseTransitions": transitions,
        }

    def _time(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
