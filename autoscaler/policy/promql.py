"""PromQL text → what it reads and how: innermost selectors, windows, functions. The only door to the parser.

Selectors are printed by ourselves: the parser's own printer does not escape. It is never given a query nested so
deeply that it could overflow its stack, and its own walk is not used: that takes seconds on a sum of some hundred
terms. The library is loaded with the first query, so that commands without one do not pay for it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec

MOST_NESTED = 500  # operators and brackets a query may have to be taken apart; the parser recurses once for each
LOOKBACK_S = 300.0  # how far back a server looks for the value at a time, its default

_OPERATORS = {
    "MatchOp.Equal": "=",
    "MatchOp.NotEqual": "!=",
    "MatchOp.Re": "=~",
    "MatchOp.NotRe": "!~",
}
TEXT = re.compile(r"#[^\n]*|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'|`[^`]*`", re.DOTALL)
_NESTING = re.compile(r"[(\[+\-*/%^<>=!@]|\b(?:and|or|unless|atan2|offset)\b", re.IGNORECASE)
HOLE = "\0"  # what no query has: it may stand for something in text made of one
MARK = "\1"  # the same, around the number of a value
_STRANGE = re.compile(rf"[{HOLE}{MARK}\ud800-\udfff]|\\[xuU0-7]")
# A value that a label is matched by with `=` and that means what it says; other strings and comments are passed over.
_EQUAL = re.compile(rf"(?P<equals>(?<![=!~<>])=\s*)\"(?P<value>[^\"\\\n]+)\"|{TEXT.pattern}", re.DOTALL)
_MARKED = re.compile(rf"{MARK}(\d+){MARK}")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


class Selector(msgspec.Struct, frozen=True):
    """A selector without range, offset and @; `reach_s` is how far back the query reads it, 0 for only the present."""

    text: str
    reach_s: float = 0.0


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
    (Selector(text='requests_total{job="a.b"}', reach_s=3900.0), Selector(text='up', reach_s=0.0))
    """
    found = facts(query)
    return found.selectors if isinstance(found, Facts) else None


def shape(query: str) -> tuple[str, tuple[str, ...] | None]:
    """A query with marks in place of the values of `=`, and these values; None where it has signs that could be marks.

    How it is parsed does not depend on such values, only on which of them are the same.

    >>> shape('x{a="b", c="d", e="b"} == 1')[0].replace(MARK, "'").count("'0'"), shape('x{a="b", c="d", e="b"}')[1]
    (2, ('b', 'd'))
    """
    if _STRANGE.search(query):
        return query, None
    values: dict[str, int] = {}

    def mark(found: re.Match[str]) -> str:
        value = found["value"]
        if value is None:
            return found[0]
        return f'{found["equals"]}"{MARK}{values.setdefault(value, len(values))}{MARK}"'

    return _EQUAL.sub(mark, query), tuple(values)


def filled(text: str, values: Sequence[str]) -> str:
    """A text made of a query's shape with its values again."""
    return _MARKED.sub(lambda found: values[int(found[1])], text) if MARK in text else text


@functools.lru_cache(maxsize=200_000)
def facts(query: str) -> Facts | str:
    """What a query is made of; a sentence where it cannot be parsed.

    >>> facts("sum(").strip()
    'unclosed left parenthesis'
    >>> facts("histogram_quantile(0.9, rate(x_bucket[30s])) / 2").windows
    (30.0,)
    """
    marked, values = shape(query)
    found = _facts(marked)
    if not values:
        return found
    if isinstance(found, str):
        return filled(found, values)
    told = found.selectors
    return msgspec.structs.replace(
        found,
        selectors=None if told is None else tuple(Selector(filled(each.text, values), each.reach_s) for each in told),
        metrics=frozenset(filled(each, values) for each in found.metrics),
    )


@functools.lru_cache(maxsize=10_000)
def _facts(query: str) -> Facts | str:
    import promql_parser

    tree = parsed(query)
    if isinstance(tree, str):
        return tree
    nodes = list(_nodes(tree))
    vectors = [
        (node, _back(node, reach_s)) for node, reach_s in nodes if isinstance(node, promql_parser.VectorSelector)
    ]
    calls = [node for node, _ in nodes if isinstance(node, promql_parser.Call)]
    binaries = [node for node, _ in nodes if isinstance(node, promql_parser.BinaryExpr)]
    matrices = [node for node, _ in nodes if isinstance(node, promql_parser.MatrixSelector)]
    return Facts(
        selectors=_selectors(vectors),
        metrics=frozenset(name for node, _ in vectors for name in _names(node)),
        functions=frozenset(node.func.name for node in calls),
        windows=tuple(node.range.total_seconds() for node in matrices),
        divides=any(str(node.op) in ("/", "%") and not _constant(node.rhs) for node in binaries),
    )


def parsed(query: str) -> Any:
    """The parser's tree of a query; a sentence where it cannot be parsed."""
    import promql_parser

    if len(_NESTING.findall(TEXT.sub("", query))) > MOST_NESTED:
        return f"it has more than {MOST_NESTED} operators and brackets"
    try:
        return promql_parser.parse(query)
    except ValueError as error:
        return str(error)


