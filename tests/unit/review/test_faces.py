"""The faces of a review: no stranger's word steers a terminal, a page or a workflow, and none is too long."""

from __future__ import annotations

import msgspec
import pytest

from autoscaler.review.changes import Key, Kind
from autoscaler.review.markdown import markdown
from autoscaler.review.review import PolicyChange, Review, Trouble
from autoscaler.review.strangers import chart
from autoscaler.review.text import text
from autoscaler.review.workflow import commands

EVIL = "x\x1b[2J\u202e\r\n::error::pwned\n##[error]y\n</pre></code><img src=x> ![a](http://b) | @you #1 <!-- `q`"


def told(changes: int = 1, troubles: int = 0, word: str = EVIL) -> Review:
    change = PolicyChange(
        name=word, kind=Kind.CHANGED, file=f"{word}.yaml", line=3, keys=(Key(word, word, word, word),), effect=None,
        why=word,
    )  # fmt: skip
    trouble = Trouble(error=True, file=f"{word}.yaml", line=3, column=4, text=word)
    return Review(
        against=word, head=word, title="1 policy changes, 0 errors", evidence="schema only",
        changes=(change,) * changes,
        untouched=0, errors=troubles, troubles=(trouble,) * troubles, tests=0, failed=(), notes=(word,),
    )  # fmt: skip


@pytest.mark.parametrize("face", [text, markdown, commands])
def test_no_control_character_of_a_stranger_is_printed(face: object) -> None:
    assert callable(face)
    shown = face(told(troubles=1))
    assert not {"\x1b", "\u202e", "\r"} & set(shown)


def test_a_stranger_writes_no_workflow_command() -> None:
    lines = commands(told(troubles=1)).splitlines()
    assert [line.split(" ")[0] for line in lines[1:]] == ["::error", "::warning", "::notice"]
    assert all("##[" not in line for line in lines)
    (error,) = (line for line in lines if line.startswith("::error"))
    properties = error.removeprefix("::error ").split("::")[0]
    assert [each.split("=")[0] for each in properties.split(",")] == ["file", "line", "col", "title"]


def test_a_stranger_writes_no_markup_mention_or_reference() -> None:
    page = markdown(told(troubles=1))
    for mark in ("<img", "</pre></code>", "![", "@you", "#1 ", "<!--", "`q`"):
        assert mark not in page
    rows = [line for line in page.splitlines() if line.startswith("| <code>")]
    assert [row.count("|") for row in rows] == [8, 5]


def test_a_chart_title_holds_no_quote() -> None:
    assert not set('"`[]{};<>#@\n') & set(chart(EVIL + '"'))


@pytest.mark.parametrize(("changes", "troubles"), [(3000, 0), (0, 3000), (3000, 3000)])
def test_a_page_keeps_its_budget_and_its_head(changes: int, troubles: int) -> None:
    page = markdown(told(changes, troubles))
    assert len(page) <= 60_000
    assert page.startswith("### Autoscaler: 1 policy changes, 0 errors\n\nEvidence: **schema only**.")
    assert not changes or "more policies" in page
    assert not troubles or "more problems" in page


def test_of_each_level_ten_are_shown_and_the_rest_is_counted() -> None:
    lines = commands(told(troubles=41)).splitlines()
    errors = [line for line in lines if line.startswith("::error")]
    assert (len(errors), errors[-1]) == (10, "::error::and 32 more: see the job summary")


def test_a_review_without_anything_is_quiet() -> None:
    assert not told().quiet
    assert msgspec.structs.replace(told(0), notes=()).quiet
