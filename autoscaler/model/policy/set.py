"""Everything that is in force, and the places it was read from."""

import msgspec

from autoscaler.model.policy.cleanup import Cleanup
from autoscaler.model.policy.policy import Policy


class Placed(msgspec.Struct, frozen=True):
    """A policy with the place it was read from: `file:line`."""

    policy: Policy
    file: str
    line: int


class PlacedCleanup(msgspec.Struct, frozen=True):
    """A clean-up with the place it was read from: `file:line`."""

    cleanup: Cleanup
    file: str
    line: int


class PolicySet(msgspec.Struct, frozen=True):
    """Everything that loaded as one whole, and the revision it came from."""

    revision: str
    placed: tuple[Placed, ...] = ()
    cleanups: tuple[PlacedCleanup, ...] = ()

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies without their places."""
        return tuple(each.policy for each in self.placed)
