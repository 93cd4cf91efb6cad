"""A file, or a folder below, that is named on the command line is judged with the defaults of the set it stands in."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoscaler.backtest import recording
from autoscaler.cli.root import root
from autoscaler.policy.inherit import only_defaults
from tests.unit.cli.test_tune import POLICY, past

BARE = POLICY.replace("replicas: {min: 2, max: 60}\n", "")  # does not scale alone
DEFAULTS = "kind: defaults\nreplicas: {min: 2, max: 60}\n"
OTHER = POLICY.replace("web", "api").replace("shop", "lab").replace("max: 60", "max: 7")

FILE = "policies/shop/web.yaml"


@pytest.fixture(params=["configured", "beside"])
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A set with its defaults at the top, which the settings name; or a file with the defaults beside it only."""
    configured = request.param == "configured"
    shop = tmp_path / "policies" / "shop"
    shop.mkdir(parents=True)
    (tmp_path / "autoscaler.yaml").write_text(f"policies: [{'policies' if configured else 'elsewhere'}]\ncycle: 5m\n")
    (shop / "web.yaml").write_text(BARE)
    place = shop.parent if configured else shop
    (place / "all.yaml").write_text(
        f"{OTHER}---\n{DEFAULTS}---\nkind: defaults\nscope: {{project: lab}}\nmode: observe\n"
    )
    (shop / ".hidden.yaml").write_text("[")
    (place / "broken.yaml").write_text("a: [")
    (place / "raw.yaml").write_bytes(b"\xff\xfekind: defaults")
    recording.write(past(), tmp_path / "web.rec")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(*words: str) -> Result:
    done = CliRunner().invoke(root, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_validate_fills_in_what_the_set_says_and_counts_the_file_alone(home: Path) -> None:
    assert "max: 60" in told("validate", "--resolved", FILE).stdout
    assert "1 policy in 1 file: fine" in told("validate", FILE).stdout


def test_lint_says_nothing_of_defaults_that_are_for_others(home: Path) -> None:
    assert "unused_defaults" not in CliRunner().invoke(root, ["lint", FILE]).output


def test_a_backtest_of_a_file_has_the_bounds_of_its_set(home: Path) -> None:
    made = told("backtest", FILE, "--data", "web.rec", "--capacity", "70", "--format", "json")
    (trial,) = json.loads(made.stdout)["trials"]
    assert trial["name"] == "web"
    assert trial["card"]["least"] >= 2


def test_tune_changes_a_file_by_the_bounds_of_its_set(home: Path) -> None:
    made = told("tune", FILE, "--data", "web.rec", "--capacity", "70", "--budget", "7", "--format", "json")
    assert "replicas.min" in {each["change"]["key"] for each in json.loads(made.stdout)["attempts"] if each["change"]}


def test_a_plan_for_a_file_takes_the_defaults_of_either_side(home: Path) -> None:
    def git(*words: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", *who, *words], check=True, capture_output=True, timeout=30)

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "as it was")
    (defaults,) = (home / "policies").rglob("all.yaml")
    defaults.write_text(defaults.read_text().replace("{min: 2, max: 60}", "{min: 3, max: 60}"))
    made = told("plan", FILE, "--against", "HEAD", "--format", "json")
    (change,) = json.loads(made.stdout)["changes"]
    assert change["name"] == "web"
    assert "replicas.min" in json.dumps(change)
    both = told("backtest", FILE, "--against", "HEAD", "--data", "web.rec", "--capacity", "70", "--format", "json")
    assert len(json.loads(both.stdout)["trials"]) == 2


def test_a_folder_below_the_set_is_judged_with_it_and_one_by_itself_alone(home: Path) -> None:
    (home / "policies" / "broken.yaml").unlink(missing_ok=True)
    (home / "policies" / "shop" / "broken.yaml").unlink(missing_ok=True)
    for each in (home / "policies").rglob("raw.yaml"):
        each.unlink()
    assert "max: 60" in told("validate", "--resolved", "policies/shop").stdout


def test_export_writes_the_bounds_of_the_set(home: Path) -> None:
    target = "target: {kubernetes: {namespace: shop, name: web}}"
    bare = BARE.replace("target: {compose: {project: shop, service: web}}", target).replace("{service}", "{name}")
    (home / FILE).write_text(bare)
    made = CliRunner().invoke(root, ["export", "hpa", FILE])
    assert "maxReplicas: 60" in made.stdout, made.output


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("name: a\n---\nkind: defaults\nmode: act\n---\nname: b\n", "\n---\nkind: defaults\nmode: act\n---\n\n"),
        ("{kind: defaults, mode: act}\n", "{kind: defaults, mode: act}\n"),
        ("# kind: defaults\nname: a\n", ""),
        ("name: kind\nmode: 'defaults'\n", ""),
        ("kind: defaults\nmode: [\n", "kind: defaults\nmode: [\n"),
        ("name: a\ntext: |\n  ---\n  kind: defaults\n", ""),
    ],
)
def test_of_a_text_only_the_documents_of_defaults_are_left_where_they_stand(text: str, left: str) -> None:
    assert only_defaults("all.yaml", text) == left
