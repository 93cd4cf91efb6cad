"""Texts with units: durations as seconds, percents as fractions, Kubernetes quantities as numbers.

Reading and printing are exact inverses: both reckon in decimals, as people do.
"""

from __future__ import annotations

import re
from decimal import Decimal

_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_SIZES = {
    "m": Decimal("0.001"),
    "": Decimal(1),
    **{unit: Decimal(1000) ** power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{unit: Decimal(1024) ** power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}
_PLAIN = r"([0-9]{1,400}(?:\.[0-9]{1,400})?)"
_DURATION = re.compile(_PLAIN + "(ms|s|m|h|d)")
_PERCENT = re.compile(_PLAIN + "%")
_QUANTITY = re.compile(_PLAIN + f"({'|'.join(sorted(_SIZES, key=len, reverse=True))})")

# The same as patterns of a JSON Schema. A number may be a duration, but never 300m, which may be meant either way.
PATTERNS = {
    "duration": f"^{_DURATION.pattern}$",
    "percent": f"^{_PERCENT.pattern}$",
    "quantity": f"^{_QUANTITY.pattern}$",
    "number": f"^{_PLAIN}(ms|s|h|d)$",
}


def seconds(text: str) -> float | None:
    """A duration in seconds; None for what is not one.

    >>> seconds("250ms"), seconds("5m"), seconds("1.5h"), seconds("5 minutes")
    (0.25, 300.0, 5400.0, None)
    """
    found = _DURATION.fullmatch(text)
    return float(Decimal(found[1]) * _SECONDS[found[2]]) if found else None


def fraction(text: str) -> float | None:
    """A percentage as a fraction; None for what is not one.

    >>> fraction("70%"), fraction("0.7")
    (0.7, None)
    """
    found = _PERCENT.fullmatch(text)
    return float(Decimal(found[1]) / 100) if found else None


def quantity(text: str) -> float | None:
    """A Kubernetes quantity as cores or bytes; None for what is not one.

    >>> quantity("500m"), quantity("256Mi"), quantity("1G"), quantity("0.5"), quantity("5 MB")
    (0.5, 268435456.0, 1000000000.0, 0.5, None)
    """
    found = _QUANTITY.fullmatch(text)
    return float(Decimal(found[1]) * _SIZES[found[2]]) if found else None


def duration(span: float) -> str:
    """Seconds as the shortest text the language reads back.

    >>> duration(300), duration(90), duration(0.25), duration(0), duration(1.5), duration(0.0004)
    ('5m', '90s', '250ms', '0s', '1500ms', '0.4ms')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if span >= size and span % size == 0 and (unit != "d" or span > 86400 * 2):
            return f"{int(span / size)}{unit}"
    return "0s" if span == 0 else f"{_decimal(span, 1000)}ms"


def percent(part: float) -> str:
    """A fraction as a percentage.

    >>> percent(0.7), percent(0.125)
    ('70%', '12.5%')
    """
    return f"{_decimal(part, 100)}%"


def _decimal(number: float, times: int) -> str:
    text = format(Decimal(repr(number)) * times, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
