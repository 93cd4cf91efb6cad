"""`recycle --dry-run` and `cleanup --dry-run`: chosen by name, told as a table or JSON, and never more than told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoscaler.cli.recycle import _rows
from autoscaler.cli.root import root
from autoscaler.cli.status import _cleanup
from autoscaler.decide.plan import prepare
from autoscaler.decide.step import step
from autoscaler.errors import TargetError, UsageError
from autoscaler.loop.answers import CleanupStatus
from autoscaler.loop.rehearse import foretold
from autoscaler.model.observation import Seen
from autoscaler.model.target import Instance, TargetState
from autoscaler.policy.load import load
from autoscaler.targets.naming import named

POLICIES = """
name: worker
target: {process: {command: [sleep, "60"]}}
recycle: {when: {unhealthy_for: 10s}}
---
name: plain
target: {process: {command: [sleep, "60"]}}
replicas: {max: 3}
---
kind: cleanup
name: night
project: shop
cron: "0 3 * * *"
exited_after: 1d
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "web.yaml").write_text(POLICIES)
    said = {
        "policies": [str(tmp_path / "web.yaml")],
        "data": str(tmp_path / "data"),
        "docker": {"host": f"unix://{tmp_path}/none.sock"},
    }
    (tmp_path / "autoscaler.yaml").write_text(json.dumps(said))
    return str(tmp_path / "autoscaler.yaml")


def test_recycle_tells_of_the_policies_that_recycle_and_of_no_others(config: str) -> None:
    told = CliRunner().invoke(root, ["recycle", "--dry-run", "--config", config], catch_exceptions=False)
    assert "0 instances of 1 workload would be replaced now." in told.output
    assert "no instance is due" in told.output
    assert "plain" not in told.output
    answer = CliRunner().invoke(
        root, ["recycle", "--dry-run", "--format", "json", "--config", config], catch_exceptions=False
    )
    assert [each["policy"] for each in json.loads(answer.output)["workloads"]] == ["worker"]
    with pytest.raises(UsageError, match="there is no policy with recycle named plain"):
        CliRunner().invoke(root, ["recycle", "--dry-run", "plain", "--config", config], catch_exceptions=False)


def test_who_is_due_is_told_with_the_reason_and_what_holds_the_next_one_back() -> None:
    (policy,) = load([("a.yaml", POLICIES.split("---")[0])], "r1").policies
    plan = prepare(named(policy), policy)

    def told(**words: object) -> list[tuple[str, ...]]:
        sick = Instance(id="a", name="worker-1", created=0.0, ready=False, since=100.0, was_ready=True)
        state = TargetState(ref=plan.ref, desired=None, existing=1, ready=0, at=200.0, instances=(sick,))
        seen = Seen(state=state, **words)  # type: ignore[arg-type]
        (decision,) = step([plan], [seen], {}, 200.0, cycle_s=15.0).decisions
        return _rows(foretold(plan, decision))

    ((_, _, name, reason, because),) = told()
    assert (name, reason) == ("worker-1", "unhealthy")
    assert "worker-1" in because
    ((_, _, name, reason, because),) = told(removing=True)
    assert (name, reason) == ("-", "recycle_waits")
    assert "shrinking" in because


def test_cleanup_names_what_is_wrong_and_needs_the_word_dry_run(config: str) -> None:
    with pytest.raises(UsageError, match="there is no clean-up named nigth"):
        CliRunner().invoke(root, ["cleanup", "--dry-run", "nigth", "--config", config], catch_exceptions=False)
    with pytest.raises(TargetError, match="does not answer: no such socket"):
        CliRunner().invoke(root, ["cleanup", "--dry-run", "--config", config], catch_exceptions=False)
    told = CliRunner().invoke(root, ["cleanup", "--config", config])
    assert told.exit_code == 2
    assert "--dry-run" in told.output
    assert not (Path(config).parent / "data").exists(), "a dry run makes no store"


def test_status_has_a_line_for_each_cleanup() -> None:
    shown = CleanupStatus(
        key="k", policy="night", file="a.yaml", line=1, mode="observe", project="shop", next=160.0, at=40.0, removed=3,
        freed_bytes=12_345, held=2,
    )  # fmt: skip
    assert _cleanup(shown, 100.0) == ("night [observe]", "shop", "in 1m", "1m ago", "3", "12.3 kB", "2", "")
