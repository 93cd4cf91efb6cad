"""The daemon's doors: the API on its unix socket, metrics and health on TCP, and the commands that speak to them."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import stat
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from click.testing import CliRunner, Result
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.cli.root import root
from autoscaler.clock import ManualClock
from autoscaler.decide.adaptive.series import Sample, taken
from autoscaler.decide.memory import Memory
from autoscaler.decide.plan import Plan
from autoscaler.decide.proof import known
from autoscaler.errors import AutoscalerError, SettingsError, SourceError
from autoscaler.loop.board import Board
from autoscaler.loop.desk import Desk
from autoscaler.loop.gallery import Gallery
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.past import Past
from autoscaler.loop.recollect import Recollection
from autoscaler.loop.rehearse import Foresight
from autoscaler.model.decision import Beside, Decision, Reason
from autoscaler.model.signal import Missing, MissingWhy, Point, Series
from autoscaler.model.target import TargetState
from autoscaler.policy.load import load
from autoscaler.ports import Fact, FactKind, Record, RecordKind, Sink
from autoscaler.settings import WebSettings
from autoscaler.store.memory import MemoryStore
from autoscaler.web import metrics
from autoscaler.web.doors import STATIC, Rooms
from autoscaler.web.events import Streams
from autoscaler.web.exposition import PREFIX
from autoscaler.web.server import Vitals, serve
from autoscaler.web.workload_series import SLICE
from tests.parts.catalogue import program
from tests.parts.require import require
from tests.support.nouns import decision, policy_set, record, state, workload

NOW = 2000.0
ROOT = Path(__file__).parents[3]


async def untold(plan: Plan, state: TargetState, at: float) -> Decision:
    raise SourceError("nobody tells of the past here")


class House:
    """Board, desk and doors around nothing: what a daemon shows without one."""

    def __init__(self, folder: Path, *sinks: Sink) -> None:
        self.clock = ManualClock(NOW)
        self.board = Board(started=NOW - 900, cycle_s=15.0)
        streams = Streams(self.board)
        self.keeper = Keeper(MemoryStore(), [streams, *sinks])
        self.controls: list[tuple[dict[str, object], dict[str, object]]] = []
        self.desk = Desk(
            self.board,
            self.keeper,
            self.clock,
            lambda said: self.controls.append((dict(said.pauses), dict(said.overrides))),
            Past(self.board, self.keeper, untold),
            self.recollect,
        )
        self.tried: list[tuple[object, ...]] = []
        self.rooms = Rooms(self.desk, Gallery(self.board, self.desk, self.clock, self.attempt), streams)
        self.socket = folder / "run" / "autoscaler.sock"
        self.config = folder / "autoscaler.yaml"
        self.config.write_text(json.dumps({"socket": str(self.socket)}))
        self.leading = True
        self.vitals = Vitals(
            self.board, self.clock.now, leading=lambda: self.leading, store_failing=lambda: bool(self.keeper.failing)
        )
        web = workload()
        self.board.activated(policy_set(web), [web])

    async def recollect(self) -> Recollection:
        return Recollection(at=NOW, facts=(Fact(FactKind.INTENT, "a", b"\xff"),), running=True)

    def decided(self, **fields: object) -> None:
        made = decision(at=NOW - 5, **fields)  # type: ignore[arg-type]
        self.board.show(made, state(), ())
        self.board.turned(NOW - 5, duration_s=0.02, lateness_s=0.001)

    async def attempt(self, texts: Sequence[tuple[str, str]], file: str, current: int | None) -> Foresight:
        """A dry run by the real loader; what would be decided is not this house's business."""
        policies = load(texts, "what-if")
        self.tried.append((file, current, [each.name for each in policies.policies]))
        return Foresight(at=NOW, cycle_s=15.0, prometheus="", pretended=current, notes=(), workloads=())

    async def cli(self, *words: str) -> Result:
        """A command, run as a person would; it speaks to the socket from another thread."""
        return await asyncio.to_thread(CliRunner().invoke, root, [*words, "--config", str(self.config)])

    async def said(self, *words: str) -> str:
        done = await self.cli(*words)
        assert done.exit_code == 0, f"{done.output} {done.exception}"
        return done.output


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    async with serve(house.rooms, house.vitals, house.socket, None):
        yield house


