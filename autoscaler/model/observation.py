"""One look: what a cycle decides from."""

from __future__ import annotations

import msgspec

from autoscaler.model.policy import Policy, Signal
from autoscaler.model.signal import Missing, Reading
from autoscaler.model.target import Instance, TargetState, WorkloadRef


class Override(msgspec.Struct, frozen=True):
    """A count set by a person until a time."""

    count: int
    until: float
    by: str = ""
    why: str = ""


class Pause(msgspec.Struct, frozen=True):
    """Hands off until a time (None: until resumed)."""

    since: float
    until: float | None = None
    by: str = ""
    why: str = ""

    def holds(self, now: float) -> bool:
        """Whether it is in force at this time."""
        return self.until is None or now < self.until


class Workload(msgspec.Struct, frozen=True):
    """One scaled thing and the policy that applies to it, with what people said about it.

    `resumed` is when somebody said last that it may run again.
    """

    ref: WorkloadRef
    policy: Policy
    pause: Pause | None = None
    override: Override | None = None
    resumed: float | None = None


class Ask(msgspec.Struct, frozen=True):
    """One question to a source: a signal of a workload, with the instances that should be in the answer.

    `query` is the signal's query with its placeholders filled in. A `voucher` only asks whether a fresh result is
    there (the query of `zero_if`): any series will do. `apart` wants a point for each instance, not one value.
    """

    ref: WorkloadRef
    signal: Signal
    query: str = ""
    instances: tuple[Instance, ...] = ()
    voucher: bool = False
    apart: bool = False


class Seen(msgspec.Struct, frozen=True, gc=False):
    """What one cycle saw of one workload: readings in the order of the policy's signals.

    `vouchers` are the readings of `zero_if` queries by the signal's name, `measured` those that only say who is due for
    replacement, by what they are for (none between two cycles). `state.desired` is never None here. `busy`
    says that a count of ours is not carried out yet, `removing` that instances of ours are on their way out,
    `replacing` which instances are being replaced.
    """

    state: TargetState | Missing
    readings: tuple[Reading, ...] = ()
    vouchers: dict[str, Reading] = {}
    measured: dict[str, Reading] = {}
    busy: bool = False
    removing: bool = False
    replacing: tuple[str, ...] = ()
