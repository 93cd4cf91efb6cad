"""Numbers of the HPA: thousandths in 64 bits, counts in 32, ratios in doubles, division that cuts towards zero.

No decimal and no fraction anywhere: 11 / 5 * 25 is 55.00000000000001 in doubles, so 56 replicas and not 55.
"""

from __future__ import annotations

import math

MOST_REPLICAS = 2**31 - 1
LEAST_REPLICAS = -MOST_REPLICAS
MOST_MILLI = 2**63 - 1
PAST_MILLI = 2.0**63  # as a double: to compare one with a long integer takes as long as all the rest
NOISE = 1e-6  # thousandths: a billionth of the unit, the finest that a quantity can say

Tolerance = tuple[float, float]  # down, up


def milli(value: float) -> int:
    """A reading in thousandths; what is finer is rounded away from zero, but for the noise of binary fractions.

    >>> [milli(v) for v in (1.5, 0.0001, -0.0001, 0.1 + 0.2, 4e300)]
    [1500, 1, -1, 300, 9223372036854775807]
    """
    exact = value * 1000.0
    if not -PAST_MILLI < exact < PAST_MILLI:
        return MOST_MILLI if exact > 0 else -MOST_MILLI
    near = round(exact)
    if abs(exact - near) <= NOISE + abs(exact) * 1e-13:
        return near
    return math.ceil(exact) if exact > 0 else math.floor(exact)


def cut(part: int, whole: int) -> int:
    """Integer division that cuts towards zero.

    >>> cut(-7, 2), cut(7, 2)
    (-3, 3)
    """
    return part // whole if (part >= 0) == (whole > 0) else -(-part // whole)


def quotient(part: int, whole: int) -> float:
    """Both as doubles, then divided: infinite or not a number where there is nothing to divide by."""
    if whole:
        return float(part) / float(whole)
    return math.copysign(math.inf, part) if part else math.nan


def up(count: float) -> int:
    """The ceiling of a count, kept within 32 bits; not a number is 0."""
    if LEAST_REPLICAS <= count <= MOST_REPLICAS:
        return math.ceil(count)
    return 0 if count != count else MOST_REPLICAS if count > 0 else -MOST_REPLICAS


def within(ratio: float, tolerance: Tolerance) -> bool:
    """Near enough to 1 to be left alone; both edges included.

    >>> within(1.1, (0.1, 0.1)), within(0.9, (0.1, 0.1)), within(1.11, (0.1, 0.1))
    (True, True, False)
    """
    down, upwards = tolerance
    return 1.0 - down <= ratio <= 1.0 + upwards


def fraction(thousandths: int) -> float:
    """A tolerance written in thousandths: multiplied, because a division differs in the last bit for some.

    >>> fraction(9), 9 / 1000
    (0.009000000000000001, 0.009)
    """
    return thousandths * 0.001
