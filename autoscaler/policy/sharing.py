"""One query → a template that many queries can share, with the labels and values that tell this one from the others.

A label is *identity* where every selector of the query matches it by `=` with the same value. In the template its
matchers are gone and it is in every `by` and `on`, so that the answer to many such queries at once falls apart by it
into what each query alone would have given. Pure. What is not known to fall apart like that is refused with a reason.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from autoscaler.policy.promql import LABEL, TEXT, matcher, matchers, parsed, quoted

HOLE = "\0"  # where a template's identity matchers go
MARK = "\1"  # around the number of a value that stands for itself
DEEPEST = 100  # nodes above each other that are followed

# Values that a label is matched by with `=`, beside other strings and comments.
_EQUAL = re.compile(rf"(?P<equals>(?<![=!~<>])=\s*)\"(?P<value>[^\"\\\n]+)\"|{TEXT.pattern}", re.DOTALL)
_STRANGE = re.compile(rf"[{HOLE}{MARK}]|\\[xuU0-7]")
_MARKED = re.compile(rf"{MARK}(\d+){MARK}")

_AGGREGATIONS = {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile"}
_OF_EACH = {
    *("rate", "irate", "increase", "delta", "idelta", "deriv", "predict_linear", "changes", "resets"),
    *("avg_over_time", "min_over_time", "max_over_time", "sum_over_time", "count_over_time", "quantile_over_time"),
    *("stddev_over_time", "stdvar_over_time", "last_over_time", "present_over_time"),
    *("abs", "ceil", "floor", "round", "exp", "ln", "log2", "log10", "sqrt", "sgn"),
    *("clamp", "clamp_min", "clamp_max", "timestamp", "histogram_quantile"),
}
_SCALARS = {"time", "pi"}
_SETS = {"and", "or", "unless"}
# Labels that functions and aggregations read themselves.
_NEVER = {"__name__", "le", "quantile"}


class Shared(msgspec.Struct, frozen=True):
    """A query as one of many with the same template.

    `values` are those of the identity `labels`, which are in the order of their names; `kept` are those labels that
    the query's own answer would have. `otherwise` is the value of its only sample where the template finds nothing.
    """

    template: str
    labels: tuple[str, ...]
    values: tuple[str, ...]
    kept: frozenset[str]
    otherwise: str | None = None


class _Alone(Exception):
    """Why a query cannot share."""


@functools.lru_cache(maxsize=200_000)
def share(query: str) -> Shared | str:
    """How a query can be asked together with others; a sentence where it has to be asked alone.

    >>> share('sum(rate(requests_total{job="a"}[1m]))').template.replace(HOLE, "...")
    'sum by (job) (rate(requests_total{...}[60s]))'
    >>> share('absent(up{job="a"})')
    'absent() tells of series that are not there, and so not whose they are'
    """
    if _STRANGE.search(query):
        return "it has characters that are written by their number"
    values: dict[str, int] = {}

    def word(found: re.Match[str]) -> str:
        value = found["value"]
        if value is None:
            return found[0]
        return f'{found["equals"]}"{MARK}{values.setdefault(value, len(values))}{MARK}"'

    shape = _of_shape(_EQUAL.sub(word, query))
    if isinstance(shape, str):
        # A sentence may show the query.
        return _filled(shape, tuple(values)) if MARK in shape else shape
    written = tuple(values)
    return Shared(
        template=_filled(shape.template, written),
        labels=shape.labels,
        values=tuple(_filled(each, written) for each in shape.values),
        kept=shape.kept,
        otherwise=shape.otherwise,
    )


def _filled(text: str, values: Sequence[str]) -> str:
    return _MARKED.sub(lambda found: values[int(found[1])], text)


@functools.lru_cache(maxsize=10_000)
def _of_shape(query: str) -> Shared | str:
    """The same for a query with marks in place of values: how it is made does not depend on them."""
    tree = parsed(query)
    if isinstance(tree, str):
        return f"it cannot be parsed: {tree}"
    try:
        return _shared(tree)
    except _Alone as why:
        return str(why)


@functools.lru_cache(maxsize=1_000)
def together(template: str, labels: tuple[str, ...], values: tuple[tuple[str, ...], ...]) -> str | None:
    """The query that asks for all these values of identity labels at once; None where it is not PromQL after all."""
    inside: list[tuple[str, str, str]] = []
    for label, found in zip(labels, zip(*values, strict=True), strict=True):
        each = sorted(set(found))
        one = len(each) == 1
        inside.append((label, "=" if one else "=~", each[0] if one else "|".join(map(_literal, each))))
    query = template.replace(HOLE, ", ".join(matcher(*each) for each in inside))
    tree = parsed(query)
    if isinstance(tree, str):
        return None
    # What is asked is what was meant: every selector has just these matchers.
    as_meant = all(set(inside) <= set(matchers(each)) for each in _vectors(tree))
    return query if as_meant and _text(tree, frozenset()) == query else None


def _shared(tree: Any) -> Shared:
    _not_too_deep(tree)
    if repr(parsed(_text(tree, frozenset()))) != repr(tree):
        raise _Alone("it is not the same any more once it is printed")
    tree, otherwise = _without_default(tree)
    identity = _identity(tree)
    names = frozenset(identity)
    kept = _kept(tree, names)
    if kept is None:
        raise _Alone("it gives no series")
    labels = tuple(sorted(identity))
    shared = Shared(_text(tree, names), labels, tuple(identity[each] for each in labels), kept, otherwise)
    if together(shared.template, labels, (shared.values,)) is None:
        raise _Alone("its template cannot be printed")
    return shared


def _not_too_deep(tree: Any) -> None:
    """Raises where nodes are so far above each other that following them would end the process."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [below for node in level for below in _below(node)]
        if not level:
            return
    raise _Alone(f"it has more than {DEEPEST} operators inside each other")


