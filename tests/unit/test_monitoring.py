"""What is shipped for Grafana speaks of what /metrics serves, and lies on its page as it should."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

from autoscaler.web import metrics

ROOT = Path(__file__).parents[2]
UNSHOWN = {  # what nobody looks at over time
    "start_time_seconds", "cycles_total", "cycle_seconds", "cleanup_held", "cleanup_last_timestamp_seconds",
}  # fmt: skip


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard."""
    found: list[dict[str, Any]] = json.loads((ROOT / "monitoring" / "grafana.json").read_text())["panels"]
    return found


def queries() -> list[tuple[str, str]]:
    """Each panel's title, and a query of it."""
    return [(panel["title"], target["expr"]) for panel in panels() for target in panel.get("targets", ())]


def test_the_dashboard_shows_every_metric_and_none_that_there_is_not() -> None:
    shown = {
        re.sub("_bucket$", "", name) for _, query in queries() for name in re.findall(r"\bautoscaler_(\w+)", query)
    }
    known = {each.name for each in metrics.families()}
    assert known - shown == UNSHOWN
    assert shown <= known


def test_panels_have_words_and_lie_beside_each_other() -> None:
    found = panels()
    assert len({each["id"] for each in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        at = panel["gridPos"]
        cells = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]
        assert panel["type"] == "row" or len(panel["description"]) > 5, panel["title"]
