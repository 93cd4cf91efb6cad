"""Which queries share a template, what it is, and why others do not; the proof of it is a real Prometheus's."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.policy.promql import HOLE, matchers, parsed
from autoscaler.policy.sharing import DEEPEST, Shared, share, together


def shared(query: str) -> Shared:
    found = share(query)
    assert isinstance(found, Shared), found
    return found


@pytest.mark.parametrize(
    ("query", "template"),
    [
        ('load{n="a"}', "load{...}"),
        (
            'sum(rate(x{n="a", m=~"w\\\\.x"}[5m] offset 1h))',
            'sum by (n) (rate(x{..., m=~"w\\\\.x"}[300s] offset 3600s))',
        ),
        ('sum by (pod) (x{n="a"})', "sum by (n, pod) (x{...})"),
        ('sum without (pod, n) (x{n="a"})', "sum without (pod) (x{...})"),
        ('sum(x{n="a"}) / sum(y{n="a", c="5"})', 'sum by (n) (x{...}) / sum by (n) (y{..., c="5"})'),
        ('x{n="a"} / on (pod) y{n="a"}', "x{...} / on (n, pod) y{...}"),
        ('x{n="a"} / ignoring (n, c) y{n="a"}', "x{...} / ignoring (c) y{...}"),
        ('x{n="a"} unless on () y{n="a"} > bool 5', "x{...} unless on (n) y{...} > bool 5"),
        ('max_over_time(rate(x{n="a"}[1m])[10m:])', "max_over_time(rate(x{...}[60s])[600s:])"),
        ('max_over_time(x{n="a"}[10m:500ms] @ end())', "max_over_time(x{...}[600s:500ms] @ end())"),
        ('sum(x{n="a"}) or sum(y{n="a"})', "sum by (n) (x{...}) or sum by (n) (y{...})"),
        ('-x{n="a"} ^ 2 + (time() - 1.5)', "-x{...} ^ 2 + (time() - 1.5)"),
        ('quantile(0.9, x{n="a", m=~"b|c"})', 'quantile by (n) (0.9, x{..., m=~"b|c"})'),
    ],
)
def test_identity_is_lifted_out_of_selectors_into_what_groups(query: str, template: str) -> None:
    assert shared(query).template.replace(HOLE, "...") == template


def test_what_differs_only_in_identity_shares_and_what_differs_in_more_does_not() -> None:
    one, other = shared('sum(x{n="a", j="k"})'), shared("sum  (x{j='l',n='b'})")
    assert (one.template, one.labels) == (other.template, other.labels)
    assert (one.values, other.values) == (("k", "a"), ("l", "b"))
    assert shared('sum(x{n="a", j!="k"})').template != shared('sum(x{n="a", j!="l"})').template
    half = 'sum(x{{n="a", c="{}"}}) / sum(x{{n="a"}})'
    assert shared(half.format(5)).template != shared(half.format(4)).template


def test_the_labels_the_query_alone_would_have_are_known() -> None:
    assert shared('x{n="a", j="k"}').kept == {"n", "j"}
    assert shared('sum by (j) (x{n="a", j="k"})').kept == {"j"}
    assert shared('sum without (j) (x{n="a", j="k"})').kept == {"n"}
    assert shared('sum(x{n="a", j="k"})').kept == frozenset()
    assert shared('x{n="a", j="k"} / on (n) y{n="a", j="k"}').kept == {"n"}
    assert shared('x{n="a", j="k"} and on (n) y{n="a", j="k"}').kept == {"n", "j"}


def test_a_default_at_the_top_is_the_value_of_nothing() -> None:
    assert shared('(sum(x{n="a"}) or vector(0))').otherwise == "0"
    assert shared('sum(x{n="a"}) or vector(0)').template == shared('sum(x{n="b"})').template


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sum(load)", "no label is matched by = with the same value in every selector"),
        ('sum(x{n="a"}) / sum(y{n="b"})', "no label is matched by ="),
        ('sum(x{n="a"}) / sum(y)', "no label is matched by ="),
        ('x{n=""}', "no label is matched by ="),
        ('x{n="a", n="b"}', "no label is matched by ="),
        ('x_bucket{le="1"}', "no label is matched by ="),
        ('{__name__="x"}', "no label is matched by ="),
        ('x{"a.b"="c"}', "no label is matched by ="),
        ("1 + time()", "it reads no series"),
        ('absent(x{n="a"})', "absent() tells of series that are not there"),
        ('scalar(x{n="a"}) * 2', "scalar() has no labels"),
        ('x{n="a"} or vector(0)', "or vector() stands beside series that have labels"),
        ('sum by (n) (x{n="a"}) or vector(0)', "or vector() stands beside series that have labels"),
        ('(sum(x{n="a"}) or vector(0)) + 1', "vector() has no labels"),
        ('sum(x{n="a"}) or vector(Inf)', "or vector() stands beside"),
        ('topk(3, x{n="a"})', "topk() is not known to give the same"),
        ('count_values("n", x{n="a"})', "count_values() is not known"),
        ('label_replace(x{n="a"}, "n", "b", "", "")', "label_replace() is not known to treat each series by itself"),
        ('sort(x{n="a"})', "sort() is not known"),
        ('x{n="a"} * on (n) group_left (z) y{n="a"}', "group_left and group_right move labels"),
        ('sum(x{n="a"}) or y{n="a"}', "one side of or has labels by which it is told apart, the other has not"),
        ('sum(x{n="a"}) + y{n="a"}', "one side of +"),
        ('sum(x{n="a"}) / on (n) y{n="a"}', "one side of /"),
        ('quantile(scalar(y{n="a"}), x{n="a"})', "scalar() has no labels"),
        ('x{n="a"} @ 17', "@ with a time is not followed"),
        ('x{n="\\x00"}', "characters that are written by their number"),
        ('x{n="\1"}', "characters that are written by their number"),
        ('x{n="a"', "it cannot be parsed"),
        ('holt_winters(x{n="a"}[5m], 0.5, 0.5)', "it cannot be parsed"),
        ("-" * (DEEPEST + 1) + 'x{n="a"}', "operators inside each other"),
        ("+".join(['x{n="a"}'] * (DEEPEST + 2)), "operators inside each other"),
    ],
)
def test_what_is_not_known_to_fall_apart_is_refused_with_a_reason(query: str, why: str) -> None:
    found = share(query)
    assert isinstance(found, str), found
    assert why in found
    assert "\1" not in found or "\1" in query


VALUES = st.text(min_size=1, max_size=12).filter(lambda text: not any(0xD800 <= ord(each) <= 0xDFFF for each in text))


def meant(query: str, label: str) -> list[tuple[str, str, str]]:
    tree: Any = parsed(query)
    return [each for each in matchers(tree.expr) if each[0] == label]


@settings(deadline=None)
@given(VALUES, VALUES)
def test_any_values_are_asked_for_literally(one: str, other: str) -> None:
    """Go's regular expressions escape as these do: every sign that means something, and no other."""
    found = share(f"sum(x{{n={json.dumps(one, ensure_ascii=False)}}})")
    if isinstance(found, str):
        assert "characters that are written by their number" in found
        return
    assert found.values == (one,)
    text = together(found.template, found.labels, (found.values, (other,)))
    if text is None:
        assert "\0" in other, "only what would be taken for a hole"
        return
    ((_, operator, value),) = meant(text, "n")
    if one == other:
        assert (operator, value) == ("=", one)
    else:
        plain = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
        assert (operator, plain) == ("=~", "|".join(sorted({one, other})))


QUERIES = st.recursive(
    st.sampled_from(['x{n="a"}', 'rate(y{n="a", c!="5"}[5m])', 'z{n="a", m="b"} offset 1m', "2", "time()"]),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["sum", "max by (pod)", "avg without (n, pod)"]), inner).map(
            lambda p: f"{p[0]}({p[1]})"
        ),
        st.tuples(inner, st.sampled_from(["+", "/ on (pod)", "and", "> bool", "or ignoring (n)"]), inner).map(
            lambda p: f"({p[0]}) {p[1]} ({p[2]})"
        ),
        inner.map(lambda text: f"-({text})"),
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(QUERIES)
def test_a_template_with_its_own_values_shares_as_itself(query: str) -> None:
    found = share(query)
    if isinstance(found, str):
        return
    text = together(found.template, found.labels, (found.values,))
    assert text is not None
    again = shared(text)
    assert (again.template, again.labels, again.values) == (found.template, found.labels, found.values)
    assert again.kept == set(found.labels), "the grouped answer has every label by which it is told apart"