def _below(node: Any) -> list[Any]:
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
    return [*(each for each in parts if each is not None), *getattr(node, "args", ())]


def _vectors(tree: Any) -> list[Any]:
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        waiting += _below(node)
        if _kind(node) == "VectorSelector":
            found.append(node)
    return found


def _identity(tree: Any) -> dict[str, str]:
    """The labels that every selector matches by `=` with the same value."""
    found: dict[str, str] | None = None
    try:
        every = [matchers(each) for each in _vectors(tree)]
    except ValueError as error:
        raise _Alone(str(error)) from None
    for one in every:
        equal = [(label, value) for label, operator, value in one if operator == "="]
        names = [label for label, _ in equal]
        mine = {
            label: value
            for label, value in equal
            if value and names.count(label) == 1 and label not in _NEVER and LABEL.fullmatch(label)
        }
        found = mine if found is None else {k: v for k, v in found.items() if mine.get(k) == v}
    if found is None:
        raise _Alone("it reads no series")
    if not found:
        raise _Alone("no label is matched by = with the same value in every selector")
    return found


def _without_default(tree: Any) -> tuple[Any, str | None]:
    """`X or vector(0)` → X and 0, where X has at most one sample, without labels: that is what it means."""
    while _kind(tree) == "ParenExpr":
        tree = tree.expr
    if _kind(tree) != "BinaryExpr" or str(tree.op) != "or" or tree.modifier.matching is not None:
        return tree, None
    default = tree.rhs
    if _kind(default) != "Call" or default.func.name != "vector" or _kind(default.args[0]) != "NumberLiteral":
        return tree, None
    value = default.args[0].val
    if not _bare(tree.lhs) or not math.isfinite(value):
        raise _Alone("or vector() stands beside series that have labels")
    return tree.lhs, _number(value)


def _bare(node: Any) -> bool:
    """True for what gives one sample without labels, or none."""
    kind = _kind(node)
    if kind in ("ParenExpr", "UnaryExpr"):
        return _bare(node.expr)
    if kind == "AggregateExpr":
        grouped = node.modifier
        return grouped is None or (str(grouped.type) == "AggModifierType.By" and not grouped.labels)
    if kind == "BinaryExpr":
        sides = [each for each in (node.lhs, node.rhs) if _kind(each) != "NumberLiteral"]
        return bool(sides) and all(map(_bare, sides))
    return False


def _kept(node: Any, names: frozenset[str]) -> frozenset[str] | None:
    """Which identity labels the samples of a node have where it is asked alone; None for a scalar.

    Raises for what does not fall apart by the identity labels.
    """
    kind = _kind(node)
    if kind == "NumberLiteral":
        return None
    if kind == "VectorSelector":
        return names
    if kind == "MatrixSelector":
        return _kept(node.vector_selector, names)
    if kind in ("ParenExpr", "UnaryExpr"):
        return _kept(node.expr, names)
    if kind == "SubqueryExpr":
        return _series(node.expr, names)
    if kind == "Call":
        return _of_call(node, names)
    if kind == "AggregateExpr":
        return _of_aggregation(node, names)
    if kind == "BinaryExpr":
        return _of_pair(node, names)
    raise _Alone("it has words that are not known to fall apart by labels")


def _series(node: Any, names: frozenset[str]) -> frozenset[str]:
    kept = _kept(node, names)
    if kept is None:
        raise _Alone("it makes series of a number")
    return kept


def _of_call(node: Any, names: frozenset[str]) -> frozenset[str] | None:
    name = node.func.name
    if name in _SCALARS:
        return None
    if name in ("absent", "absent_over_time"):
        raise _Alone(f"{name}() tells of series that are not there, and so not whose they are")
    if name in ("scalar", "vector"):
        raise _Alone(f"{name}() has no labels, so nobody could tell whose it is")
    if name not in _OF_EACH:
        raise _Alone(f"{name}() is not known to treat each series by itself")
    told = [kept for kept in (_kept(each, names) for each in node.args) if kept is not None]
    if len(told) != 1:
        raise _Alone(f"{name}() is not given just one set of series")
    return told[0]


def _of_aggregation(node: Any, names: frozenset[str]) -> frozenset[str]:
    if str(node.op) not in _AGGREGATIONS:
        raise _Alone(f"{node.op}() is not known to give the same for each where many are asked together")
    if node.param is not None and _kept(node.param, names) is not None:
        raise _Alone(f"the parameter of {node.op}() is read from series")
    kept, grouped = _series(node.expr, names), node.modifier
    if grouped is None:
        return frozenset()
    return kept & set(grouped.labels) if str(grouped.type) == "AggModifierType.By" else kept - set(grouped.labels)


def _of_pair(node: Any, names: frozenset[str]) -> frozenset[str] | None:
    left, right = _kept(node.lhs, names), _kept(node.rhs, names)
    if left is None or right is None:
        return right if left is None else left
    modifier = node.modifier
    if modifier is not None:
        if str(modifier.card) in ("VectorMatchCardinality.ManyToOne", "VectorMatchCardinality.OneToMany"):
            raise _Alone("group_left and group_right move labels from one side to the other")
        if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
            raise _Alone("fill makes samples of series that are not there")
    matching = None if modifier is None else modifier.matching
    compared = names
    if matching is not None:
        of = frozenset(matching.labels)
        compared = names & of if str(matching.type) == "LabelModifierType.Include" else names - of
    # An `or` gives samples of both sides, so they have to have the same of these labels whatever is compared.
    whole = names if str(node.op) == "or" else compared
    if left & whole != right & whole:
        raise _Alone(f"one side of {node.op} has labels by which it is told apart, the other has not")
    return left if str(node.op) in _SETS else left & compared


def _text(node: Any, names: frozenset[str]) -> str:
    """A node as text, with these labels lifted out of its selectors into every `by` and `on`; none: as it is."""
    kind = _kind(node)
    if kind == "NumberLiteral":
        return _number(node.val)
    if kind == "StringLiteral":
        return quoted(node.val)
    if kind == "ParenExpr":
        return f"({_text(node.expr, names)})"
    if kind == "UnaryExpr":
        return f"-{_text(node.expr, names)}"
    if kind == "VectorSelector":
        return _selector(node, names) + _moved(node)
    if kind == "MatrixSelector":
        read = node.vector_selector
        return f"{_selector(read, names)}[{_span(node.range)}]{_moved(read)}"
    if kind == "SubqueryExpr":
        step = "" if node.step is None else _span(node.step)
        return f"{_text(node.expr, names)}[{_span(node.range)}:{step}]{_moved(node)}"
    if kind == "Call":
        return f"{node.func.name}({', '.join(_text(each, names) for each in node.args)})"
    if kind == "AggregateExpr":
        inside = [_text(each, names) for each in (node.param, node.expr) if each is not None]
        return f"{node.op}{_by(node.modifier, names)} ({', '.join(inside)})"
    if kind == "BinaryExpr":
        return f"{_text(node.lhs, names)} {node.op}{_on(node, names)} {_text(node.rhs, names)}"
    raise _Alone("it has words that cannot be printed")


def _selector(node: Any, names: frozenset[str]) -> str:
    try:
        found = matchers(node)
    except ValueError as error:
        raise _Alone(str(error)) from None
    inside = [matcher(*each) for each in found if each[0] not in names or each[1] != "="]
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
            raise _Alone("@ with a time is not followed")
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


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _literal(value: str) -> str:
    """The regular expression for just this value.

    >>> print(_literal("a.b-c"))
    a\\.b-c
    """
    return "".join(f"\\{each}" if each in r"\.+*?()|[]{}^$" else each for each in value)


def _kind(node: Any) -> str:
    return type(node).__name__
