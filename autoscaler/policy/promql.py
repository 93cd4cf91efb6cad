"""PromQL text → what it reads and how: its innermost selectors, windows, functions. The only door to the parser.

Selectors are printed by ourselves: the parser's own printer does not escape. The library is loaded with the first
query, so that commands without one do not pay for it.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

_OPERATORS = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}


class Selector(msgspec.Struct, frozen=True):
    """A selector without range, offset and @; `ranged` where the query reads it over a range."""

    text: str
    ranged: bool


class Facts(msgspec.Struct, frozen=True):
    """What a query is made of.

    `windows` are the ranges of its innermost selectors in seconds, `divides` says that something is divided by
    something that is not a constant, `selectors` is None where one cannot be printed.
    """

    selectors: tuple[Selector, ...] | None
    metrics: frozenset[str]
    functions: frozenset[str]
    windows: tuple[float, ...]
    divides: bool


def selectors(query: str) -> tuple[Selector, ...] | None:
    """The innermost selectors of a query, each once; None for what cannot be told (the server may still know it).

    >>> selectors('sum(rate(requests_total{job="a.b"}[5m] offset 1h)) / scalar(up)')
    (Selector(text='requests_total{job="a.b"}', ranged=True), Selector(text='up', ranged=False))
    """
    found = facts(query)
    return found.selectors if isinstance(found, Facts) else None


@functools.lru_cache(maxsize=20_000)
def facts(query: str) -> Facts | str:
    """What a query is made of; a sentence where it cannot be parsed.

    >>> facts("sum(").strip()
    'unclosed left parenthesis'
    >>> facts("histogram_quantile(0.9, rate(x_bucket[30s])) / 2").windows
    (30.0,)
    """
    import promql_parser

    try:
        tree = promql_parser.parse(query)
    except ValueError as error:
        return str(error)
    walk = _Walk(promql_parser)
    try:
        promql_parser.walk(tree, walk.before, walk.after)
        for text in walk.found:
            promql_parser.parse(text)
    except ValueError:
        walk.printable = False
    return walk.facts()


class _Walk:
    """One walk over a query's tree."""

    def __init__(self, library: Any) -> None:
        self._ranging = (library.MatrixSelector, library.SubqueryExpr)
        self._library = library
        self._ranges: list[Any] = []
        self._metrics: set[str] = set()
        self._functions: set[str] = set()
        self._windows: list[float] = []
        self._divides = False
        self.found: dict[str, bool] = {}
        self.printable = True

    def before(self, node: Any) -> bool:
        library = self._library
        if isinstance(node, self._ranging):
            self._ranges.append(node)
        if isinstance(node, library.MatrixSelector):
            self._windows.append(node.range.total_seconds())
        elif isinstance(node, library.Call):
            self._functions.add(node.func.name)
        elif isinstance(node, library.BinaryExpr):
            self._divides = self._divides or (str(node.op) in "/%" and not self._constant(node.rhs))
        elif isinstance(node, library.VectorSelector):
            self._select(node)
        return True

    def after(self, node: Any) -> bool:
        if isinstance(node, self._ranging):
            self._ranges.pop()
        return True

    def facts(self) -> Facts:
        """What was seen."""
        found = tuple(Selector(text, ranged) for text, ranged in self.found.items()) if self.printable else None
        return Facts(found, frozenset(self._metrics), frozenset(self._functions), tuple(self._windows), self._divides)

    def _select(self, node: Any) -> None:
        names = [each.value for each in node.matchers.matchers if each.name == "__name__"]
        self._metrics.update([node.name] if node.name else names)
        text = _printed(node)
        self.found[text] = self.found.get(text, False) or bool(self._ranges)

    def _constant(self, node: Any) -> bool:
        while isinstance(node, self._library.ParenExpr):
            node = node.expr
        return isinstance(node, self._library.NumberLiteral)


def _printed(selector: Any) -> str:
    matchers = selector.matchers
    if matchers.or_matchers:
        raise ValueError("alternatives of matchers are not PromQL")
    inside = ", ".join(
        f"{_name(each.name)}{_OPERATORS[str(each.op)]}{_quoted(each.value)}" for each in matchers.matchers
    )
    return f"{selector.name or ''}{{{inside}}}" if inside else str(selector.name)


def _name(label: str) -> str:
    return label if label.isascii() and label.replace("_", "a").isalnum() else _quoted(label)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
