"""How fast a count may change: the behavior with its defaults, and the legacy that an HPA without one has."""

from __future__ import annotations

import enum

import msgspec

from autoscaler.decide.hpa.quantity import Tolerance


class Select(enum.Enum):
    """Which of several rates counts: the one that allows the biggest change, the smallest, or none at all."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class Rate(msgspec.Struct, frozen=True):
    """At most this much change in any `period_s` seconds: `replicas` or `percent`, exactly one."""

    period_s: float
    replicas: int | None = None
    percent: int | None = None


class Rules(msgspec.Struct, frozen=True):
    """One direction, nothing left open: seconds, a fraction, and at least one rate."""

    stabilization_s: float
    tolerance: float
    rates: tuple[Rate, ...]
    select: Select = Select.MAX

    @property
    def longest_period_s(self) -> float:
        """The longest period of its rates: events older than that no longer matter."""
        return max((rate.period_s for rate in self.rates), default=0.0)


DEFAULT_UP = Rules(0.0, 0.1, (Rate(15.0, replicas=4), Rate(15.0, percent=100)))
DEFAULT_DOWN = Rules(300.0, 0.1, (Rate(15.0, percent=100),))


class Behavior(msgspec.Struct, frozen=True):
    """Both directions."""

    up: Rules = DEFAULT_UP
    down: Rules = DEFAULT_DOWN

    @property
    def tolerance(self) -> Tolerance:
        """Down and up."""
        return self.down.tolerance, self.up.tolerance


class Legacy(msgspec.Struct, frozen=True):
    """`behavior: legacy`: growth to `factor` times the count at once, or to `minimum`; a window down; nothing else.

    It has the directions of a behavior, so that whoever asks for a window or a tolerance need not tell them apart;
    of these only `down.stabilization_s` and the tolerances count.
    """

    factor: float = 2.0
    minimum: float = 4.0
    up: Rules = DEFAULT_UP
    down: Rules = DEFAULT_DOWN

    @property
    def tolerance(self) -> Tolerance:
        """Down and up."""
        return self.down.tolerance, self.up.tolerance


LEGACY = Legacy()


def completed(
    default: Rules,
    *,
    stabilization_s: float | None = None,
    tolerance: float | None = None,
    rates: tuple[Rate, ...] | None = None,
    select: Select | None = None,
) -> Rules:
    """Rules as written, with the default for each field that was not; written rates replace all of the default's."""
    return Rules(
        default.stabilization_s if stabilization_s is None else stabilization_s,
        default.tolerance if tolerance is None else tolerance,
        default.rates if rates is None else rates,
        default.select if select is None else select,
    )
