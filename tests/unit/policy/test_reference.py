"""The reference page is made from the structs and is up to date."""

from __future__ import annotations

from pathlib import Path

from autoscaler.policy.reference import page

PAGE = Path(__file__).parents[3] / "docs" / "policies.md"


def test_the_page_is_what_the_structs_say() -> None:
    assert PAGE.read_text() == page(), "python -m autoscaler.policy.reference > docs/policies.md"


def test_every_key_has_a_sentence() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []
