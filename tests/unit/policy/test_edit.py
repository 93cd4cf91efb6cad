"""Edits of a policy file: one value where it stands, everything else byte for byte as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from autoscaler.policy.edit import edited, patch
from autoscaler.policy.load import load, read
from autoscaler.policy.words import Path as Keys

WEB = """\
# the shop
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 40}   # bounds
signals:
  - name: requests
    prometheus: |
      sum(rate(requests_total{service="{service}"}[1m]))  # not a comment: {min: 2}
    per_replica: 50   # measured
behavior:
  # slow
  down:
    stabilization: "10m" # why
# the end
"""
BRIEF = "name: web\ntarget: {compose: {project: shop, service: web}}\nreplicas:\n  # few\n  max: 9\n"
BRIEF += "signals: [{name: a, prometheus: up, per_replica: 5}]"

EDITS: dict[str, tuple[str, Keys, str, str, str]] = {
    "a word before a comment": (
        WEB, ("signals", 0, "per_replica"), "40", "    per_replica: 50   # measured", "    per_replica: 40   # measured"
    ),
    "one in braces": (
        WEB, ("replicas", "min"), "3", "{min: 2, max: 40}   # bounds", "{min: 3, max: 40}   # bounds"
    ),
    "one in quotes": (
        WEB, ("behavior", "down", "stabilization"), "5m", '"10m" # why', '"5m" # why'
    ),
    "a new key under the last of its map": (
        WEB, ("behavior", "down", "tolerance"), "5%", '"10m" # why\n', '"10m" # why\n    tolerance: 5%\n'
    ),
    "a new map under the last of the map above": (
        WEB, ("behavior", "up", "stabilization"), "30s", '"10m" # why\n', '"10m" # why\n  up: {stabilization: 30s}\n'
    ),
    "a new key in a whole policy, under its bounds": (
        BRIEF, ("behavior", "down", "tolerance"), "5%", "  max: 9\n", "  max: 9\nbehavior: {down: {tolerance: 5%}}\n"
    ),
    "a new key in a block": (BRIEF, ("replicas", "min"), "2", "  max: 9\n", "  max: 9\n  min: 2\n"),
    "a value in a list on one line": (BRIEF, ("signals", 0, "per_replica"), "7", "per_replica: 5}", "per_replica: 7}"),
}  # fmt: skip


def made(text: str, path: Keys, value: str, *others: str) -> str | None:
    texts = [("web.yaml", text), *((f"{place}.yaml", other) for place, other in enumerate(others))]
    (loaded,) = read(texts).loaded
    return edited(text, loaded.nodes, path, value)


@pytest.mark.parametrize("case", list(EDITS))
def test_one_value_changes_and_every_other_byte_stays(case: str) -> None:
    text, path, value, before, after = EDITS[case]
    assert text.count(before) == 1
    assert made(text, path, value) == text.replace(before, after)


@pytest.mark.parametrize("case", list(EDITS))
def test_a_patch_applies_with_git_and_with_patch_and_the_policy_loads(case: str, tmp_path: Path) -> None:
    text, path, value, _, _ = EDITS[case]
    after = made(text, path, value)
    assert after is not None
    for tool in (["git", "apply"], ["patch", "-s", "-p1", "-i"]):
        (tmp_path / "my web.yaml").write_bytes(text.encode())
        (tmp_path / "x.patch").write_bytes(patch("my web.yaml", text, after).encode())
        subprocess.run([*tool, "x.patch"], cwd=tmp_path, check=True, timeout=30)
        assert (tmp_path / "my web.yaml").read_bytes() == after.encode()
    assert load([("web.yaml", after)], "r").placed


def test_lines_that_end_as_on_windows_stay_so() -> None:
    text = BRIEF.replace("\n", "\r\n")
    after = made(text, ("behavior", "down", "tolerance"), "5%")
    assert after == text.replace("max: 9\r\n", "max: 9\r\nbehavior: {down: {tolerance: 5%}}\r\n")


def test_what_defaults_say_gets_a_line_of_its_own_in_the_policy() -> None:
    defaults = "kind: defaults\nbehavior: {down: {stabilization: 10m}}\n"
    assert made(BRIEF, ("behavior", "down", "stabilization"), "5m", defaults) == BRIEF.replace(
        "max: 9\n", "max: 9\nbehavior: {down: {stabilization: 5m}}\n"
    )


def test_an_item_of_a_list_in_defaults_cannot_be_changed_alone() -> None:
    defaults = "kind: defaults\nbehavior: {down: {rates: [{percent: 10, per: 1m}]}}\n"
    assert made(BRIEF, ("behavior", "down", "rates", 0, "percent"), "5", defaults) is None


def test_a_value_that_is_not_one_word_where_it_stands_is_left_alone() -> None:
    text = WEB.replace("per_replica: 50 ", "per_replica: !!int 50 ").replace("!!int ", "&x ")
    assert made(text, ("signals", 0, "per_replica"), "40") is None
