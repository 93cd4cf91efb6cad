"""What needs a person, and what is said of it."""

from __future__ import annotations

import enum

import msgspec


class Kind(enum.Enum):
    """What may need a person, the most urgent first."""

    STATE_MISSING = "state_missing"
    STUCK = "stuck"
    SHORT_AT_MAX = "short_at_max"
    CAPPED_AT_QUOTA = "capped_at_quota"
    CONTESTED = "contested"
    PAUSE_UNREADABLE = "pause_unreadable"
    FLEET_BRAKE = "fleet_brake"
    GIVEN_UP = "given_up"
    BREAKER_OPEN = "breaker_open"
    POLICIES_REJECTED = "policies_rejected"
    LEADER_FLAPPING = "leader_flapping"
    STORE_FAILING = "store_failing"
    DATA_MISSING = "data_missing"
    NEVER_READY = "never_ready"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that needs a person. `workload` is its key, empty for what is the daemon's own; `text` says what is."""

    kind: Kind
    text: str
    workload: str = ""
    policy: str = ""
    labels: dict[str, str] = {}

    @property
    def id(self) -> str:
        """The same as long as it is the same problem."""
        return f"{self.kind.value} {self.workload}"


class Status(enum.Enum):
    """What is said: that there is one, that it is over, that it is still there."""

    PROBLEM = "problem"
    RESOLVED = "resolved"
    STILL = "still"


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to send: problems of one kind of which the same is said, the first few of `count`.

    `id` is the same when the same is sent again. `told` are the ids of all that it speaks of.
    """

    id: str
    at: float
    status: Status
    kind: Kind
    count: int
    problems: tuple[Problem, ...]
    told: frozenset[str] = frozenset()
