"""`autoscaler tune` from outside."""

from __future__ import annotations

import json
import math
import subprocess
import xml.etree.ElementTree as ET
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
from tests.unit.cli.test_root import run

EVERY_S = 300.0
POLICY = """\
# the shop
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 60}
signals:
  - name: requests
    prometheus: sum(rate(requests_total{service="{service}"}[1m]))
    per_replica: 20   # a guess
"""
WORDS = ("tune", "web.yaml", "--data", "web.rec", "--capacity", "70", "--budget", "7")


def past(days: float = 3.0) -> Recording:
    (policy,) = load([("web.yaml", POLICY)], "r").policies
    (ask,) = asks_of(acting(named(policy), policy))
    beats = round(days * 86400 / EVERY_S)
    told = [Series((Point(500 + 300 * math.sin(beat / 288 * 2 * math.pi)),), 5.0) for beat in range(beats)]
    return Recording(start=1e9, every_s=EVERY_S, beats=beats, columns=(recording.column(ask, "web", told),))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A policy that keeps more than it needs, and three days of its past."""
    (tmp_path / "autoscaler.yaml").write_text("cycle: 5m\n")
    (tmp_path / "web.yaml").write_text(POLICY)
    recording.write(past(), tmp_path / "web.rec")
    recording.write(past(1.0), tmp_path / "short.rec")
    return tmp_path


def test_the_proposal_its_evidence_and_its_patch_are_told(home: Path) -> None:
    done = run(*WORDS, "--diff", "--write", "web.patch", "--svg", "web.svg", "--html", "web.html", cwd=home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Tuning web on web.rec: 2001-09-09T01:46:40Z to 2001-09-12T01:41:40Z, 3d,")
    assert "Searched before 2001-09-11T01:46:40Z, judged on the third after it; 7 replays." in done.stdout
    for words in ("as it is", "frontier", "requests: honest", "capacity 70 per replica", "held out, 2001-09-11"):
        assert words in done.stdout
    assert done.stderr.splitlines()[-1] == "replaying: 100 %"
    patch = (home / "web.patch").read_text()
    assert done.stdout.endswith("\n" + patch)
    assert ET.parse(home / "web.svg").getroot().tag.endswith("svg")
    assert "as it is" in (home / "web.html").read_text()
    assert (home / "web.yaml").read_text() == POLICY, "the policy itself is only changed by who applies the patch"


def test_the_patch_applies_loads_and_keeps_the_comments(home: Path) -> None:
    (home / "shop").mkdir()
    (home / "web.yaml").rename(home / "shop" / "web.yaml")
    done = run("tune", "shop", *WORDS[2:], "--within", "0.5", "--write", "x.patch", "--format", "json", cwd=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["outcome"] == "proposed"
    assert told["patch"] == (home / "x.patch").read_text()
    subprocess.run(["git", "apply", "x.patch"], cwd=home, check=True, timeout=30)
    text = (home / "shop" / "web.yaml").read_text()
    assert text != POLICY
    assert text.startswith("# the shop\n")
    assert "# a guess" in text
    (policy,) = load([("web.yaml", text)], "r").policies
    assert told["change"]["key"] == "requests.per_replica"
    assert f"{policy.signals[0].per_replica:g}" == told["change"]["after"]


def test_json_has_every_attempt_and_both_parts_of_the_evidence(home: Path) -> None:
    first, second = (run(*WORDS, "--format", "json", cwd=home) for _ in range(2))
    assert first.stdout == second.stdout, "the same twice"
    told = json.loads(first.stdout)
    assert told["version"] == 1
    assert len(told["attempts"]) == 5
    assert [each["change"] for each in told["attempts"]].count(None) == 1
    assert told["searched"]["end"] == told["split"] == told["judged"]["start"]


def test_a_policy_with_a_single_key_to_tune_and_no_behavior_says_what_was_searched(home: Path) -> None:
    bare = POLICY.replace("{min: 2, max: 60}", "{min: 1, max: 1}") + "behavior: legacy\n"
    (home / "web.yaml").write_text(bare)
    done = run(*WORDS, cwd=home)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[2] == "Searched were 1 key, one change at a time:"
    assert lines[3].startswith("  requests.per_replica: 20 → ")
    assert len(lines[3].split(" · ")) == 4, "of a budget of seven, one is the policy as it is and two are the proof"
    assert "note: behavior is not tuned: legacy has no values of its own" in lines
    (home / "web.yaml").write_text(POLICY)
    done = run(*WORDS, cwd=home)
    assert "Searched were 3 keys, one change at a time:" in done.stdout, done.stdout


def test_a_policy_of_which_nothing_can_be_tuned_is_told_so_before_anything_is_replayed(home: Path) -> None:
    steps = POLICY.replace("per_replica: 20   # a guess", "steps: [{above: 100, replicas: 3}]")
    (home / "web.yaml").write_text(steps.replace("{min: 2, max: 60}", "{min: 1, max: 1}") + "behavior: legacy\n")
    done = run(*WORDS, "--load", "requests", cwd=home)
    assert done.returncode == 2
    assert (
        "web: nothing of it can be tuned: requests is not tuned: of steps no single number is the target" in done.stderr
    )
    assert "behavior is not tuned: legacy" in done.stderr
    assert "replaying" not in done.stderr


def test_where_nothing_is_better_no_patch_is_written(home: Path) -> None:
    words = (*WORDS, "--within", "0", "--capacity", "20.5", "--budget", "4", "--diff", "--write", "x.patch")
    done = run(*words, "--html", "x.html", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "Nothing better was found among 1 changes." in done.stdout
    assert "no patch: nothing is proposed" in done.stderr
    assert not (home / "x.patch").exists()
    assert not (home / "x.html").exists()


def test_one_of_several_policies_is_named(home: Path) -> None:
    other = POLICY.replace("name: web", "name: api").replace("service: web", "service: api")
    (home / "web.yaml").write_text(f"{POLICY}---\n{other}")
    done = run(*WORDS, cwd=home)
    assert done.returncode == 2
    assert "web.yaml: 2 policies are there, one is tuned at a time" in done.stderr
    done = run(*WORDS, "--policy", "nobody", cwd=home)
    assert "no policy nobody with replicas there" in done.stderr
    done = run(*WORDS, "--policy", "web", "--diff", cwd=home)
    assert done.returncode == 0, done.stderr
    assert "-    per_replica: 20   # a guess" in done.stdout


WRONG = {
    "no policy": (("tune", "away.yaml", "--data", "web.rec"), "no policies at away.yaml"),
    "no recording": (("tune", "web.yaml", "--data", "away.rec"), "away.rec: cannot be read"),
    "two pasts": (("tune", "web.yaml", "--data", "web.rec", "--from", "30d"), "--data already tells the past"),
    "too short": (("tune", "web.yaml", "--data", "short.rec"), "short.rec is too short to tune by: 1d, 3d are needed"),
    "no budget": ((*WORDS[:-1], "3"), "3 is not in the range x>=4"),
    "no share": ((*WORDS, "--within", "101"), "101.0 is not in the range 0<=x<=100"),
    "absurd capacity": ((*WORDS, "--capacity", "0.001"), "--capacity: with 0.001 per replica"),
    "nowhere to write": ((*WORDS, "--write", "away/x.patch"), "away/x.patch: cannot be written"),
}


@pytest.mark.parametrize("case", list(WRONG))
def test_what_is_wrong_is_one_clear_message(home: Path, case: str) -> None:
    words, said = WRONG[case]
    done = run(*words, cwd=home)
    assert done.returncode == 2, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_server_that_does_not_answer_is_one_sentence(home: Path) -> None:
    done = run("tune", "web.yaml", "--prometheus", f"http://127.0.0.1:{free_port()}", "--from", "4d", cwd=home)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
