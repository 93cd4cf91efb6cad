"""`autoscaler plan` on real repositories: what changes, what it does, and what a stranger's change cannot do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.backtest import recording
from autoscaler.policy.nodes import documents
from tests.support.shapes import Shapes
from tests.unit.cli.test_backtest import POLICY, past
from tests.unit.cli.test_root import run
from tests.unit.store.test_policy_revision import git

ROOT = Path(__file__).parents[3]
TEST = "name: fifty are two\nload: 50x5m\nreplicas: 2x20\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A repository with one policy, a recording beside it, and one test."""
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "web.yaml").write_text(POLICY)
    (tmp_path / "policies" / "web.test.yaml").write_text(TEST)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    recording.write(past(), tmp_path / "policies" / "web.rec")
    return tmp_path


def plan(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run("plan", "policies", "--against", "main", *words, cwd=home)


def commit(home: Path) -> None:
    git(home, "checkout", "-q", "-b", "change")
    git(home, "add", "-A")
    git(home, "commit", "-qm", "second")


def test_nothing_changed_is_said_in_three_lines(home: Path) -> None:
    done = plan(home)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "no policy changes, 0 errors", "the working tree against main, evidence: schema only", "",
        "1 policy is as before; 1 of 1 policy tests pass",
    ]  # fmt: skip
    told = plan(home, "--format", "github")
    assert told.stdout == "no policy changes, 0 errors\n"


def test_a_changed_key_is_replayed_on_the_recording_beside_the_policy(home: Path) -> None:
    (home / "policies" / "web.yaml").write_text(POLICY.replace("50", "25"))
    done = plan(home, "--format", "json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    Shapes().check(told, "Review")
    (change,) = told["changes"]
    (key,) = change["keys"]
    assert (key["key"], key["before"], key["after"]) == ("signals[requests].per_replica", "50", "25")
    assert key["place"] == "policies/web.yaml:7:18"
    assert change["effect"]["before"]["replica_hours"] < change["effect"]["after"]["replica_hours"]
    assert told["evidence"] == "recorded metrics 2001-09-09T01:57:40Z to 2001-09-09T05:46:25Z"
    assert re.fullmatch(r"1 policy changes, \+\d+ % replica-hours, 0 errors", told["title"])
    words = plan(home).stdout
    assert re.search(r"replicas       [▁-█]{12} → [▁-█]{12}", words)
    page = plan(home, "--format", "md").stdout
    assert "```mermaid" in page
    assert "| <code>web</code> | changed |" in page


def test_policies_come_and_go(home: Path) -> None:
    (home / "policies" / "web.yaml").unlink()
    (home / "policies" / "web.test.yaml").unlink()
    (home / "policies" / "api.yaml").write_text(POLICY.replace("name: web", "name: api", 1))
    told = json.loads(plan(home, "--format", "json").stdout)
    assert {each["name"]: each["kind"] for each in told["changes"]} == {"api": "added", "web": "removed"}


def test_a_failing_policy_test_ends_with_1(home: Path) -> None:
    (home / "policies" / "web.yaml").write_text(POLICY.replace("min: 2", "min: 3"))
    done = plan(home, "--format", "github")
    assert done.returncode == 1
    assert "::error file=policies/web.test.yaml,line=1,col=1,title=policy test failed::fifty" in done.stdout


def test_a_policy_that_does_not_load_ends_with_2_at_its_line_and_column(home: Path) -> None:
    (home / "policies" / "web.yaml").write_text(POLICY.replace("max: 30", "max: many"))
    done = plan(home, "--format", "github")
    assert done.returncode == 2
    assert "::error file=policies/web.yaml,line=3,col=25,title=autoscaler error::" in done.stdout


def test_what_is_wrong_with_the_call_is_one_sentence(home: Path) -> None:
    for words, said in (
        (("plan", "policies", "--against", "v9"), "error: v9: no such revision in this repository"),
        (("plan", "policies"), "error: --against is needed"),
        (("plan", "away", "--against", "main"), "error: no policies at away, neither before nor after"),
        (("plan", "policies", "--against", "--output=x"), "error: --output=x: no such revision in this repository"),
    ):
        done = run(*words, cwd=home)
        assert (done.returncode, done.stderr.splitlines()[0]) == (2, said)


# the rules about what strangers write


def test_a_link_in_a_strangers_commit_is_not_followed(home: Path) -> None:
    secret = home.parent / "secret.yaml"
    secret.write_text("token: hunter2\n")
    (home / "policies" / "leak.yaml").symlink_to(secret)
    commit(home)
    done = plan(home, "--head", "change", "--format", "github")
    assert done.returncode == 2
    assert done.stdout.startswith("::error title=autoscaler::")
    assert "is a link in revision change" in done.stdout
    assert "hunter2" not in done.stdout + done.stderr


def test_a_huge_file_and_aliases_that_blow_up_are_refused_at_their_file(home: Path) -> None:
    (home / "policies" / "huge.yaml").write_text("#" * 16_000_001)
    bomb = "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]" for n in range(9))
    (home / "policies" / "bomb.yaml").write_text(bomb)
    commit(home)
    told = json.loads(plan(home, "--head", "change", "--format", "json").stdout)
    texts = {each["file"]: each["text"] for each in told["troubles"]}
    assert "million characters" in texts["policies/huge.yaml"]
    assert "once its aliases are expanded" in texts["policies/bomb.yaml"]


