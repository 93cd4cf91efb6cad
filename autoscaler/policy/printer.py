"""A parsed query → text again, as it is or with identity labels lifted out of its selectors. Pure.

The parser's own printer is not used: it does not escape, and prints `x[5m:]` as `x[5m]`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from autoscaler.policy.promql import HOLE, matcher, matchers, quoted


def printed(node: Any, names: frozenset[str]) -> str:
    """A node as text, with these labels lifted out of its selectors into every `by` and `on`; none: as it is.

    Raises ValueError with a reason for what is not printed.
    """
    kind = kind_of(node)
    if kind == "NumberLiteral":
        return number(node.val)
    if kind == "StringLiteral":
        return quoted(node.val)
    if kind == "ParenExpr":
        return f"({printed(node.expr, names)})"
    if kind == "UnaryExpr":
        return f"-{printed(node.expr, names)}"
    if kind == "VectorSelector":
        return _selector(node, names) + _moved(node)
    if kind == "MatrixSelector":
        read = node.vector_selector
        return f"{_selector(read, names)}[{_span(node.range)}]{_moved(read)}"
    if kind == "SubqueryExpr":
        step = "" if node.step is None else _span(node.step)
        return f"{printed(node.expr, names)}[{_span(node.range)}:{step}]{_moved(node)}"
    if kind == "Call":
        return f"{node.func.name}({', '.join(printed(each, names) for each in node.args)})"
    if kind == "AggregateExpr":
        inside = [printed(each, names) for each in (node.param, node.expr) if each is not None]
        return f"{node.op}{_by(node.modifier, names)} ({', '.join(inside)})"
    if kind == "BinaryExpr":
        return f"{printed(node.lhs, names)} {node.op}{_on(node, names)} {printed(node.rhs, names)}"
    raise ValueError("it has words that cannot be printed")


def _selector(node: Any, names: frozenset[str]) -> str:
    inside = [matcher(*each) for each in matchers(node) if each[0] not in names or each[1] != "="]
    if names:
        inside = [HOLE, *sorted(inside)]
    return f"{node.name or ''}{{{', '.join(inside)}}}" if inside else str(node.name)


def _by(modifier: Any, names: frozenset[str]) -> str:
    if modifier is None:
        return f" by ({', '.join(sorted(names))})" if names else ""
    if str(modifier.type) == "AggModifierType.By":
        return f" by ({_listed(modifier.labels, set(modifier.labels) | names, names)})"
    return f" without ({_listed(modifier.labels, set(modifier.labels) - names, names)})"


def _on(node: Any, names: frozenset[str]) -> str:
    modifier = node.modifier
    if modifier is None:
        return ""
    said = " bool" if modifier.return_bool else ""
    matching = modifier.matching
    if matching is None:
        return said
    if str(matching.type) == "LabelModifierType.Include":
        said += f" on ({_listed(matching.labels, set(matching.labels) | names, names)})"
    else:
        said += f" ignoring ({_listed(matching.labels, set(matching.labels) - names, names)})"
    sides = {"VectorMatchCardinality.ManyToOne": "group_left", "VectorMatchCardinality.OneToMany": "group_right"}
    side = sides.get(str(modifier.card))
    return said if side is None else f"{said} {side} ({', '.join(modifier.group_labels or ())})"


def _listed(written: Sequence[str], lifted: set[str], names: frozenset[str]) -> str:
    return ", ".join(sorted(lifted) if names else written)


def _moved(node: Any) -> str:
    said = ""
    if node.at is not None:
        kind = str(node.at.type)
        if kind == "AtModifierType.At":
            raise ValueError("@ with a time is not followed")
        said = " @ start()" if kind == "AtModifierType.Start" else " @ end()"
    return said if node.offset is None else f"{said} offset {_span(node.offset)}"


def _span(span: timedelta) -> str:
    """A duration of PromQL.

    >>> _span(timedelta(minutes=1)), _span(timedelta(milliseconds=-1500))
    ('60s', '-1500ms')
    """
    whole = span // timedelta(milliseconds=1)
    sign, whole = ("-", -whole) if whole < 0 else ("", whole)
    return f"{sign}{whole // 1000}s" if whole % 1000 == 0 else f"{sign}{whole}ms"


def number(value: float) -> str:
    """A number of PromQL."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def kind_of(node: Any) -> str:
    """What a node is, by the parser's own word."""
    return type(node).__name__
