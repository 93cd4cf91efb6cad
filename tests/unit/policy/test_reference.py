"""The tables of the reference page are made from the structs and are up to date."""

from __future__ import annotations

from pathlib import Path

from autoscaler.model.policy import Policy
from autoscaler.policy.reference import fresh, keys

PAGE = Path(__file__).parents[3] / "docs" / "policies.md"


def test_the_page_is_what_the_structs_say() -> None:
    text = PAGE.read_text()
    assert "<!-- made: policy-keys -->" in text
    assert text == fresh(text), "python -m autoscaler.policy.reference"


def test_every_key_has_a_sentence_and_every_map_a_table() -> None:
    made = keys(Policy)
    rows = [line for line in made.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []
    for path in ("target.compose", "signals", "signals.steps", "signals.failed", "schedule", "behavior.up.rates"):
        assert f"### `{path}`" in made
