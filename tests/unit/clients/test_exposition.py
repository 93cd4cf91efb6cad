"""Metrics pages as text: what is taken from them, and what is not such a page."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.clients.exposition import Line, parse
from autoscaler.errors import SourceError

URL = "http://web:8000/metrics"
NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,10}", fullmatch=True)
LABEL = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,6}|_[a-zA-Z0-9]{0,6}", fullmatch=True)  # those with __ are reserved
LABELS = st.dictionaries(LABEL, st.text(max_size=12), max_size=3)


def only(text: str, *names: str) -> list[Line]:
    return parse(text, URL, frozenset(names))


def test_only_the_named_samples_are_taken() -> None:
    text = "# HELP a All of it.\n# TYPE a counter\na 1\nab 2\na_total 3\nb 4\n"
    assert only(text, "a", "b") == [Line("a", {}, 1.0), Line("b", {}, 4.0)]


def test_types_change_no_names() -> None:
    text = '# TYPE a_total counter\na_total 1\n# TYPE h histogram\nh_bucket{le="1"} 2\nh_sum 3\n'
    assert [line.name for line in only(text, "a_total", "h_bucket", "h_sum")] == ["a_total", "h_bucket", "h_sum"]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "1e3", "-0.5"])
def test_every_form_of_number_is_read(value: str) -> None:
    (line,) = only(f"a {value}\n", "a")
    assert line.value == float(value) or (math.isnan(line.value) and value == "NaN")


def test_spaces_tabs_and_windows_line_ends_are_taken() -> None:
    text = 'a{x="1"}\t1\r\n  a 2\n\n\na  3  1700000000000\n'
    assert only(text, "a") == [Line("a", {"x": "1"}, 1.0), Line("a", {}, 2.0), Line("a", {}, 3.0, 1_700_000_000.0)]


def test_a_page_without_the_name_or_without_anything_is_no_fault() -> None:
    assert only("b 1\n", "a") == only("", "a") == only("# nothing yet\n", "a") == []


@pytest.mark.parametrize(
    "text", ["<html>", '{"a": 1}', "a one", "a", "a{x=1} 1", "OK", "a 1 2 3 4", "b 1\na{ 1\n", "welcome to nginx!"]
)
def test_what_is_no_such_page_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        only(text, "a")
    assert caught.value.message.startswith(f"{URL}: this is not Prometheus text: ")
    assert len(caught.value.message) < 200


@settings(deadline=None)
@given(NAMES, LABELS, st.floats(allow_nan=False))
def test_any_labels_are_read_back(name: str, labels: dict[str, str], value: float) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'

    inside = ",".join(f"{label}={quoted(text)}" for label, text in labels.items())
    assert only(f"other 1\n{name}{{{inside}}} {value!r}\n", name) == [Line(name, labels, value)]


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    lines: list[Line] = []
    with contextlib.suppress(SourceError):
        lines = only(text, "a")
    assert all(line.name == "a" for line in lines)
