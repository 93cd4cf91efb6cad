"""Who acts: the lease, renewed again and again, and what is to be done once it was not surely ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from autoscaler.errors import LeaseError
from autoscaler.ports import Clock, Lease

LEASE_LOST = "lease_lost"
LEASE_UNASKED = "lease_unasked"


class Tenure:
    """Keeps the lease. Once it was lost, another process may have acted: what this one knows is old.

    `lost` lasts from then until what the others left has been taken up; `losses` counts. `fault` is told what went
    wrong and a word for it, `put_down` is awaited at every loss, `take_up` is called once the lease is ours again.
    """

    def __init__(
        self, lease: Lease, clock: Clock, every_s: float, *, fault: Callable[[str, str], None],
        put_down: Callable[[], Awaitable[None]], take_up: Callable[[], None],
    ) -> None:  # fmt: skip
        self.lost = False
        self.losses = 0
        self._lease = lease
        self._clock = clock
        self._every_s = every_s
        self._fault = fault
        self._put_down = put_down
        self._take_up = take_up
        self._unasked = False  # the lease could not be asked for
        self._taken_up = 0  # the loss after which what was left is taken up already

    def ours(self) -> bool:
        """True where this process may act."""
        return not self.lost and self._lease.remaining() > 0

    def made_good(self, losses: int) -> None:
        """What others left after so many losses has been taken up."""
        self.lost = losses != self.losses

    async def keep(self) -> None:
        """Renew it for as long as the process lives. One that was stopped notices here, too, when it goes on."""
        while True:
            await self._clock.sleep(self._every_s)
            await self.renew()

    async def renew(self) -> None:
        """Renew it once."""
        lapsed = self._lease.remaining() <= 0  # then somebody may have had it in between, whoever has it now
        held = await self._held()
        if lapsed or not held or self._lease.remaining() <= 0:
            if not self.lost:
                holder = self._lease.holder() or "another daemon"
                self._fault(f"the lease was lost to {holder}: nothing is done until it is ours again", LEASE_LOST)
            self.lost, self.losses = True, self.losses + 1
            await self._put_down()
        if held and self.lost and self._taken_up != self.losses:
            self._taken_up = self.losses
            self._take_up()

    async def _held(self) -> bool:
        """Whether it is ours. A lease that cannot be asked for is ours for as long as it was promised."""
        try:
            held = await self._lease.hold()
        except LeaseError as error:
            if not self._unasked:
                self._fault(f"the lease cannot be renewed: {error}", LEASE_UNASKED)
            self._unasked = True
            return self._lease.remaining() > 0
        self._unasked = False
        return held
