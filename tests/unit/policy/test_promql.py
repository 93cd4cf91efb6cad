"""Selectors taken out of queries: printed text parses again to the same selector, and nothing kills the process."""

from __future__ import annotations

import time
from typing import Any

import promql_parser
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autoscaler.errors import PolicyError
from autoscaler.policy.load import load
from autoscaler.policy.promql import MOST_NESTED, Selector, printed, selectors

NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
LABELS = st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,8}", fullmatch=True) | st.text(min_size=1, max_size=6)
MATCHERS = st.lists(st.tuples(LABELS, st.sampled_from(["=", "!=", "=~", "!~"]), st.text(max_size=20)), max_size=4)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def parsed(text: str) -> Any:
    """The selector in this text; tests about others are given up."""
    try:
        made = promql_parser.parse(text)
    except ValueError:
        made = None
    assume(isinstance(made, promql_parser.VectorSelector))
    return made


def meant(selector: Any) -> tuple[str | None, list[tuple[str, str, str]]]:
    return selector.name, [(each.name, str(each.op), each.value) for each in selector.matchers.matchers]


@settings(deadline=None)
@given(NAMES, MATCHERS)
def test_printed_text_parses_again_to_the_same_selector(name: str, matchers: list[tuple[str, str, str]]) -> None:
    inside = ", ".join(f"{quoted(label)}{operator}{quoted(value)}" for label, operator, value in matchers)
    selector = parsed(f"{name}{{{inside}}}")
    assert meant(parsed(printed(selector))) == meant(selector)


@settings(deadline=None)
@given(st.text(max_size=60) | st.text(alphabet="abr({[]})=~\"'`#5m+-*/,^@ \\\n:.", max_size=60))
def test_any_text_gives_selectors_or_none(text: str) -> None:
    for each in selectors(text) or ():
        assert isinstance(promql_parser.parse(each.text), promql_parser.VectorSelector)
        assert selectors(each.text) == (Selector(each.text),)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("up", [("up", 0)]),
        ("sum(rate(requests_total[5m]))", [("requests_total", 300)]),
        ("requests offset 1h", [("requests", 3900)]),
        ("requests offset -1h", [("requests", 0)]),
        ("requests @ 1700000000", [("requests", 0)]),
        ("rate(requests[1m] offset 2h @ 5)", [("requests", 7260)]),
        ("max_over_time(rate(requests[1m])[10m:30s])", [("requests", 660)]),
        ("max_over_time(load[10m:])", [("load", 600)]),
        ("max_over_time(load[10m:1m] offset 1h)", [("load", 4200)]),
        ("load + (other or vector(0))", [("load", 0), ("other", 0)]),
        ("sum(load) - sum(load offset 1h)", [("load", 3900)]),
        ("rate(load[1m]) + rate(load[10m])", [("load", 600)]),
        ("topk(scalar(n), load)", [("load", 0), ("n", 0)]),
        ("-load", [("load", 0)]),
        ('{__name__=~"a|b", x!~"y"}', [('{__name__=~"a|b", x!~"y"}', 0)]),
        ('load{"a.b"="c"}', [('load{"a.b"="c"}', 0)]),
        ("1 + time()", []),
    ],
)
def test_the_innermost_selectors_of_a_query(query: str, found: list[tuple[str, float]]) -> None:
    told = selectors(query)
    assert told is not None
    assert sorted((each.text, each.reach_s) for each in told) == sorted(found)


@pytest.mark.parametrize(
    "query", ["sum(", "load{a=", "load[5m] anchored", "unknown_function(load)", 'load{a="b" or c="d"}', "\ud800", ""]
)
def test_what_cannot_be_taken_apart_is_none(query: str) -> None:
    assert selectors(query) is None


@pytest.mark.parametrize(
    "query",
    [
        "(" * 100_000 + "load" + ")" * 100_000,
        "-" * 100_000 + "load",
        "+".join(["load"] * 50_000),
        " or ".join(["load"] * 50_000),
        "max_over_time(" * 10_000 + "load" + "[5m:1m])" * 10_000,
        '# "\n' + "(" * 100_000 + 'load # "' + ")" * 100_000,
        '"' + "(" * 100_000,
    ],
    ids=lambda query: query[:12],
)
def test_a_query_nested_without_end_is_none_at_once(query: str) -> None:
    """The parser would overflow its stack and take the whole daemon with it."""
    began = time.monotonic()
    assert selectors(query) is None
    assert time.monotonic() - began < 2.0


def test_a_query_as_deep_as_allowed_is_taken_apart_quickly() -> None:
    began = time.monotonic()
    told = selectors("+".join(f"load{n}" for n in range(MOST_NESTED)))
    assert told is not None
    assert len(told) == MOST_NESTED
    assert time.monotonic() - began < 2.0


def test_what_stands_in_quotes_or_comments_is_not_nesting() -> None:
    value = quoted("(" * 2000 + "+|" * 2000)
    assert selectors(f"sum(load{{a={value}}}) # {'(' * 2000}") is not None


# max_age: an age that cannot be told cannot be kept to

POLICY = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {max: 12}
signals:
  - name: load
    prometheus: %s
    per_replica: 8
    max_age: 45s
"""


def test_a_written_max_age_is_taken_where_the_age_can_be_told() -> None:
    (policy,) = load([("a.yaml", POLICY % 'sum(rate(load{job="{service}"}[1m]))')], "r").policies
    assert policy.signals[0].max_age == 45.0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "sum(load[5m] anchored)",
            "max_age: the age of the data cannot be told: the query cannot be parsed",
        ),
        ("time() % 86400", "max_age: the age of the data cannot be told: the query reads no series"),
    ],
)
def test_a_written_max_age_is_refused_where_it_cannot(query: str, said: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load([("a.yaml", POLICY % query)], "r")
    (problem,) = caught.value.problems
    assert problem.startswith("a.yaml:8:14: signals[0].")
    assert said in problem
    assert "hint: correct the query, or remove the key" in problem


def test_without_max_age_such_a_query_is_taken() -> None:
    text = POLICY.replace("    max_age: 45s\n", "") % "sum(load[5m] anchored)"
    assert load([("a.yaml", text)], "r").policies[0].signals[0].max_age is None
