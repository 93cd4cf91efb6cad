"""One query → a template that many queries can share, with the labels and values that tell this one from the others.

A label is *identity* where every selector of the query matches it by `=` with the same value. In the template its
matchers are gone and it is in every `by` and `on`, so that the answer to many such queries at once falls apart by it
into what each query alone would have given. Pure. What is not known to fall apart like that is refused with a reason.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import msgspec

from autoscaler.policy.printer import kind_of, number, printed
from autoscaler.policy.promql import HOLE, LABEL, filled, matcher, matchers, parsed, shape

DEEPEST = 100  # nodes above each other that are followed

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


@functools.lru_cache(maxsize=200_000)
def share(query: str) -> Shared | str:
    """How a query can be asked together with others; a sentence where it has to be asked alone.

    >>> share('sum(rate(requests_total{job="a"}[1m]))').template.replace(HOLE, "...")
    'sum by (job) (rate(requests_total{...}[60s]))'
    >>> share('absent(up{job="a"})')
    'absent() tells of series that are not there, and so not whose they are'
    """
    marked, values = shape(query)
    if values is None:
        return "it has characters that are written by their number"
    found = _of_shape(marked)
    if isinstance(found, str):
        return filled(found, values)
    return Shared(
        template=filled(found.template, values),
        labels=found.labels,
        values=tuple(filled(each, values) for each in found.values),
        kept=found.kept,
        otherwise=found.otherwise,
    )


@functools.lru_cache(maxsize=10_000)
def _of_shape(query: str) -> Shared | str:
    """The same for a query with marks in place of values: how it is made does not depend on them."""
    tree = parsed(query)
    if isinstance(tree, str):
        return f"it cannot be parsed: {tree}"
    try:
        return _shared(tree)
    except ValueError as why:
        return str(why)


@functools.lru_cache(maxsize=1_000)
def together(template: str, labels: tuple[str, ...], values: tuple[tuple[str, ...], ...]) -> str | None:
    """The query that asks for all these values of identity labels at once; None where it is not PromQL after all."""
    inside: list[tuple[str, str, str]] = []
    for label, found in zip(labels, zip(*values, strict=True), strict=True):
        each = sorted(set(found))
        one = len(each) == 1
        inside.append((label, "=" if one else "=~", each[0] if one else "|".join(map(_literal, each))))
    return _asking(template, inside)


def everyone(template: str, labels: tuple[str, ...]) -> str | None:
    """The query that asks for all values of identity labels there are; None where it is not PromQL after all.

    >>> everyone(share('sum(x{job="a"})').template, ("job",))
    'sum by (job) (x{job!=""})'
    """
    return _asking(template, [(label, "!=", "") for label in labels])


def _asking(template: str, inside: list[tuple[str, str, str]]) -> str | None:
    query = template.replace(HOLE, ", ".join(matcher(*each) for each in inside))
    tree = parsed(query)
    if isinstance(tree, str):
        return None
    # What is asked is what was meant: every selector has just these matchers.
    as_meant = all(set(inside) <= set(matchers(each)) for each in _vectors(tree))
    return query if as_meant and printed(tree, frozenset()) == query else None


def _shared(tree: Any) -> Shared:
    _not_too_deep(tree)
    whole = tree
    tree, otherwise = _without_default(tree)
    identity = _identity(tree)
    names = frozenset(identity)
    kept = _kept(tree, names)
    if kept is None:
        raise ValueError("it gives no series")
    if repr(parsed(printed(whole, frozenset()))) != repr(whole):
        raise ValueError("it is not the same any more once it is printed")
    labels = tuple(sorted(identity))
    shared = Shared(printed(tree, names), labels, tuple(identity[each] for each in labels), kept, otherwise)
    if together(shared.template, labels, (shared.values,)) is None:
        raise ValueError("its template cannot be printed")
    return shared


def _not_too_deep(tree: Any) -> None:
    """Raises where nodes are so far above each other that following them would end the process."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [below for node in level for below in _below(node)]
        if not level:
            return
    raise ValueError(f"it has more than {DEEPEST} operators inside each other")


def _below(node: Any) -> list[Any]:
    parts = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "param", "vector_selector")]
    return [*(each for each in parts if each is not None), *getattr(node, "args", ())]


def _vectors(tree: Any) -> list[Any]:
    found, waiting = [], [tree]
    while waiting:
        node = waiting.pop()
        waiting += _below(node)
        if kind_of(node) == "VectorSelector":
            found.append(node)
    return found


