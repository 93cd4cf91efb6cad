"""`autoscaler init` on a wire that answers what a test says: what is refused, and that nothing is written then."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from autoscaler.cli.root import root
from autoscaler.errors import AutoscalerError
from tests.support.wire import served

TARGET = ("--target", "compose/shop/web", "--current", "2")


class Wire:
    """A Prometheus with counters of these names, each 40 a second for two hours."""

    def __init__(self) -> None:
        self.furthest_s = 8 * 86_400.0  # a question about more is too much for it
        self.there: list[dict[str, str]] = [{"__name__": "http_requests_total", "job": "web"}]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        words = await request.post()
        query = str(words["query"])
        if request.path.endswith("query_range"):
            start, end, step = (float(str(words[name])) for name in ("start", "end", "step"))
            if end - start > self.furthest_s:
                error = '{"status":"error","errorType":"execution","error":"too many samples"}'
                return web.Response(text=error, content_type="application/json", status=422)
            value = "2" if query.startswith("count") else "40"
            times = [start + step * place for place in range(int((end - start) / step) + 1)]
            rows: list[Any] = [{"metric": {}, "values": [[at, value] for at in times if at > end - 7200]}]
            return web.json_response({"status": "success", "data": {"resultType": "matrix", "result": rows}})
        now = time.time()
        if query.startswith("group by"):
            rows = [{"metric": each, "value": [now, "1"]} for each in self.there]
        else:
            rows = [{"metric": {}, "value": [now, "0" if "resets" in query else "15"]}]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": rows}})


class Bench:
    """The command in an empty folder, with that wire as its Prometheus."""

    def __init__(self, wire: Wire, url: str) -> None:
        self.wire, self.url = wire, url

    async def run(self, *words: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, root, ["init", "--prometheus", self.url, *words])

    async def refused(self, *words: str) -> str:
        done = await self.run(*words)
        assert isinstance(done.exception, AutoscalerError), done.output
        assert not Path("policies").exists()
        return str(done.exception)


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOSCALER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("AUTOSCALER_DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    wire = Wire()
    async with served(wire.answer) as url:
        yield Bench(wire, url)


async def test_two_files_are_written_and_a_dry_run_follows(bench: Bench) -> None:
    done = await bench.run(*TARGET)
    assert done.exception is None, done.output
    assert sorted(each.name for each in Path("policies").iterdir()) == ["web.test.yaml", "web.yaml"]
    assert "per_replica: 20  # the most that one carried in the last 2h" in Path("policies/web.yaml").read_text()
    assert "Dry run at" in done.output
    assert re.search(r"compose/default/shop/service/web +web ", done.output)
    assert "Next: autoscaler doctor policies/web.yaml" in done.output


async def test_where_a_week_is_too_much_for_the_server_a_day_does_and_else_it_says_why(bench: Bench) -> None:
    bench.wire.furthest_s = 2 * 86_400.0
    done = await bench.run(*TARGET)
    assert "per_replica: 20  #" in done.output
    bench.wire.furthest_s = 3600.0
    said = str((await bench.run(*TARGET)).exception)
    assert said.startswith("http_requests_total: the past cannot be read: too many samples")
    assert "--per-replica" in said


async def test_neither_the_policy_nor_the_test_is_written_over(bench: Bench) -> None:
    Path("there").mkdir()
    Path("there/web.test.yaml").write_text("mine")
    said = await bench.refused(*TARGET, "--folder", "there")
    assert said.startswith("there/web.test.yaml is there already")
    assert [(each.name, each.read_text()) for each in Path("there").iterdir()] == [("web.test.yaml", "mine")]


async def test_a_workload_that_a_policy_steers_already_gets_no_second_one(bench: Bench) -> None:
    await bench.run(*TARGET)
    done = await bench.run(*TARGET, "--name", "again")
    assert "steers compose/shop/web already" in str(done.exception)
    assert not Path("policies/again.yaml").exists()


async def test_where_nothing_names_the_workload_nothing_is_written(bench: Bench) -> None:
    bench.wire.there = [{"__name__": "http_requests_total", "job": "front"}]
    bench.url = bench.url.replace("http://", "http://ann:s3cret@")
    said = await bench.refused(*TARGET)
    assert "s3cret" not in said
    assert "has no request counter whose labels name compose/shop/web" in said
    assert "--metric cpu" in said


async def test_cpu_is_followed_where_that_is_said(bench: Bench) -> None:
    bench.wire.there = []
    done = await bench.run(*TARGET, "--metric", "cpu")
    assert done.exception is None, done.output
    assert "resource: cpu" in Path("policies/web.yaml").read_text()
    assert "2 tests, all pass" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--current", "2"), "--current: no platform is asked"),
        ((*TARGET, "--metric", "nonsense_total"), "no series of nonsense_total name compose/shop/web"),
        ((*TARGET, "--min", "9", "--max", "3"), "--max: must be at least --min"),
        ((*TARGET, "--name", "a/b"), "--name: expected a name that a file can have"),
        (("--target", "web"), "no compose service"),
    ],
)
async def test_what_cannot_be_is_said_in_a_sentence(bench: Bench, words: tuple[str, ...], said: str) -> None:
    assert said in await bench.refused(*words)


async def test_a_prometheus_that_is_away_is_told_with_the_way_out(bench: Bench) -> None:
    done = await asyncio.to_thread(CliRunner().invoke, root, ["init", *TARGET, "--prometheus", "http://127.0.0.1:1"])
    assert "Prometheus does not tell which metrics it has" in str(done.exception)
    assert "--prometheus URL" in str(done.exception)


async def test_a_file_in_the_place_of_the_folder_is_said(bench: Bench) -> None:
    Path("policies").write_text("")
    done = await bench.run(*TARGET)
    assert "policies is a file" in str(done.exception)
