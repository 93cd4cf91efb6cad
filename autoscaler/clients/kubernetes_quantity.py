"""Quantities and durations as a cluster writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache

_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|ms|us|µs|ns|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}


@lru_cache(maxsize=65536)
def milli(text: str) -> int:
    """A quantity in thousandths; what is finer is rounded away from zero, as the HPA does. Raises ValueError.

    >>> milli("250m"), milli("12345678n"), milli("1Ki"), milli("2"), milli("1e3")
    (250, 13, 1024000, 2000, 1000000)
    """
    from kubernetes.utils.quantity import parse_quantity  # takes half a second to import, and only clusters need it

    parse: Callable[[str], Decimal] = parse_quantity
    exact = parse(text) * 1000
    return math.ceil(exact) if exact > 0 else math.floor(exact)


def seconds(text: str) -> float:
    """A duration as Go prints it, in seconds. Raises ValueError.

    >>> seconds("10.062s"), seconds("1m30s"), seconds("0s")
    (10.062, 90.0, 0.0)
    """
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"not a duration: {text}")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
