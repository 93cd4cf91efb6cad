"""What `doctor` finds, on a wire that answers what a test says and with workers that nobody has started."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from click.testing import CliRunner

from autoscaler.cli.root import root
from autoscaler.doctor.examine import examine
from autoscaler.doctor.findings import Diagnosis, Finding, Verdict
from autoscaler.servers import PrometheusSettings
from autoscaler.settings import Settings, WebSettings
from tests.support.wire import served

POLICY = """\
name: shop
target: {process: {command: [sleep, "1000"]}}
replicas: {min: 1, max: 5}
signals:
  - {name: load, prometheus: 'sum(rate(requests_total{app="shop"}[1m]))', per_replica: 10}
"""


class Wire:
    """A Prometheus with one value, and a clock that may be off."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = [{"metric": {}, "value": [0, "30"]}]
        self.off_s = 0.0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        query, now = str((await request.post())["query"]), time.time() + self.off_s
        rows: list[dict[str, Any]] = [{"metric": {}, "value": [now, str(now)]}]
        if "requests_total" in query:
            aged = query.startswith("time()")
            rows = [{"metric": {}, "value": [now, "4"]}] if aged else self.rows
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": rows}})


class Bench:
    """Settings around that wire, in a folder of the test's own."""

    def __init__(self, wire: Wire, url: str, folder: Path) -> None:
        self.wire, self.folder = wire, folder
        self.settings = Settings(
            prometheus=PrometheusSettings(url=url),
            policies=(str(folder / "policies"),),
            data=str(folder / "data"),
            listen="off",
        )
        (folder / "policies").mkdir()
        self.write(POLICY)

    def write(self, text: str) -> None:
        (self.folder / "policies" / "shop.yaml").write_text(text)

    async def examine(self, **other: Any) -> Diagnosis:
        return await examine(msgspec.structs.replace(self.settings, **other))

    async def wrong(self, **other: Any) -> list[Finding]:
        told = await self.examine(**other)
        assert told.fit == all(each.verdict is not Verdict.FAILURE for each in told.findings)
        return [each for each in told.findings if each.verdict in (Verdict.FAILURE, Verdict.WARNING)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    wire = Wire()
    async with served(wire.answer) as url:
        yield Bench(wire, url, tmp_path)


async def test_where_all_is_well_everything_was_tried_and_nothing_is_wrong(bench: Bench) -> None:
    told = await bench.examine()
    assert told.fit
    abouts = [each.about for each in told.findings]
    key = "process/default/local/process/shop"
    assert abouts == ["policies", "prometheus", "process", f"{key} · load", "memory", "daemon"]
    assert next(each for each in told.findings if each.about.endswith("load")).text == "30, 4s old"
    assert not (bench.folder / "data").exists()  # nothing is made


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "empty"),
        ([{"metric": {}, "value": [0, "NaN"]}], "nan"),
        ([{"metric": {"pod": "a"}, "value": [0, "1"]}, {"metric": {"pod": "b"}, "value": [0, "2"]}], "several"),
    ],
)
async def test_a_query_without_a_usable_answer_is_told_with_its_policy_and_a_way_out(
    bench: Bench, rows: list[dict[str, Any]], why: str
) -> None:
    bench.wire.rows = rows
    (wrong,) = await bench.wrong()
    assert wrong.text.startswith(f"{why}: ")
    assert wrong.place == f"{bench.folder}/policies/shop.yaml:1"
    assert wrong.fix


async def test_what_the_owner_waives_is_not_wrong(bench: Bench) -> None:
    bench.wire.rows = []
    bench.write(POLICY.replace("per_replica: 10", "per_replica: 10, empty: 0"))
    assert await bench.wrong() == []


async def test_of_a_server_that_is_away_is_told_once_and_not_by_each_signal(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://user:secret@127.0.0.1:{taken.getsockname()[1]}"
        told = await bench.examine(prometheus=PrometheusSettings(url=nobody))
    (wrong,) = [each for each in told.findings if each.verdict is Verdict.FAILURE]
    assert (wrong.about, wrong.fix) == ("prometheus", "set prometheus.url in the settings")
    assert b"secret" not in msgspec.json.encode(told)


async def test_clocks_that_are_apart_are_told(bench: Bench) -> None:
    bench.wire.off_s = 60.0
    wrong = await bench.wrong()
    assert [(each.about, each.verdict) for each in wrong if "clock" in each.text] == [("prometheus", Verdict.WARNING)]


async def test_policies_that_do_not_load_are_all_told_and_the_rest_is_tried(bench: Bench) -> None:
    bench.write(POLICY.replace("min: 1", "min: 9").replace("per_replica: 10", "per_replica: many"))
    told = await bench.examine()
    wrong = [each for each in told.findings if each.verdict is Verdict.FAILURE]
    assert len(wrong) == 2
    assert all(each.about == "policies" and "shop.yaml:" in each.text for each in wrong)
    assert [each.verdict for each in told.findings if each.about == "prometheus"] == [Verdict.FINE]


async def test_a_coverage_that_nothing_can_watch_is_a_failure(bench: Bench) -> None:
    bench.write(POLICY.replace("per_replica: 10", "per_replica: 10, coverage: 90%"))
    (wrong,) = await bench.wrong()
    assert "coverage" in wrong.text


async def test_a_door_somebody_else_has_and_tokens_that_cannot_be_read_are_told(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        wrong = await bench.wrong(listen=listen, web=WebSettings(tokens=str(bench.folder / "nowhere")))
    assert [each.about for each in wrong] == ["listen", "listen"]
    assert f"{listen} cannot be had" in " ".join(each.text for each in wrong)


async def test_memory_that_is_no_memory_is_told(bench: Bench) -> None:
    (bench.folder / "data").mkdir()
    (bench.folder / "data" / "memory.sqlite").write_text("this is no database, but long enough to be looked at")
    (wrong,) = await bench.wrong()
    assert (wrong.about, wrong.verdict) == ("memory", Verdict.FAILURE)


def test_the_command_ends_with_one_where_something_failed_and_prints_json(tmp_path: Path) -> None:
    config = tmp_path / "autoscaler.yaml"
    config.write_text(f"policies: [{tmp_path}/none]\ndata: {tmp_path}/data\nlisten: 'off'\n")
    shown = CliRunner().invoke(root, ["doctor", "--config", str(config)])
    assert shown.exit_code == 1
    assert "✗ policies: " in shown.output
    told = CliRunner().invoke(root, ["doctor", "--config", str(config), "--format", "json"])
    assert told.exit_code == 1
    assert msgspec.json.decode(told.output, type=Diagnosis).findings[0].verdict is Verdict.FAILURE


async def test_what_only_tells_who_is_due_is_tried_as_well(bench: Bench) -> None:
    lag = "{prometheus: 'sum by (pod) (lag_seconds)', times_median: 3, for: 5m}"
    bench.write(POLICY + f"recycle: {{when: {{outlier: {lag}}}}}\n")
    (found,) = [each for each in await bench.wrong() if "recycle.when.outlier" in each.about]
    assert found.text.startswith("uncovered: none of 1 series names an instance")