class Chosen(msgspec.Struct, frozen=True):
    """The series that a selector means: their name, and the matchers of their other labels (label, operator, value)."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def chosen(text: str) -> Chosen | str:
    """What a lone selector means, without a server; a sentence where it is none.

    >>> chosen('requests_total{job="web", path!~"/health.*"}').matchers
    (('job', '=', 'web'), ('path', '!~', '/health.*'))
    >>> chosen('{job="web"}')
    'it names no metric'
    """
    marked, values = shape(text)
    found = _chosen(marked)
    if not values:
        return found
    if isinstance(found, str):
        return filled(found, values)
    told = tuple((label, operator, filled(value, values)) for label, operator, value in found.matchers)
    return Chosen(filled(found.metric, values), told)


@functools.lru_cache(maxsize=10_000)
def _chosen(text: str) -> Chosen | str:
    import promql_parser

    tree = parsed(text)
    if isinstance(tree, str):
        return tree
    if not isinstance(tree, promql_parser.VectorSelector) or tree.offset is not None or tree.at is not None:
        return "it is no series selector: a metric and its labels, without functions, range and offset"
    try:
        found = matchers(tree)
    except ValueError as error:
        return str(error)
    names = [value for label, operator, value in found if label == "__name__" and operator == "="]
    name = tree.name or (names[0] if names else "")
    if not name:
        return "it names no metric"
    for _, operator, value in found:
        if operator in ("=~", "!~"):
            try:
                re.compile(value)
            except re.error as error:
                return f"the pattern {value} cannot be read: {error}"
    return Chosen(name, tuple(each for each in found if each[0] != "__name__" or each[1] != "="))


def _nodes(tree: Any) -> Iterator[tuple[Any, float]]:
    """The nodes of a query in the order of its text, with the ranges and offsets around each added up."""
    import promql_parser

    waiting = [(tree, 0.0)]
    while waiting:
        node, reach_s = waiting.pop()
        yield node, reach_s
        if isinstance(node, promql_parser.MatrixSelector):
            waiting.append((node.vector_selector, reach_s + _seconds(node.range)))
        elif isinstance(node, promql_parser.SubqueryExpr):
            waiting.append((node.expr, reach_s + _seconds(node.range) + _seconds(node.offset)))
        elif isinstance(node, promql_parser.BinaryExpr):
            waiting += [(node.rhs, reach_s), (node.lhs, reach_s)]
        elif isinstance(node, promql_parser.AggregateExpr):
            waiting += [(each, reach_s) for each in (node.expr, node.param) if each is not None]
        elif isinstance(node, promql_parser.Call):
            waiting += [(each, reach_s) for each in reversed(node.args)]
        elif isinstance(node, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
            waiting.append((node.expr, reach_s))


def _back(selector: Any, reach_s: float) -> float:
    """How far back a selector is read: what is around it and its own offset, which is looked back from as well."""
    back_s = _seconds(selector.offset)
    return reach_s + back_s + (LOOKBACK_S if back_s and not reach_s else 0.0)


def _seconds(span: timedelta | None) -> float:
    """A span into the past; one into the future adds nothing."""
    return 0.0 if span is None else max(0.0, span.total_seconds())


def _selectors(vectors: list[tuple[Any, float]]) -> tuple[Selector, ...] | None:
    """Each once, with its longest range; None where one is not PromQL once it is printed."""
    import promql_parser

    found: dict[str, float] = {}
    try:
        for node, reach_s in vectors:
            text = printed(node)
            promql_parser.parse(text)
            found[text] = max(found.get(text, 0.0), reach_s)
    except ValueError:
        return None
    return tuple(Selector(text, reach_s) for text, reach_s in found.items())


def _names(selector: Any) -> list[str]:
    if selector.name:
        return [selector.name]
    return [each.value for each in selector.matchers.matchers if each.name == "__name__"]


def _constant(node: Any) -> bool:
    import promql_parser

    while isinstance(node, promql_parser.ParenExpr):
        node = node.expr
    return isinstance(node, promql_parser.NumberLiteral)


def printed(selector: Any) -> str:
    """A parsed vector selector as text, without range, offset and @. Raises ValueError for what is not PromQL."""
    inside = ", ".join(matcher(*each) for each in matchers(selector))
    return f"{selector.name or ''}{{{inside}}}" if inside else str(selector.name)


def matchers(selector: Any) -> list[tuple[str, str, str]]:
    """Label, operator and value of each matcher of a parsed vector selector. Raises ValueError as `printed` does."""
    if selector.matchers.or_matchers:
        raise ValueError("alternatives of matchers are not PromQL")
    return [(each.name, _OPERATORS[str(each.op)], each.value) for each in selector.matchers.matchers]


def matcher(label: str, operator: str, value: str) -> str:
    """A matcher as text."""
    return f"{_name(label)}{operator}{quoted(value)}"


def _name(label: str) -> str:
    return label if LABEL.fullmatch(label) else quoted(label)


def quoted(value: str) -> str:
    """A string of PromQL."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
