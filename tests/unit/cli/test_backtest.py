"""`autoscaler record` and `autoscaler backtest` from outside."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from autoscaler.backtest import recording
from autoscaler.backtest.recording import Recording
from autoscaler.backtest.replay import acting
from autoscaler.loop.foresee import asks_of
from autoscaler.model.signal import Point, Series
from autoscaler.policy.load import load
from autoscaler.targets.naming import named
from tests.parts.process import free_port
from tests.support.shapes import Shapes
from tests.unit.cli.test_root import run
from tests.unit.store.test_policy_revision import git

POLICY = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 30}
signals:
  - name: requests
    prometheus: sum(rate(requests_total{service="{service}"}[1m]))
    per_replica: 50
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two revisions of a policy and a recording of four hours."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "web.yaml").write_text(POLICY)
    (tmp_path / "web.yaml").write_text(POLICY.replace("50", "40"))
    recording.write(past(), tmp_path / "web.rec")
    return tmp_path


def past(every_s: float = 15.0, beats: int = 960) -> Recording:
    (policy,) = load([("web.yaml", POLICY)], "r").policies
    (ask,) = asks_of(acting(named(policy), policy))
    readings = [Series((Point(500 + 300 * math.sin(beat / 100)),), 5.0) for beat in range(beats)]
    return Recording(start=1e9, every_s=every_s, beats=beats, columns=(recording.column(ask, "web", readings),))


def test_two_revisions_stand_side_by_side_with_what_was_assumed(home: Path) -> None:
    done = run("backtest", "old/web.yaml", "web.yaml", "--data", "web.rec", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Backtest on web.rec: 2001-09-09T01:46:40Z to 2001-09-09T05:46:25Z, 4h")
    rows = [line for line in done.stdout.splitlines() if line.startswith("web (")]
    assert [row.split(")")[0] for row in rows[:2]] == ["web (old/web.yaml", "web (web.yaml"]
    for words in ("requests: honest", "capacity 71.43 per replica (assumed", "start-up 30s (assumed; --startup)"):
        assert words in done.stdout
    assert "▇" in done.stdout
    assert done.stderr.splitlines()[-1] == "replaying: 100 %"


def test_the_json_is_as_documented(home: Path) -> None:
    done = run("backtest", "web.yaml", "--data", "web.rec", "--format", "json", "--capacity", "60", cwd=home)
    told = json.loads(done.stdout)
    Shapes().check(told, "Backtest")
    assert told["version"] == 1
    assert told["trials"][0]["service"]["capacity"] == 60.0


def test_reports_are_written_and_the_same_every_time(home: Path) -> None:
    for name in ("one", "two"):
        words = ("--html", f"{name}.html", "--svg", f"{name}.svg")
        done = run("backtest", "old/web.yaml", "web.yaml", "--data", "web.rec", *words, cwd=home)
        assert done.returncode == 0, done.stderr
    assert (home / "one.html").read_bytes() == (home / "two.html").read_bytes()
    assert (home / "one.svg").read_bytes() == (home / "two.svg").read_bytes()


def test_a_change_stands_beside_what_is_committed(home: Path) -> None:
    (home / "api.yaml").write_text(POLICY.replace("name: web", "name: api", 1))
    git(home, "init", "-q")
    git(home, "add", "web.yaml", "api.yaml")
    git(home, "commit", "-qm", "first")
    (home / "web.yaml").write_text(POLICY.replace("50", "30"))
    words = ("web.yaml", "api.yaml", "--data", "web.rec", "--against", "HEAD")
    done = run("backtest", *words, "--format", "json", cwd=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [each["name"] for each in told["trials"]] == [
        "web (HEAD:web.yaml)", "web (web.yaml)", "api (HEAD:api.yaml)", "api (api.yaml)",
    ]  # fmt: skip
    costs = [each["card"]["replica_hours"] for each in told["trials"]]
    assert costs[0] < costs[1]
    assert costs[2] == costs[3]
    assert "api: the same in HEAD:api.yaml" in told["notes"]
    refused = run("backtest", "web.yaml", "--data", "web.rec", "--against", "v9", cwd=home)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (2, "error: v9: no such revision in this repository")


WRONG = {
    "no recording": (("--data", "away.rec"), "away.rec: cannot be read: No such file or directory"),
    "no recording but a policy": (("--data", "web.yaml"), "web.yaml: this is not a recording"),
    "two pasts": (("--data", "web.rec", "--prometheus", "http://127.0.0.1:9"), "--data already tells the past"),
    "no time": (("--from", "yesterday"), "--from: expected how long ago or a time, got yesterday"),
    "a future": (("--to", "2999-01-01T00:00:00Z"), "--to: expected a time that is past"),
    "backwards": (("--from", "1d", "--to", "2d"), "--from: expected a time before --to"),
    "a time nobody recorded": (
        ("--data", "web.rec", "--from", "2001-01-01T00:00:00Z", "--to", "2001-01-02T00:00:00Z"),
        "nothing of it lies in that time",
    ),
    "no capacity": (("--data", "web.rec", "--capacity", "0"), "--capacity: expected more than 0"),
    "a capacity of another unit": (("--data", "web.rec", "--capacity", "0.001"), "--capacity: with 0.001 per replica"),
    "a start of a day": (("--data", "web.rec", "--startup", "1d"), "--startup: expected at least 0s and at most 1h"),
    "no span": (("--data", "web.rec", "--queue", "long"), "expected a duration such as 30s or 300ms, got long"),
    "too hard": (("--data", "web.rec", "--objective", "1ms"), "--objective: 1ms cannot be met"),
    "a load nobody recorded": (("--data", "web.rec", "--load", "sum(other)"), "`sum(other)` was not recorded"),
    "nowhere to write": (("--data", "web.rec", "--html", "away/x.html"), "away/x.html: cannot be written"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_is_one_clear_message(home: Path, case: str) -> None:
    words, said = WRONG[case]
    done = run("backtest", "web.yaml", *words, cwd=home)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_recording_of_another_query_or_cycle_names_what_differs(home: Path) -> None:
    (home / "other.yaml").write_text(POLICY.replace("[1m]", "[5m]"))
    done = run("backtest", "other.yaml", "--data", "web.rec", cwd=home)
    assert done.returncode == 2
    assert "web.rec does not match the policy web:" in done.stderr
    assert '[5m]))`, recorded was `sum(rate(requests_total{service="web"}[1m]))`' in done.stderr
    recording.write(past(every_s=30.0), home / "slow.rec")
    done = run("backtest", "web.yaml", "--data", "slow.rec", cwd=home)
    assert (done.returncode, "slow.rec has a reading every 30s, the cycle of the settings is 15s" in done.stderr) == (
        2,
        True,
    )


def test_a_selector_is_many_workloads_and_refused(home: Path) -> None:
    (home / "any.yaml").write_text(POLICY.replace("service: web}}", "selector: {a: b}}}"))
    done = run("backtest", "any.yaml", "--data", "web.rec", cwd=home)
    assert done.returncode == 2
    assert "web: its target is a selector" in done.stderr


def test_a_server_that_does_not_answer_is_one_sentence(home: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for words in (("record", "web.yaml", "--out", "new.rec"), ("backtest", "web.yaml")):
        done = run(*words, "--prometheus", url, "--from", "1h", cwd=home)
        assert done.returncode == 1
        assert f"error: web, requests: the past cannot be read: {url}: cannot connect" in done.stderr
    assert not (home / "new.rec").exists()
