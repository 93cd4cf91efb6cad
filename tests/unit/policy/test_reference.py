"""The tables of the reference page are made from the structs and are up to date."""

from __future__ import annotations

from autoscaler.model.policy import Policy
from autoscaler.policy.reference import keys


def test_every_key_has_a_sentence_and_every_map_a_table() -> None:
    made = keys(Policy)
    rows = [line for line in made.splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []
    for path in ("target.compose", "signals", "signals.steps", "signals.failed", "schedule", "behavior.up.rates"):
        assert f"### `{path}`" in made
