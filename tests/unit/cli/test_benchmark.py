"""`autoscaler benchmark` from outside."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from autoscaler.cli.root import root
from autoscaler.errors import AutoscalerError

POLICY = """
name: mine
target: {kubernetes: {namespace: prod, name: web}}
replicas: {min: 1, max: 50}
signals: [{name: requests, prometheus: sum(x), per_replica: 6}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One hour of minutes with a burst."""
    rows = [f"{60 * minute},{9 if 30 <= minute < 40 else 3}" for minute in range(60)]
    (tmp_path / "web.csv").write_text("timestamp_s,requests_per_s\n" + "\n".join(rows) + "\n")
    (tmp_path / "mine.yaml").write_text(POLICY)
    return tmp_path


def run(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(root, ["benchmark", "--traces", str(folder), *words])


def test_a_table_has_a_row_per_case_and_one_per_policy(folder: Path) -> None:
    done = run(folder, "--policy", "keda", "--policy", str(folder / "mine.yaml"))
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:6] == ["TRACE", "DELAY", "POLICY", "V", "%", "C"]
    cases = [line[:3] for line in lines if line[:1] == ["web"]]
    assert cases == [["web", delay, policy] for delay in ("30", "120") for policy in ("keda", "mine")]
    assert [line[:3] for line in lines if line[:1] == ["core"]] == [["core", "keda", "2"], ["core", "mine", "2"]]
    assert "[4/4] web, delay 120 s, mine: V" in done.stderr, "progress is told beside the answer"


def test_policies_can_be_told_a_wrong_capacity(folder: Path) -> None:
    done = run(folder, "--policy", "keda", "--policy", "adaptive", "--delay", "30", "--wrong-capacity", "0,30")
    assert done.exit_code == 0, done.output
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith("web ")]
    assert [row[2] for row in rows] == ["keda", "adaptive", "keda+30%", "adaptive+30%"]
    assert float(rows[2][4]) < float(rows[0][4]), "who thinks more of an instance has fewer"


def test_two_runs_write_the_same_bytes(folder: Path) -> None:
    for name in ("one.json", "two.json"):
        assert run(folder, "--policy", "hpa-cpu", "--policy", "kpa", "--json", str(folder / name)).exit_code == 0
    text = (folder / "one.json").read_bytes()
    assert text == (folder / "two.json").read_bytes()
    report = json.loads(text)
    assert report["pipeline"] == "standard"
    assert {"trace", "delay", "policy", "V", "C", "J", "actions_per_day"} <= set(report["rows"][0])
    assert {"policy", "Q"} <= set(report["aggregates"][0])


def test_the_answer_as_json_is_what_is_written(folder: Path) -> None:
    done = run(folder, "--delay", "5", "--pipeline", "fast", "--json", str(folder / "out.json"), "--format", "json")
    assert json.loads(done.stdout) == json.loads((folder / "out.json").read_text())
    assert json.loads(done.stdout)["pipeline"] == "fast"


def test_a_frontier_is_a_table_of_its_own(folder: Path) -> None:
    done = run(folder, "--policy", "aws-tt", "--delay", "30", "--frontier")
    assert done.exit_code == 0, done.output
    assert "C@0.1%" in done.stdout
    assert "In hindsight, over the core traces:" in done.stdout


def test_charts_are_pictures_that_load(folder: Path) -> None:
    words = ("--policy", "aws-tt", "--policy", "fixed", "--delay", "30", "--frontier", "--charts", str(folder / "new"))
    done = run(folder, *words)
    assert done.exit_code == 0, done.output
    found = {file.name: ElementTree.fromstring(file.read_text()) for file in (folder / "new").iterdir()}
    assert set(found) == {"web-30.svg", "frontier.svg"}
    said = {name: "".join(picture.itertext()) for name, picture in found.items()}
    assert "web, start-up delay 30 s" in said["web-30.svg"]
    assert "aws-tt: " in said["web-30.svg"]
    assert "fixed: " in said["web-30.svg"]
    assert "web, 30 s" in said["frontier.svg"]
    assert "nan" not in "".join(ElementTree.tostring(picture, "unicode") for picture in found.values())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--policy", "nobody"], "nobody: no policy of that name, and no such file"),
        (["--policy", "keda", "--policy", "keda@2"], "keda@2: a target utilization is above 0"),
        (["--delay", "soon"], "--delay: expected whole seconds up to 3600, got soon"),
        (["--delay", "30,-1"], "--delay: expected whole seconds"),
        (["--delay", "99999"], "--delay: expected whole seconds"),
        (["--wrong-capacity", "much"], "--wrong-capacity: expected percent from -90 to 90, got much"),
        (["--wrong-capacity", "30,200"], "--wrong-capacity: expected percent from -90 to 90, got 30,200"),
        (["--policy", "fixed", "--wrong-capacity", "30"], "--wrong-capacity: fixed is told no capacity"),
        (["--trace", "api"], "no trace api"),
        (["--policy", "fixed", "--frontier"], "--frontier: none of these policies has a target to sweep"),
        (["--policy", "MINE", "--policy", "TWIN"], "mine: two policies of that name"),
        (["--policy", "EMPTY"], "empty.yaml: no policies there"),
        (["--policy", "WRONG"], "wrong.yaml:1:"),
        (["--json", "NOWHERE"], "out.json: cannot be written: no such folder"),
        (["--charts", "MINE/charts"], "mine.yaml/charts: cannot be made"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_asked_wrongly_is_one_clear_message(folder: Path, words: list[str], said: str) -> None:
    places = {
        "MINE": folder / "mine.yaml",
        "TWIN": folder / "twin.yaml",
        "EMPTY": folder / "empty.yaml",
        "WRONG": folder / "wrong.yaml",
        "NOWHERE": folder / "nowhere" / "out.json",
    }
    places["TWIN"].write_text(POLICY)
    places["EMPTY"].write_text("")
    places["WRONG"].write_text("nonsense: 1\n")
    places["MINE/charts"] = places["MINE"] / "charts"
    done = run(folder, *[str(places.get(word, word)) for word in words])
    assert done.exit_code != 0
    assert isinstance(done.exception, AutoscalerError)
    assert said in str(done.exception)


def test_a_folder_without_traces_is_said(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert isinstance(done.exception, AutoscalerError)
    assert "no traces here" in str(done.exception)