async def test_only_its_owner_may_open_the_socket(house: House) -> None:
    assert stat.S_IMODE(os.stat(house.socket).st_mode) == 0o600


async def test_the_socket_goes_away_with_the_daemon_and_a_stale_one_is_no_obstacle(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.socket.parent.mkdir()
    house.socket.touch()
    async with serve(house.rooms, house.vitals, house.socket, None):
        assert "web" in await house.said("status")
    assert not house.socket.exists()


async def test_a_socket_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(SettingsError, match="cannot be opened"):
        async with serve(house.rooms, house.vitals, tmp_path / ("x" * 200), None):
            pass


async def test_what_nobody_sees_is_written_out_in_words_and_escaped_in_json(house: House) -> None:
    house.board.fault(NOW, "label a\u202eb of 주문")
    assert "fault: label a\\x202eb of 주문" in await house.said("status")
    answer = await house.said("status", "--format", "json")
    assert "\u202e" not in answer
    assert json.loads(answer)["faults"][0]["sentence"] == "label a\u202eb of 주문"


async def test_status_before_and_after_the_first_cycle(house: House) -> None:
    assert "waiting for the first cycle" in await house.said("status")
    house.decided(current=2, desired=6, reason=Reason.ABOVE_TARGET)
    text = await house.said("status")
    for part in ("compose/default/shop/service/web", "above_target", "load 550, 100 per replica", "1..10"):
        assert part in text
    answer = json.loads(await house.said("status", "--format", "json"))
    assert answer["workloads"][0]["desired"] == 6
    assert answer["version"] == 1


async def test_status_of_one_workload_shows_its_instances(house: House) -> None:
    house.decided()
    text = await house.said("status", "web")
    assert "web-1" in text
    assert "within_tolerance" in text


async def test_explain_now_and_of_a_past_cycle(house: House) -> None:
    house.decided(reason=Reason.BELOW_TARGET)
    text = await house.said("explain", "web")
    assert "below_target" in text
    assert "its query is asked alone: no label is matched by =" in text
    old = record(1000.0, workload="compose/default/shop/service/web", made=decision(reason=Reason.ABOVE_TARGET))
    await house.keeper.record([old])
    text = await house.said("explain", "web", "--at", "1970-01-01T00:20:00Z")
    assert "above_target" in text
    assert "until the next change" in text


async def test_history_tells_people_s_words(house: House) -> None:
    await house.said("pause", "web", "--for", "2h", "--why", "release")
    text = await house.said("history", "web")
    assert "paused" in text
    assert "release" in text
    assert "nothing yet" not in text


async def test_pause_override_and_resume_reach_the_loop_and_survive_in_the_store(house: House) -> None:
    key = "compose/default/shop/service/web"
    assert "is paused until 1970-01-01T00:43:20Z" in await house.said("pause", "web", "--for", "10m")
    assert "is set to 4" in await house.said("override", "web", "4", "--for", "1h", "--why", "sale")
    pauses, overrides = house.controls[-1]
    assert key in pauses
    assert key in overrides
    facts = await house.keeper.store.facts()
    assert {fact.kind.value for fact in facts} == {"pause", "override"}
    assert "is resumed" in await house.said("resume", "web")
    assert house.controls[-1] == ({}, {})
    assert {fact.kind.value for fact in await house.keeper.store.facts()} == {"resume"}


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        (("explain", "wbe"), "no workload goes by the name wbe", "did you mean"),
        (("override", "web", "99", "--for", "1h"), "99 is above replicas.max (10)", "force"),
        (("override", "web", "3", "--for", "tomorrow"), "expected a duration", ""),
        (("pause", "web", "--for", "0s"), "a pause must last longer than 0 s", ""),
        (("explain", "web", "--at", "noon"), "expected a time such as", ""),
        (("explain", "web"), "has not been decided yet", ""),
    ],
)
async def test_a_wrong_question_gets_a_sentence_and_a_hint(
    house: House, words: tuple[str, ...], said: str, hint: str
) -> None:
    done = await house.cli(*words)
    assert isinstance(done.exception, AutoscalerError)
    assert said in str(done.exception)
    assert hint in str(done.exception)
    assert done.exception.exit_code != 0