def test_no_hook_and_no_filter_of_a_repository_runs(home: Path) -> None:
    trace = home / "ran"
    (home / ".gitattributes").write_text("*.yaml filter=evil\n")
    git(home, "config", "filter.evil.smudge", f"touch {trace}; cat")
    commit(home)
    for hook in ("post-checkout", "reference-transaction"):
        place = home / ".git" / "hooks" / hook
        place.parent.mkdir(exist_ok=True)
        place.write_text(f"#!/bin/sh\ntouch {trace}\n")
        place.chmod(0o755)
    assert plan(home, "--head", "change").returncode == 0
    assert not trace.exists()


# the action


def action(home: Path, event: dict[str, object], name: str = "pull_request", **inputs: str) -> tuple[int, str, Path]:
    """Run the shell of the action's step with the documented environment, no token in it: exit status, log, summary."""
    (node,) = documents("action.yml", (ROOT / "action.yml").read_text(), [])
    shell = re.search(r"id: plan.*?run: \|\n(.*)", (ROOT / "action.yml").read_text(), re.DOTALL)
    assert node is not None
    assert shell is not None
    place = home.parent / f"{home.name}-runner"
    (place / "bin").mkdir(parents=True, exist_ok=True)
    program = place / "bin" / "autoscaler"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autoscaler "$@"\n')
    program.chmod(0o755)
    (place / "event.json").write_text(json.dumps(event))
    environment = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(place / "event.json"),
        "GITHUB_OUTPUT": str(place / "output"),
        "GITHUB_STEP_SUMMARY": str(place / "summary"),
        "PLAN_PATHS": inputs.get("paths", "policies"),
        "PLAN_DATA": inputs.get("data", ""),
        "PLAN_AGAINST": inputs.get("against", ""),
    }
    script = "\n".join(line[8:] for line in shell[1].splitlines())
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, place


def pull_request(home: Path) -> dict[str, object]:
    head = {"sha": git(home, "rev-parse", "HEAD"), "repo": None}  # a fork that was deleted since
    return {"action": "opened", "pull_request": {"base": {"sha": git(home, "rev-parse", "main")}, "head": head}}


def test_the_action_works_without_a_token_on_a_fork_that_is_gone(home: Path) -> None:
    (home / "policies" / "web.yaml").write_text(POLICY.replace("50", "25"))
    commit(home)
    status, log, place = action(home, pull_request(home))
    assert (status, log.splitlines()[0][:18]) == (0, "1 policy changes, ")
    assert "::notice file=policies/web.yaml,line=1,col=1,title=changed web::signals[requests].per_replica" in log
    assert (place / "summary").read_text().startswith("### Autoscaler: 1 policy changes, ")
    outputs = dict(line.split("=", 1) for line in (place / "output").read_text().splitlines())
    assert (outputs["changed"], outputs["errors"], outputs["quiet"]) == ("1", "0", "false")


def test_the_action_compares_a_merge_commit_with_what_it_is_merged_into(home: Path) -> None:
    (home / "policies" / "web.yaml").write_text(POLICY.replace("50", "25"))
    commit(home)
    event = pull_request(home)
    git(home, "checkout", "-q", "main")
    (home / "policies" / "api.yaml").write_text(POLICY.replace("web", "api"))
    git(home, "add", "policies/api.yaml")
    git(home, "commit", "-qm", "meanwhile")
    git(home, "merge", "-q", "--no-ff", "-m", "merge", "change")
    status, log, _ = action(home, event)
    assert status == 0, log
    assert log.startswith("1 policy changes, ")


def test_the_action_reads_no_settings_of_a_pull_request(home: Path) -> None:
    secret = home.parent / "token"
    secret.write_text("hunter2: ghp_0123456789\n")
    (home / "autoscaler.yaml").symlink_to(secret)
    assert run("plan", "policies", "--against", "main", cwd=home).returncode == 2  # a person's own folder is
    commit(home)
    status, log, _ = action(home, pull_request(home))
    assert (status, log) == (0, "no policy changes, 0 errors\n")


def test_the_action_reads_the_settings_that_the_workflow_names(home: Path) -> None:
    settings = home.parent / "settings.yaml"
    settings.write_text("nonsense: 1\n")
    done = plan(home, "--config", str(settings), "--format", "github")
    assert done.returncode == 2
    assert "unknown key" in done.stdout


def test_the_action_always_reports_in_a_merge_queue(home: Path) -> None:
    event = {"merge_group": {"base_sha": git(home, "rev-parse", "main")}}
    assert action(home, event, "merge_group")[:2] == (0, "no policy changes, 0 errors\n")


@pytest.mark.parametrize("against", ["", "main"])
def test_the_action_refuses_events_that_give_strangers_secrets(home: Path, against: str) -> None:
    status, log, place = action(home, pull_request(home), "pull_request_target", against=against)
    assert status == 2
    assert log.startswith("::error title=autoscaler::pull_request_target gives a stranger's files our secrets")
    assert not (place / "summary").exists()


def test_installing_the_action_runs_no_module_of_the_pull_request(home: Path, tmp_path: Path) -> None:
    text = (ROOT / "action.yml").read_text()
    step = re.search(r"- name: Install\n(.*?)run: \|\n(.*?)    - name: Plan", text, re.DOTALL)
    assert step is not None
    assert "working-directory: ${{ runner.temp }}\n" in step[1]
    for module in ("pip", "venv", "ensurepip"):
        (home / f"{module}.py").write_text(f"open({str(home / 'ran')!r}, 'a').write('{module}')\n")
    script = step[2].replace('install --quiet --disable-pip-version-check "$GITHUB_ACTION_PATH"', "--version")
    assert "--version" in script
    environment = {"PATH": os.environ["PATH"], "RUNNER_TEMP": str(tmp_path), "GITHUB_PATH": str(tmp_path / "path")}
    done = subprocess.run(  # in the stranger's folder: either of the two ways is enough
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=home, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.match(r"pip \d+", done.stdout)
    assert not (home / "ran").exists()
