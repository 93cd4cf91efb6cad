"""One scalar of a file → a number in its unit, or a sentence and a hint why it is none."""

from __future__ import annotations

import re

from msgspec import inspect

from autoscaler.policy.nodes import Node
from autoscaler.policy.units import fraction, quantity, seconds
from autoscaler.policy.words import expected, got, thousandth

Number = inspect.IntType | inspect.FloatType
Refused = tuple[str, str]  # what is wrong, and a way out


def number(node: Node, kind: Number, unit: str) -> float | int | Refused:
    """The value: seconds, a fraction, cores or bytes, or plain; else what is wrong with it, and a way out."""
    made = _READERS[unit](node, kind)
    if isinstance(made, str):
        return f"expected {expected(kind, unit)}, got {got(node)}", made
    if not _within(kind, made):
        return f"expected {expected(kind, unit)}, got {got(node)}", ""
    return made


def _within(kind: Number, made: float) -> bool:
    return (
        made == made
        and made not in (float("inf"), float("-inf"))
        and (kind.ge is None or made >= kind.ge)
        and (kind.gt is None or made > kind.gt)
        and (kind.le is None or made <= kind.le)
        and (kind.lt is None or made < kind.lt)
    )


def _amount(node: Node) -> float | int | None:
    value = node.value
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _text(node: Node) -> str:
    return "" if isinstance(node.value, (tuple, dict)) else node.text


def _plain(node: Node, kind: Number) -> float | int | str:
    value = _amount(node)
    if value is None:
        text = _text(node)
        if thousandth(text):
            return f"{thousandth(text)} m as a thousandth is only for Kubernetes quantities beside resource:"
        return "a plain number, without quotes or a sign" if re.fullmatch(r"[0-9.]+%?", text) else ""
    if isinstance(kind, inspect.FloatType):
        return float(value)
    if not abs(value) <= 1e15 or value != int(value):
        return ""
    return int(value)


def _duration(node: Node, kind: Number) -> float | str:
    made = seconds(_text(node))
    if made is not None:
        return made
    return f"{node.text}s?" if _amount(node) is not None else "one number and one of ms s m h d: 90m"


def _percent(node: Node, kind: Number) -> float | str:
    made, value = fraction(_text(node)), _amount(node)
    if made is not None:
        return made
    if value is None:
        return ""
    return f"{value * 100:g}% or {value:g}%?" if value <= 1 else f"{value:g}%?"


def _number(node: Node, kind: Number) -> float | str:
    """A number, or a duration in seconds: never 300m, which may be meant either way."""
    value = _amount(node)
    if value is not None:
        return float(value)
    hint = thousandth(_text(node))
    made = None if hint else seconds(_text(node))
    return hint if made is None else made


def _quantity(node: Node, kind: Number) -> float | str:
    value = _amount(node)
    if value is not None:
        return float(value)
    made = quantity(_text(node))
    return "500m is half a core, 256Mi are bytes" if made is None else made


_READERS = {"": _plain, "duration": _duration, "percent": _percent, "number": _number, "quantity": _quantity}
