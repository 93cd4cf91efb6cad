"""PromQL text → its innermost selectors, printed by ourselves: the parser's own printer does not escape."""

from __future__ import annotations

import functools
from typing import Any

import msgspec
import promql_parser

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


@functools.lru_cache(maxsize=20_000)
def selectors(query: str) -> tuple[Selector, ...] | None:
    """The innermost selectors of a query, each once; None for what cannot be told (the server may still know it).

    >>> selectors('sum(rate(requests_total{job="a.b"}[5m] offset 1h)) / scalar(up)')
    (Selector(text='requests_total{job="a.b"}', ranged=True), Selector(text='up', ranged=False))
    """
    try:
        tree = promql_parser.parse(query)
    except ValueError:
        return None
    found: dict[str, bool] = {}
    ranges: list[Any] = []

    def before(node: Any) -> bool:
        if isinstance(node, (promql_parser.MatrixSelector, promql_parser.SubqueryExpr)):
            ranges.append(node)
        if isinstance(node, promql_parser.VectorSelector):
            text = _printed(node)
            found[text] = found.get(text, False) or bool(ranges)
        return True

    def after(node: Any) -> bool:
        if isinstance(node, (promql_parser.MatrixSelector, promql_parser.SubqueryExpr)):
            ranges.pop()
        return True

    try:
        promql_parser.walk(tree, before, after)
        for text in found:
            promql_parser.parse(text)
    except ValueError:
        return None
    return tuple(Selector(text, ranged) for text, ranged in found.items())


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
