"""What follows: steps with reasons, and the decision they add up to."""

from __future__ import annotations

import enum

import msgspec

from autoscaler.model.signal import Reading
from autoscaler.model.target import WorkloadRef


class Stage(enum.Enum):
    """The stages of one decision, in the order they are taken."""

    CONTROL = "control"
    STATE = "state"
    SIGNAL = "signal"
    COMBINE = "combine"
    IDLE = "idle"
    BEHAVIOR = "behavior"
    GUARD = "guard"
    BOUND = "bound"
    RECYCLE = "recycle"


class Reason(enum.Enum):
    """Why a count changed or did not. Stable words: the same in logs, metrics, API, explain and pull requests."""

    # one signal
    ABOVE_TARGET = "above_target"
    BELOW_TARGET = "below_target"
    WITHIN_TOLERANCE = "within_tolerance"
    ON_TARGET = "on_target"
    ON_STEP = "on_step"
    AT_MOST = "at_most"
    SIGNAL_MISSING = "signal_missing"
    SIGNAL_WAIVED = "signal_waived"
    LAST_GOOD = "last_good"
    EXPECTS_MORE = "expects_more"
    EXPECTS_LESS = "expects_less"
    EXPECTS_SAME = "expects_same"
    UNPROVEN = "unproven"
    LEARNING = "learning"
    CAPACITY_UNKNOWN = "capacity_unknown"
    CAPACITY_LEARNING = "capacity_learning"
    CAPACITY_LEARNED = "capacity_learned"
    CAPACITY_SEEN = "capacity_seen"
    CAPACITY_LOWERED = "capacity_lowered"
    OBJECTIVE_COSTS = "objective_costs"
    OBJECTIVE_UNMET = "objective_unmet"
    WAKE_QUIET = "wake_quiet"
    WAKE_ABOVE = "wake_above"
    # several signals
    LARGEST_WISH = "largest_wish"
    ALL_ASK_FOR_MORE = "all_ask_for_more"
    ALL_ASK_FOR_LESS = "all_ask_for_less"
    NOT_ALL_AGREE = "not_all_agree"
    LAST_WISH = "last_wish"
    AWAITING_CYCLE = "awaiting_cycle"
    NO_OPINION = "no_opinion"
    NO_SIGNALS = "no_signals"
    # smoothing, speed and bounds
    STABILIZED_UP = "stabilized_up"
    STABILIZED_DOWN = "stabilized_down"
    RATE_LIMITED_UP = "rate_limited_up"
    RATE_LIMITED_DOWN = "rate_limited_down"
    CAPPED_AT_MAXIMUM = "capped_at_maximum"
    CAPPED_AT_QUOTA = "capped_at_quota"
    RAISED_TO_MINIMUM = "raised_to_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    BELOW_MINIMUM = "below_minimum"
    WINDOW_FLOOR = "window_floor"
    WINDOW_CEILING = "window_ceiling"
    AT_LEAST = "at_least"
    # idle
    IDLE = "idle"
    IDLE_SOON = "idle_soon"
    WOKEN = "woken"
    WOKEN_ON_DOUBT = "woken_on_doubt"
    WAKE_UNREAD = "wake_unread"
    # guards
    DOUBT = "doubt"
    RESEEDED = "reseeded"
    SETTLING = "settling"
    ROLLOUT = "rollout"
    ROLLOUT_SURPLUS = "rollout_surplus"
    NONE_READY = "none_ready"
    FLAPPING = "flapping"
    CONTESTED = "contested"
    CLAIMED_TWICE = "claimed_twice"
    FLEET_BRAKE = "fleet_brake"
    STATE_MISSING = "state_missing"
    STALE_STATE = "stale_state"
    # other hands
    FOREIGN_COUNT = "foreign_count"
    HELD_ZERO_BY_OWNER = "held_zero_by_owner"
    RESUMED = "resumed"
    RELEASED = "released"
    OTHER_AUTOSCALER = "other_autoscaler"
    ADOPTING = "adopting"
    PAUSED = "paused"
    PAUSED_BY_ANNOTATION = "paused_by_annotation"
    PAUSE_UNREADABLE = "pause_unreadable"
    OVERRIDE = "override"
    OBSERVED = "observed"
    BUSY = "busy"
    # recycling
    UNHEALTHY = "unhealthy"
    NEVER_READY = "never_ready"
    EXITED = "exited"
    OOM_KILLS = "oom_kills"
    RESTARTS = "restarts"
    OUTLIER = "outlier"
    MEMORY_GROWTH = "memory_growth"
    CONFIG_CHANGED = "config_changed"
    IMAGE_CHANGED = "image_changed"
    TOO_OLD = "too_old"
    RECYCLE_UNREAD = "recycle_unread"
    RECYCLE_BUDGET = "recycle_budget"
    RECYCLE_UNAVAILABLE = "recycle_unavailable"
    RECYCLE_WINDOW = "recycle_window"
    RECYCLE_BREAKER = "recycle_breaker"
    RECYCLE_FLEET = "recycle_fleet"
    RECYCLE_WAITS = "recycle_waits"
    RECYCLE_BACKOFF = "recycle_backoff"
    RECYCLE_GIVEN_UP = "recycle_given_up"


# Why an instance is due for replacement: it does not serve as it should, or it does and is not what it should be.
SICK = frozenset(
    {
        Reason.UNHEALTHY, Reason.NEVER_READY, Reason.EXITED, Reason.OOM_KILLS, Reason.RESTARTS, Reason.OUTLIER,
        Reason.MEMORY_GROWTH,
    }
)  # fmt: skip
STALE = frozenset({Reason.CONFIG_CHANGED, Reason.IMAGE_CHANGED, Reason.TOO_OLD})

Fact = str | int | float | bool | None


class Step(msgspec.Struct, frozen=True, gc=False):
    """One stage's before, after and reason; `facts` are the numbers the sentence is made of."""

    stage: Stage
    before: int
    after: int
    reason: Reason
    facts: dict[str, Fact] = {}


class Replacement(msgspec.Struct, frozen=True, gc=False):
    """One instance to put a new one in place of, and why. `serves` where it is ready all the same."""

    instance: str
    name: str
    reason: Reason
    for_s: float = 0.0
    lineage: str = ""
    serves: bool = False


class Beside(msgspec.Struct, frozen=True, gc=False):
    """What the other algorithm would have, from the count it stands at in the shadow: nobody acts on it."""

    algorithm: str
    current: int
    desired: int
    reason: Reason
    steps: tuple[Step, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All steps of one workload in one cycle, the count they lead to, and the instances to replace.

    `current` is the count decided from, `desired` the count to have; `act` is False where the policy only observes
    or a control holds everything. `reason` is the code of the step that settled it. `beside` is what the other
    algorithm would have, where the policy compares the two.
    """

    ref: WorkloadRef
    policy: str
    at: float
    current: int
    desired: int
    reason: Reason
    steps: tuple[Step, ...]
    act: bool = True
    replace: tuple[Replacement, ...] = ()
    readings: tuple[tuple[str, Reading], ...] = ()
    beside: Beside | None = None

    @property
    def changes(self) -> bool:
        """True when the count should change."""
        return self.desired != self.current