async def test_without_a_daemon_the_commands_say_where_they_looked(tmp_path: Path) -> None:
    house = House(tmp_path)
    done = await house.cli("status")
    assert str(house.socket) in str(done.exception)
    assert "autoscaler run" in str(done.exception)


async def test_the_api_refuses_what_it_does_not_know(house: House) -> None:
    connector = aiohttp.UnixConnector(str(house.socket))
    async with aiohttp.ClientSession(connector=connector) as session:
        for method, path, body, status in (
            ("GET", "/api/v1/nothing", None, 404),
            ("GET", "/api/v1/workloads/nobody", None, 404),
            ("GET", "/api/v1/history?limit=many", None, 400),
            ("GET", "/api/v1/pause/web", None, 405),
            ("POST", "/api/v1/override/web", b'{"count": "many", "for_s": 3}', 400),
            ("POST", "/api/v1/pause/web", b'{"fro_s": 3}', 400),
            ("POST", "/api/v1/pause/web", b"not json", 400),
        ):
            async with session.request(method, f"http://daemon{path}", data=body) as answer:
                assert (answer.status, path) == (status, path)
                assert "error" in await answer.json()


async def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    house = House(tmp_path)
    seen = Series((Point(550.0),), age_s=3.0)
    house.decided(current=2, desired=6, reason=Reason.ABOVE_TARGET, readings=(("requests", seen),))
    house.board.fault(NOW, "x")
    async with listening(house) as url:
        samples = await scraped(url)
    assert samples["autoscaler_workload_desired_replicas"] == 6
    assert samples["autoscaler_workload_ready_replicas"] == 2
    assert samples["autoscaler_signal_age_seconds"] == 3
    assert samples["autoscaler_signal_present"] == 1
    assert samples["autoscaler_changes_total"] == 1
    assert samples["autoscaler_faults_total"] == 1
    assert samples["autoscaler_cycle_duration_seconds_count"] == 1
    assert samples["autoscaler_leader"] == 1


def proven(house: House) -> None:
    """A load that is known for a day, and another algorithm in the shadow."""
    shadow = Beside("hpa", 5, 7, Reason.ABOVE_TARGET)
    house.board.show(msgspec.structs.replace(decision(at=NOW - 5), beside=shadow), state(), ())
    (learned,) = taken([Sample(None, "load", 100.0, 10.0, 5)], NOW)
    learned = msgspec.structs.replace(learned, bins=5760, over=0.003)
    memory = Memory(first_seen=0.0, fingerprint="", learned={"requests": learned}, taught={"requests": 43_200.0})
    (entry,) = house.board.entries.values()
    entry.known = known(memory)


async def test_metrics_show_both_counts_and_how_good_the_forecast_was(tmp_path: Path) -> None:
    house = House(tmp_path)
    proven(house)
    async with listening(house) as url:
        samples = await scraped(url)
    assert samples["autoscaler_workload_desired_replicas"] == 2
    assert samples["autoscaler_workload_shadow_replicas"] == 7
    assert samples["autoscaler_signal_learned_seconds"] == 86_400
    assert samples["autoscaler_signal_coverage_ratio"] == 0.997
    assert 0 < samples["autoscaler_signal_forecast_error_ratio"] < 1


