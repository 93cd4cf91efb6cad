"""Texts with units: durations as seconds, percents as fractions."""

from __future__ import annotations

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


def seconds(text: str) -> float | None:
    """A duration in seconds; None for what is not one.

    >>> seconds("250ms"), seconds("5m"), seconds("1.5h"), seconds("5 minutes")
    (0.25, 300.0, 5400.0, None)
    """
    found = _DURATION.fullmatch(text)
    return round(float(found[1]) * _SECONDS[found[2]], 9) if found else None


def fraction(text: str) -> float | None:
    """A percentage as a fraction; None for what is not one.

    >>> fraction("70%"), fraction("0.7")
    (0.7, None)
    """
    found = _PERCENT.fullmatch(text)
    return float(found[1]) / 100 if found else None


def duration(span: float) -> str:
    """Seconds as the shortest text the language reads back.

    >>> duration(300), duration(90), duration(0.25), duration(0), duration(1.5), duration(0.0004)
    ('5m', '90s', '250ms', '0s', '1500ms', '0.4ms')
    """
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if span >= size and span % size == 0 and (unit != "d" or span > 86400 * 2):
            return f"{int(span / size)}{unit}"
    return "0s" if span == 0 else f"{span * 1000:.9g}ms"


def percent(part: float) -> str:
    """A fraction as a percentage.

    >>> percent(0.7), percent(0.125)
    ('70%', '12.5%')
    """
    return f"{part * 100:.9g}%"