def _identity(tree: Any) -> dict[str, str]:
    """The labels that every selector matches by `=` with the same value."""
    found: dict[str, str] | None = None
    for one in map(matchers, _vectors(tree)):
        equal = [(label, value) for label, operator, value in one if operator == "="]
        names = [label for label, _ in equal]
        mine = {
            label: value
            for label, value in equal
            if value and names.count(label) == 1 and label not in _NEVER and LABEL.fullmatch(label)
        }
        found = mine if found is None else {k: v for k, v in found.items() if mine.get(k) == v}
    if found is None:
        raise ValueError("it reads no series")
    if not found:
        raise ValueError("no label is matched by = with the same value in every selector")
    return found


def _without_default(tree: Any) -> tuple[Any, str | None]:
    """`X or vector(0)` → X and 0, where X has at most one sample, without labels: that is what it means."""
    while kind_of(tree) == "ParenExpr":
        tree = tree.expr
    if kind_of(tree) != "BinaryExpr" or str(tree.op) != "or" or tree.modifier.matching is not None:
        return tree, None
    default = tree.rhs
    if kind_of(default) != "Call" or default.func.name != "vector" or kind_of(default.args[0]) != "NumberLiteral":
        return tree, None
    value = default.args[0].val
    if not _bare(tree.lhs) or not math.isfinite(value):
        raise ValueError("or vector() stands beside series that have labels")
    return tree.lhs, number(value)


def _bare(node: Any) -> bool:
    """True for what gives one sample without labels, or none."""
    kind = kind_of(node)
    if kind in ("ParenExpr", "UnaryExpr"):
        return _bare(node.expr)
    if kind == "AggregateExpr":
        grouped = node.modifier
        return grouped is None or (str(grouped.type) == "AggModifierType.By" and not grouped.labels)
    if kind == "BinaryExpr":
        sides = [each for each in (node.lhs, node.rhs) if kind_of(each) != "NumberLiteral"]
        return bool(sides) and all(map(_bare, sides))
    return False


def _kept(node: Any, names: frozenset[str]) -> frozenset[str] | None:
    """Which identity labels the samples of a node have where it is asked alone; None for a scalar.

    Raises for what does not fall apart by the identity labels.
    """
    kind = kind_of(node)
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
    raise ValueError("it has words that are not known to fall apart by labels")


def _series(node: Any, names: frozenset[str]) -> frozenset[str]:
    kept = _kept(node, names)
    if kept is None:
        raise ValueError("it makes series of a number")
    return kept


def _of_call(node: Any, names: frozenset[str]) -> frozenset[str] | None:
    name = node.func.name
    if name in _SCALARS:
        return None
    if name in ("absent", "absent_over_time"):
        raise ValueError(f"{name}() tells of series that are not there, and so not whose they are")
    if name in ("scalar", "vector"):
        raise ValueError(f"{name}() has no labels, so nobody could tell whose it is")
    if name not in _OF_EACH:
        raise ValueError(f"{name}() is not known to treat each series by itself")
    told = [kept for kept in (_kept(each, names) for each in node.args) if kept is not None]
    if len(told) != 1:
        raise ValueError(f"{name}() is not given just one set of series")
    return told[0]


def _of_aggregation(node: Any, names: frozenset[str]) -> frozenset[str]:
    if str(node.op) not in _AGGREGATIONS:
        raise ValueError(f"{node.op}() is not known to give the same for each where many are asked together")
    if node.param is not None and _kept(node.param, names) is not None:
        raise ValueError(f"the parameter of {node.op}() is read from series")
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
            raise ValueError("group_left and group_right move labels from one side to the other")
        if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
            raise ValueError("fill makes samples of series that are not there")
    matching = None if modifier is None else modifier.matching
    compared = names
    if matching is not None:
        of = frozenset(matching.labels)
        compared = names & of if str(matching.type) == "LabelModifierType.Include" else names - of
    # An `or` gives samples of both sides, so they have to have the same of these labels whatever is compared.
    whole = names if str(node.op) == "or" else compared
    if left & whole != right & whole:
        raise ValueError(f"one side of {node.op} has labels by which it is told apart, the other has not")
    return left if str(node.op) in _SETS else left & compared


def _literal(value: str) -> str:
    """The regular expression for just this value.

    >>> print(_literal("a.b-c"))
    a\\.b-c
    """
    return "".join(f"\\{each}" if each in r"\.+*?()|[]{}^$" else each for each in value)
