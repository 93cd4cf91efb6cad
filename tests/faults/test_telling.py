"""What the daemon tells of a real Prometheus's past and of itself; every answer is as the documentation shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import DaemonProcess
from tests.faults.watched import Watched, watched
from tests.parts.gauges import GaugeServer
from tests.parts.prometheus import PrometheusMaker, PrometheusServer
from tests.support.shapes import Shapes
from tests.support.wait import until

pytestmark = [pytest.mark.prometheus, pytest.mark.e2e]

RING_S = 10 * 0.5  # ten cycles are remembered whole
SERVICE = """\
name: {name}
target: {{compose: {{project: shop, service: {name}}}}}
replicas: {{min: 1, max: 20}}
signals: [{{name: load, prometheus: '{query}', per_replica: 10}}]
"""


@pytest.fixture
def scraped(prometheus_server: PrometheusMaker, gauge_server: GaugeServer) -> PrometheusServer:
    gauge_server.set("load", 40)
    return prometheus_server(scrape={"shop": [gauge_server.address]})


@pytest.fixture
def shop(scraped: PrometheusServer, tmp_path: Path) -> Iterator[Watched]:
    """A daemon at rest with four workers."""
    with watched(tmp_path, "sum(load)", scraped.url, told=", max_age: 5s") as made:
        made.start()
        until(lambda: made.ready() == 4, "four ready workers", within=40)
        until(lambda: made.workload()["reason"] == "within_tolerance", "it is at rest")
        yield made


def told(daemon: DaemonProcess, *words: str) -> Any:
    return json.loads(daemon.cli(*words, "--format", "json"))


def explained(shop: Watched, at: float) -> Any:
    return told(shop, "explain", "shop", "--at", datetime.fromtimestamp(at, UTC).isoformat())


def essence(answer: Any) -> tuple[Any, ...]:
    """What a decision comes to: counts, reason, and what each signal said."""
    decision = answer["decision"]
    signals = [
        (step["facts"].get("load"), step["facts"].get("why"), step["after"], step["reason"])
        for step in decision["steps"]
        if step["stage"] == "signal"
    ]
    return decision["current"], decision["desired"], decision["reason"], signals


@pytest.mark.parametrize("data", ["there", "missing"])
def test_a_quiet_time_is_reconstructed_and_agrees_with_what_was_decided_then(
    shop: Watched, gauge_server: GaugeServer, data: str
) -> None:
    if data == "missing":
        gauge_server.drop("load")
        until(lambda: shop.workload()["reason"] == "no_opinion", "the series is gone")
    changed = shop.workload()["since"]
    until(lambda: shop.status()["at"] > changed + 3, "it has been quiet for a while")
    at = shop.status()["at"] - 0.6
    then = explained(shop, at)
    assert (then["reconstructed"], then["since_change"]) == (False, False), "a cycle of the ring, as it was"
    assert abs(then["decided"] - at) <= 0.6
    gauge_server.set("load", 60)
    until(lambda: shop.ready() == 6, "what comes later is another matter", within=30)
    until(lambda: shop.status()["at"] > at + 2 * RING_S, "the ring has gone by", within=30)

    again = explained(shop, at)
    assert again["reconstructed"], again["note"]
    assert "reconstructed: nothing changed between" in shop.cli("explain", "shop", "--at", _iso(at))
    assert essence(again) == essence(then)
    raised = next(line for line in told(shop, "history", "shop")["lines"] if line["reason"] == "above_target")
    assert essence(explained(shop, raised["at"]))[:2] == (raised["before"], raised["after"]), (
        "a change is on record, not retold"
    )


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def test_every_command_prints_json_as_it_is_documented(shop: Watched, gauge_server: GaugeServer) -> None:
    shapes = Shapes()
    gauge_server.set("load", 62)
    until(lambda: shop.ready() == 7, "seven workers", within=30)
    shapes.check(told(shop, "status"), "Status")
    shapes.check(told(shop, "status", "shop"), "WorkloadDetail")
    shapes.check(told(shop, "explain", "shop"), "Explanation")
    shapes.check(explained(shop, time.time() - 1.5), "Explanation")
    shapes.check(told(shop, "history"), "History")
    shapes.check(told(shop, "history", "shop", "--limit", "3"), "History")
    shapes.check(told(shop, "override", "shop", "5", "--for", "1h", "--why", "a test"), "Done")
    shapes.check(told(shop, "pause", "shop", "--for", "1h"), "Done")
    shapes.check(told(shop, "status"), "Status")
    shapes.check(told(shop, "resume", "shop"), "Done")
    shapes.check(told(shop, "resume", "fleet"), "Done")
    shapes.check(told(shop, "dry-run"), "Foresight")
    gauge_server.drop("load")
    until(lambda: shop.workload()["missing"], "nothing is read")
    shapes.check(told(shop, "status"), "Status")
    shapes.check(told(shop, "explain", "shop"), "Explanation")
    shapes.check(told(shop, "lint"), "Findings")


def test_a_shape_that_is_not_the_documented_one_is_told(shop: Watched) -> None:
    shapes, answer = Shapes(), told(shop, "explain", "shop")
    for field, wrong in (("lines", [1]), ("decided", "now"), ("version", 1.5), ("steps", None)):
        with pytest.raises(AssertionError, match=f"Explanation.{field}"):
            shapes.check({**answer, field: wrong}, "Explanation")
    with pytest.raises(AssertionError, match="more: not documented"):
        shapes.check({**answer, "more": 1}, "Explanation")
    decision = {**answer["decision"], "reason": "because"}
    with pytest.raises(AssertionError, match="reason: 'because'"):
        shapes.check({**answer, "decision": decision}, "Explanation")


def test_a_folder_of_policies_is_rehearsed_as_a_whole(scraped: PrometheusServer, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    (folder / "team").mkdir(parents=True)
    queries = {"big": "sum(load)", "gone": "sum(nothing)", "small": "sum(load) / 8"}
    (folder / "a.yaml").write_text("---\n".join(SERVICE.format(name=name, query=queries[name]) for name in queries))
    (folder / "team" / "b.yml").write_text(SERVICE.format(name="quiet", query="sum(load) * 0"))
    (folder / "notes.txt").write_text("not a policy")
    until(lambda: scraped.value("sum(load)") == 40, "the load is scraped")
    daemon = DaemonProcess(tmp_path / "settings", "", prometheus={"url": scraped.url})
    answer = json.loads(daemon.cli("dry-run", str(folder), "--current", "2", "--format", "json"))
    Shapes().check(answer, "Foresight")
    found = {each["policy"]: (each["current"], each["desired"], each["reason"]) for each in answer["workloads"]}
    assert list(found) == ["big", "gone", "small", "quiet"]
    assert found["big"] == (2, 4, "above_target")
    assert found["gone"] == (2, 2, "no_opinion")
    assert found["small"][:2] == (2, 2), "a past of a few seconds is none to shrink by"
    text = daemon.cli("dry-run", str(folder), "--current", "2")
    assert "1 of 4 workloads would change" in text
