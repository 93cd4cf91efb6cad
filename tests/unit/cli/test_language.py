"""The commands of the language: validate beside settings, lint, schema, and what a quick answer costs."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.store.policy_files import files
from tests.unit.cli.test_root import HEAVY, POLICIES, run

SMELLS = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 12}
signals:
  - {name: jobs, prometheus: sum(jobs), per_replica: 8, empty: 0, server: eu}
"""


def test_validate_warns_of_what_smells_and_still_says_fine(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMELLS.replace(", server: eu", ""))
    done = run("validate", "a.yaml", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: a.yaml:5:64: signals[0].empty: empty: 0 waives doubt")
    assert "1 policy in 1 file: fine" in done.stdout
    assert done.stdout.endswith(", 1 warnings\n")


def test_validate_refuses_what_does_not_fit_the_settings(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMELLS + "every: 20s\n")
    alone = run("validate", "a.yaml", cwd=tmp_path)
    assert alone.returncode == 0
    assert "no server eu" in alone.stderr
    assert "but no settings were found to compare with" in alone.stderr
    (tmp_path / "autoscaler.yaml").write_text("cycle: 15s\n")
    beside = run("validate", "a.yaml", cwd=tmp_path)
    assert beside.returncode == 2
    assert "a.yaml:1:1: web: every: 20s is no multiple" in beside.stderr
    assert "the daemon's settings know no server eu" in beside.stderr
    (tmp_path / "autoscaler.yaml").write_text("cycle: 10s\nservers: {eu: {url: 'http://eu:9090'}}\n")
    assert run("validate", "a.yaml", cwd=tmp_path).returncode == 0


def test_validate_resolved_writes_inherited_words_into_each_policy(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("kind: defaults\nmode: observe\nevery: 30s\n---\n" + SMELLS)
    done = run("validate", "--resolved", "all.yaml", cwd=tmp_path)
    assert "mode: observe" in done.stdout
    assert "every: 30s" in done.stdout
    (tmp_path / "again.yaml").write_text(done.stdout)
    assert (
        run("validate", "--resolved", "again.yaml", cwd=tmp_path).stdout.partition("\n")[2]
        == (done.stdout.partition("\n")[2])
    )


def test_folders_are_read_with_all_below_and_without_tests_and_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    (tmp_path / "deep" / "er" / "a.yml").write_text(SMELLS)
    for other in (".git/b.yaml", "deep/.c.yaml", "notes.txt"):
        (tmp_path / other).write_text("nothing: here\n")
    (tmp_path / "deep" / "er" / "a.test.yaml").write_text("name: x\nload: 3\n")
    assert "1 policy in 1 file" in run("validate", str(tmp_path)).stdout
    assert "nothing smells" not in run("lint", str(tmp_path)).stdout
    assert "a.test.yaml" not in run("lint", str(tmp_path)).stdout


def test_lint_ends_with_one_where_anything_smells(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMELLS)
    done = run("lint", "a.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert "a.yaml:5:64: signals[0].empty: empty: 0 waives doubt" in done.stdout
    told = json.loads(run("lint", "--format", "json", "a.yaml", cwd=tmp_path).stdout)
    assert told["version"] == 1
    assert [(each["file"], each["line"], each["code"]) for each in told["findings"]] == [("a.yaml", 5, "doubt_waived")]
    fine = run("lint", str(POLICIES))
    assert (fine.returncode, fine.stdout) == (0, f"nothing smells in {len(files([POLICIES]))} files\n")
    assert run("lint", "nowhere").returncode == 2


def test_lint_measures_windows_by_the_settings(tmp_path: Path) -> None:
    (tmp_path / "autoscaler.yaml").write_text("scrape_interval: 30s\n")
    (tmp_path / "a.yaml").write_text(SMELLS.replace("sum(jobs)", "'sum(rate(jobs[1m]))'").replace(", empty: 0", ""))
    assert "[short_window]" in run("lint", "a.yaml", cwd=tmp_path).stdout


def test_schema_is_printed_as_json() -> None:
    told = json.loads(run("schema").stdout)
    assert told["$schema"].startswith("http://json-schema.org/draft-07")


@pytest.mark.parametrize("command", ["validate", "lint"])
def test_reading_policies_needs_no_event_loop_and_no_scheduler(command: str) -> None:
    heavy = (*HEAVY, "asyncio", "ssl", "http", "zoneinfo", "jsonschema", "hypothesis", "autoscaler.ports")
    code = (
        f"import sys; sys.argv = ['autoscaler', {command!r}, {str(POLICIES)!r}]\n"
        "from autoscaler.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print('imported:', *sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.splitlines()[-1] == "imported:", done.stdout


def test_validate_of_one_file_costs_little_beside_what_its_libraries_cost() -> None:
    """At most 0.25 s in all on an idle machine: the libraries take a third of it."""
    libraries = min(_cpu_s("-c", "import click, yaml, msgspec, promql_parser") for _ in range(3))
    validate = min(_cpu_s("-m", "autoscaler", "validate", str(POLICIES / "compose-web.yaml")) for _ in range(5))
    assert validate < 3 * libraries + 0.05


def _cpu_s(*words: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, capture_output=True, timeout=30)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