async def test_status_and_explain_show_the_shadow_and_what_is_known(house: House) -> None:
    proven(house)
    (entry,) = house.board.entries.values()
    entry.history = "learning from history, 1d of 3d read"
    row = await house.said("status")
    assert "[learning from history, 1d of 3d read] [hpa would have 7]" in row
    told = await house.said("explain", "web")
    assert "in the shadow, never acted on: hpa would go from 5 to 7 (above_target)" in told
    text = "requests: learned from 12 hours of history, and in 12h since; in 99.7 of 100 bins of the last day the load"
    assert text in told
    assert text in await house.said("status", "web")
    (line,) = json.loads(await house.said("status", "--format", "json"))["workloads"]
    assert line["compared"] == {"algorithm": "hpa", "current": 5, "desired": 7, "reason": "above_target"}
    assert line["learned"][0]["coverage"] == 0.997


async def test_missing_data_is_counted_by_cause(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.decided(reason=Reason.NO_OPINION, readings=(("requests", Missing(MissingWhy.NAN, "NaN")),))
    async with listening(house) as url:
        samples = await scraped(url)
    assert samples["autoscaler_readings_missing_total"] == 1
    assert samples["autoscaler_signal_present"] == 0


async def test_health_is_told_by_the_cycles(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.board.started = NOW
    async with listening(house) as url, aiohttp.ClientSession() as session:

        async def status(path: str) -> int:
            async with session.get(url + path) as answer:
                return answer.status

        assert await status("/healthz") == 200
        assert await status("/readyz") == 503
        house.decided()
        assert await status("/readyz") == 200
        house.clock.advance(200.0)
        assert await status("/healthz") == 503
        house.leading = False
        assert await status("/healthz") == 200, "another one acts"
        house.clock.advance(80_000.0)
        assert await status("/readyz") == 200
        house.leading = True
        assert await status("/healthz") == 200, "it has only just begun to act"
        house.clock.advance(200.0)
        assert await status("/healthz") == 503
        house.board.revision = ""
        assert (await status("/healthz"), await status("/readyz")) == (200, 200), "without policies there are no cycles"


class listening:
    """The house with its TCP door open on a free port; gives the URL."""

    def __init__(self, house: House, settings: WebSettings = WebSettings()) -> None:  # noqa: B008 (frozen)
        import socket

        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self._port = asked.getsockname()[1]
        self._doors = serve(house.rooms, house.vitals, house.socket, ("127.0.0.1", self._port), settings)

    async def __aenter__(self) -> str:
        await self._doors.__aenter__()
        return f"http://127.0.0.1:{self._port}"

    async def __aexit__(self, *error: object) -> None:
        await self._doors.__aexit__(None, None, None)


async def scraped(url: str) -> dict[str, float]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        text = await answer.text()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


async def asked(house: House, method: str, path: str, **words: object) -> tuple[int, dict[str, object]]:
    """The answer of the socket's API."""
    connector, url = aiohttp.UnixConnector(str(house.socket)), f"http://daemon/api/v1{path}"
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.request(method, url, **words) as answer,  # type: ignore[arg-type]
    ):
        return answer.status, await answer.json()


async def test_a_workload_is_told_with_its_signals_and_steps(house: House) -> None:
    seen = Series((Point(550.0),), age_s=3.0)
    house.decided(current=2, desired=6, reason=Reason.ABOVE_TARGET, readings=(("requests", seen),))
    status, told = await asked(house, "GET", "/workloads/shop/web")
    assert status == 200
    (signal,) = told["signals"]  # type: ignore[misc]
    assert (signal["load"], signal["target"], signal["asks"], signal["age_s"]) == (550.0, 100.0, 6, 3.0)
    assert told["steps"][0]["sentence"].startswith("requests: load 550")  # type: ignore[index]
    assert told["asked"] == 6


async def test_the_series_of_a_workload_are_as_long_as_what_is_asked_for(house: House) -> None:
    house.decided(current=2, desired=6, reason=Reason.ABOVE_TARGET)
    status, told = await asked(house, "GET", f"/series/web?since={NOW - 60}")
    assert status == 200
    assert told["every_s"] == 15.0
    assert told["values"]["desired"] == [None, None, None, None, 6.0]  # type: ignore[index]
    assert (await asked(house, "GET", f"/series/web?since={NOW + 60}"))[0] == 400


async def test_policies_are_told_with_problems_where_they_stand(house: House) -> None:
    texts = (("policies/web.yaml", "name: web\n"), ("policies/other.yaml", "name: other\n"))
    house.board.activated(policy_set(workload()), [workload()], texts)
    house.board.rejected("r2", ("policies/web.yaml:6:17: replicas.max: must be at least 2\n  hint: raise max",), texts)
    status, told = await asked(house, "GET", "/policies")
    assert status == 200
    assert (told["revision"], told["rejected"]) == ("r1", "r2")
    web, other = told["files"]  # type: ignore[misc]
    assert (web["problems"][0]["line"], web["problems"][0]["hint"]) == (6, "raise max")
    assert web["policies"][0]["workloads"] == ["compose/default/shop/service/web"]
    assert (web["text"], other["problems"]) == ("", [])
    _, one = await asked(house, "GET", "/policies?file=policies/web.yaml")
    assert one["files"][0]["text"] == "name: web\n"  # type: ignore[index]
    assert (await asked(house, "GET", "/policies?file=nowhere"))[0] == 400


async def test_what_if_decides_by_the_text_with_the_set_s_defaults_and_keeps_nothing(house: House) -> None:
    defaults = ("policies/defaults.yaml", "kind: defaults\nreplicas: {max: 5}\n")
    house.board.activated(policy_set(workload()), [workload()], [defaults, ("policies/web.yaml", "name: web\n")])
    text = "name: web\ntarget: {compose: {project: shop, service: web}}\n"
    body = {"policy": text, "file": "policies/web.yaml", "current": 3}
    status, told = await asked(house, "POST", "/what-if", json=body)
    assert (status, told["problems"]) == (200, [])
    assert house.tried == [("policies/web.yaml", 3, ["web"])]
    _, told = await asked(house, "POST", "/what-if", json={"policy": "name: [x]\n"})
    assert told["problems"][0]["file"] == "what-if.yaml"  # type: ignore[index]
    assert house.board.texts[1] == ("policies/web.yaml", "name: web\n")
    assert house.controls == []


async def test_over_tcp_a_token_s_own_name_is_on_record_and_the_commands_can_show_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.decided()
    (tmp_path / "tokens").write_text("alice write alice-alice-alice-1\nbob read bob-bob-bob-bob-2\n")
    (tmp_path / "alice").write_text("alice-alice-alice-1\n")
    (tmp_path / "bob").write_text("bob-bob-bob-bob-2\n")
    async with listening(house, WebSettings(tokens=str(tmp_path / "tokens"))) as url:

        async def said(*words: str, token: str = "") -> Result:
            told = ["--token-file", str(tmp_path / token)] if token else []
            return await asyncio.to_thread(CliRunner().invoke, root, [*words, "--server", url, *told])

        assert "within_tolerance" in (await said("status", "web")).output
        assert "needs a token that may write" in str((await said("pause", "web")).exception)
        assert "the token of bob may read, not write" in str((await said("pause", "web", token="bob")).exception)
        assert "is paused" in (await said("pause", "web", token="alice")).output
        (line,) = (await house.desk.history("web")).lines
        assert line.by == "alice"
        assert "expected a URL" in str(
            (await asyncio.to_thread(CliRunner().invoke, root, ["status", "--server", "nowhere"])).exception
        )


async def test_the_page_comes_with_its_parts_and_is_not_sent_again_while_it_is_the_same(tmp_path: Path) -> None:
    house = House(tmp_path)
    async with listening(house) as url, aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            page, mark = await answer.text(), answer.headers["ETag"]
        for part in re.findall(r'(?:src|href)="(/[^"]+)"', page):
            async with session.get(url + part) as answer:
                assert answer.status == 200, part
        async with session.get(url, headers={"If-None-Match": mark}) as answer:
            assert answer.status == 304
        async with session.get(f"{url}/vendor/../../api.py") as answer:
            assert answer.status == 404


def test_what_is_not_ours_in_the_dashboard_is_named_with_version_licence_and_digest() -> None:
    vendor = STATIC / "vendor"
    told = json.loads((vendor / "manifest.json").read_text())
    assert set(told) == {each.name for each in vendor.iterdir() if each.suffix in (".js", ".css")}
    for name, each in told.items():
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == each["sha256"], name
        assert (vendor / each["licence"]).exists()


async def test_what_the_daemon_does_not_remember_is_told_from_history_and_the_rest_is_empty(house: House) -> None:
    house.clock.advance(400 * 86_400.0)
    now = house.clock.now()
    key = workload().ref.key
    days = [
        Record(at=now - ago * 86_400.0, kind=RecordKind.DECISION, workload=key, after=after)
        for ago, after in ((5, 3), (2, 7))
    ]
    await house.keeper.store.append([*days, Record(at=now - 86_400.0, kind=RecordKind.CONTROL, workload=key, after=9)])
    house.board.show(decision(at=now - 700), state(existing=7), ())
    status, told = await asked(house, "GET", f"/series/web?since={now - 365 * 86_400}")
    assert (status, told["every_s"]) == (200, 600)
    values: Any = told["values"]
    start: Any = told["start"]
    assert now - 7 * 86_400 - 600 <= start <= now - 7 * 86_400
    cells = [int((now - ago * 86_400 - start) // 600) for ago in (5, 2)]
    assert [values["recorded"][cell] for cell in cells] == [3, 7]
    assert [values["recorded"][cell - 1] for cell in cells] == [None, 3], "nobody knows what was before the first"
    (known,) = (n for n, value in enumerate(values["existing"]) if value is not None)
    assert known == int((now - 700 - start) // 600)
    assert set(values["recorded"][cells[1] :]) == {7}
    assert len(values["recorded"]) == known + 1, "as far as it is remembered"
    status, told = await asked(house, "GET", f"/series/web?since={now - 650}")
    assert "recorded" in told["values"], "the fine ring, too, begins where the daemon did"


async def test_every_metric_is_told_of_and_the_series_of_workloads_can_be_left_out(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.decided(reason=Reason.NO_OPINION, readings=(("requests", Missing(MissingWhy.NAN, "NaN")),))
    async with listening(house) as url:
        everything = await scraped(url)
    known = {f"{PREFIX}{each.name}" for each in metrics.families()}
    assert {name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count") for name in everything} <= known
    async with listening(house, WebSettings(workload_series=False)) as url:
        few = await scraped(url)
    assert "autoscaler_cycles_total" in few
    assert not [name for name in few if "workload" in name or "signal" in name]


async def test_a_scrape_of_many_workloads_lets_everything_else_go_on_in_between(tmp_path: Path) -> None:
    board = Board()
    many = [workload(f"web{number}") for number in range(10 * SLICE)]
    board.activated(policy_set(*many), many)
    for each in many:
        board.show(decision(each.ref.name), state(each.ref.name), ())
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    running = asyncio.create_task(others())
    told = (await metrics.text(board, leading=True, store_failing=False)).decode()
    running.cancel()
    assert turns >= 10
    for family in text_string_to_metric_families(told):
        if family.name in ("autoscaler_workload_replicas", "autoscaler_signal_value"):
            assert len({sample.labels["workload"] for sample in family.samples}) == len(many)


def test_the_rules_speak_of_metrics_that_there_are() -> None:
    told = (ROOT / "monitoring" / "alerts.yaml").read_text()
    known = {f"{PREFIX}{each.name}" for each in metrics.families()}
    said = set(re.findall(r"autoscaler_\w+", told))
    assert said
    assert {name.removesuffix("_bucket") for name in said} <= known


@pytest.mark.prometheus
def test_prometheus_takes_the_rules() -> None:
    require("prometheus")
    words = [str(program("promtool")), "check", "rules", str(ROOT / "monitoring" / "alerts.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 rules found" in done.stdout
