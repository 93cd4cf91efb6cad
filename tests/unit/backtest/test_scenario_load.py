"""Test files: beside which policy they stand, and everything that is refused with its place and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoscaler.backtest.scenario_load import Scenario, load, suite
from autoscaler.errors import PolicyError, SettingsError
from autoscaler.policy.load import load as load_policies

WEB = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 12}
signals:
  - {name: in flight, prometheus: sum(a), per_replica: 8}
"""
PAIR = """\
name: pair
every: 30s
target: {compose: {project: shop, service: pair}}
replicas: {max: 12}
signals:
  - {name: a, prometheus: sum(a), per_replica: 8}
  - {name: b, prometheus: sum(b), per_replica: 8, empty: {zero_if: up}}
"""
PLACED = load_policies([("web.yaml", WEB), ("pair.yaml", PAIR)], "r").placed


def made(text: str, file: str = "web.test.yaml") -> Scenario:
    (one,) = load([(file, text)], PLACED, cycle_s=15.0)
    return one


def problems(text: str, file: str = "web.test.yaml") -> str:
    with pytest.raises(PolicyError) as bad:
        load([(file, text)], PLACED, cycle_s=15.0)
    return str(bad.value)


def test_the_smallest_test_has_three_lines() -> None:
    told = made("name: x\nload: 16x4 48x6\nreplicas: 2x4 6x6\n")
    assert (told.policy.name, told.length, told.start, told.beat_s) == ("web", 10, 1767614400.0, 15.0)
    assert told.loads == (("16",) * 4 + ("48",) * 6,)
    assert told.replicas == (2,) * 4 + (6,) * 6


def test_a_shorter_load_stays_at_its_last_word_and_cycles_are_the_policys() -> None:
    told = made("name: x\nload: {a: 1x2m, b: nonex1 5}\nzero_if: {b: 1}\nreplicas: 1x2m\n", "pair.test.yaml")
    assert told.beat_s == 30.0
    assert told.loads == (("1",) * 4, ("none", "5", "5", "5"))
    assert told.vouchers == {"b": ("1",) * 4}
    assert made("name: x\nload: 3\nlasts: 1m\nreplicas: 1x1m\n").length == 4


def test_events_begin_with_the_first_cycle_after_them_and_checkpoints_look_at_the_last_one_before() -> None:
    told = made(
        "name: x\nload: 1x10\nevents: [{at: 50s, sick: 1}, {at: 30s, crash: 1}]\n"
        "expect: [{at: 50s, replicas: 2}, {at: 30s, replicas: 2}]\n"
    )
    assert [cycle for cycle, _ in told.events] == [2, 4]
    assert [cycle for cycle, _ in told.checks] == [3, 2]


def test_a_test_may_name_any_policy_of_the_set() -> None:
    assert made("name: x\npolicy: web\nload: 3\n", "other.test.yaml").policy.name == "web"
    several = load_policies([("all.yaml", f"{WEB}---\n{PAIR}")], "r").placed
    with pytest.raises(PolicyError, match="several policies\n  hint: add policy: one of web, pair"):
        load([("all.test.yaml", "name: x\nload: 3\n")], several, cycle_s=15.0)


HEAD = "name: x\nload: 3x10\n"
BAD = [
    ("name: x\nlaod: 3\n", "2:1: laod: unknown key", "did you mean load?"),
    ("load: 3\n", "1:1: test: name is missing", "add name"),
    ("- name: x\n", "1:1: test: expected a map, got a list", "name, load"),
    ("name: x\nload: 3x2 nome\n", "2:7: load: expected a number or a kind of missing data, got nome", "none?"),
    ("name: x\nload: [3, 4]\n", "2:7: load: expected text or a map, got a list", ""),
    ("name: x\nload: {in flite: 3}\n", "2:18: load.in flite: policy web has no such signal", "in flight?"),
    ("name: x\nload: {in flite: 3}\n", "2:7: load: nothing is said of the signal in flight", "add in flight"),
    ("name: x\n", "1:1: load: nothing is said of the signal in flight", "or none"),
    (f"{HEAD}zero_if: {{in flight: 1}}\n", "zero_if.in flight: policy web has no such signal here", "none"),
    (f"{HEAD}policy: wep\n", "3:9: policy: there is no policy wep", "did you mean web?"),
    (f"{HEAD}replicas: 2x3 six\n", "3:11: replicas: expected a count of replicas, got six", "2x3 6x2"),
    (f"{HEAD}reasons: above_taget\n", "3:10: reasons: expected a reason code, got above_taget", "above_target?"),
    (f"{HEAD}lasts: 1m\n", "3:8: lasts: 60s are 4 cycles, the longest load has 10".replace("60s", "1m"), "raise it"),
    (f"{HEAD}lasts: 50s\n", "3:8: lasts: 50s is no multiple of the cycle, 15s", "45s?"),
    (f"{HEAD}time: noon\n", "3:7: time: expected a date and time, got noon", "Asia/Seoul"),
    (f"{HEAD}time: 2026-01-01 00:00 Asia/Soul\n", "there is no time zone Asia/Soul", "Asia/Seoul?"),
    (f"{HEAD}events: [{{at: 1h, sick: 1}}]\n", "3:15: events[0].at: 1h is after the last cycle, 135s", "lasts"),
    (f"{HEAD}events: [{{at: soon, sick: 1}}]\n", "events[0].at: expected a point of time, got soon", "08:00"),
    (f"{HEAD}events: [{{at: 1m}}]\n", "3:10: events[0]: nothing happens", "sick: 1"),
    (f"{HEAD}events: [{{at: 1m, by: me, sick: 1}}]\n", "events[0].by: says who, but not what", "replicas"),
    (f"{HEAD}events: [{{at: 1m, override: 3}}]\n", "events[0]: override and for go together", "for: 10m"),
    (f"{HEAD}events: [{{at: 1m, for: 3m, sick: 1}}]\n", "events[0]: override and for go together", "for: 10m"),
    (f"{HEAD}events: [{{at: 1m, resume: false}}]\n", "events[0].resume: expected true", "remove"),
    (f"{HEAD}events: [{{at: 1m, restart: 0s, kill: 0s}}]\n", "events[0].kill: the daemon stops or is killed", "one"),
    (f"{HEAD}events: [{{at: 1m, rollout: begin}}]\n", "rollout: expected start or end, got begin", ""),
    (f"{HEAD}expect: [{{at: 1m}}]\n", "3:10: expect[0]: expects nothing", "add replicas"),
    (
        f"{HEAD}expect: [{{at: 1m, reason: above_taget}}]\n",
        "expect[0].reason: expected a reason code, got",
        "above_target?",
    ),
    (f"{HEAD}expect: []\n", "3:9: expect: expected at least one item", ""),
    (f"{HEAD}ready_after: 5\n", "ready_after: expected a duration such as 30s", "5s?"),
    (f"{HEAD}start: -1\n", "start: expected a whole number, at least 0", ""),
    (f"{HEAD}---\n{HEAD}", "4:7: name: there is another test of this name in line 1", "unique"),
    ("name: [x\n", "this is not YAML", ""),
]


@pytest.mark.parametrize(("text", "said", "hint"), BAD)
def test_what_is_wrong_is_told_with_its_place_and_a_way_out(text: str, said: str, hint: str) -> None:
    told = problems(text)
    assert told.startswith("web.test.yaml:")
    assert said in told
    assert hint in told


def test_every_problem_of_every_file_is_told_at_once() -> None:
    told = problems("name: x\nload: 3x2 nome ten\nreplicas: 2x3 six\nreasons: idel\n---\nname: y\nlaod: 1\n")
    assert told.count("web.test.yaml:") == 5


def test_several_signals_are_told_by_name_and_each_voucher_too() -> None:
    assert "policy pair has 2 signals, so each load needs its name" in problems("name: x\nload: 3\n", "pair.test.yaml")
    said = problems("name: x\nload: {a: 1, b: 2}\n", "pair.test.yaml")
    assert "zero_if: nothing is said of the zero_if query of the signal b" in said.replace("test: ", "zero_if: ")


def test_a_policy_without_signals_needs_to_be_told_how_long() -> None:
    only = "name: heal\ntarget: {compose: {project: shop, service: web}}\nrecycle: {when: {unhealthy_for: 30s}}\n"
    placed = load_policies([("heal.yaml", only)], "r").placed
    with pytest.raises(PolicyError, match="how long it lasts is not said\n  hint: add load, or lasts: 10m"):
        load([("heal.test.yaml", "name: x\nreplicas: 1x4\n")], placed, cycle_s=15.0)
    (one,) = load([("heal.test.yaml", "name: x\nlasts: 1m\nreplicas: 1x4\n")], placed, cycle_s=15.0)
    assert one.length == 4


# places


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shop = tmp_path / "policies" / "shop"
    shop.mkdir(parents=True)
    (tmp_path / "policies" / "all.yaml").write_text("kind: defaults\nevery: 30s\n")
    (shop / "web.yaml").write_text(WEB)
    (shop / "web.test.yaml").write_text("name: x\nload: 3x1m\n")
    return tmp_path / "policies"


def lengths(*paths: Path, policies: tuple[str, ...] = ()) -> list[int]:
    return [each.length for each in suite(paths, policies=policies, cycle_s=15.0)]


def test_defaults_above_are_inherited_by_the_folder_or_by_the_settings(folder: Path) -> None:
    assert lengths(folder) == [2]
    assert lengths(folder / "shop") == [4], "alone it is a set of its own"
    for place in (folder / "shop", folder / "shop" / "web.test.yaml", folder / "shop" / "web.yaml"):
        assert lengths(place, policies=(str(folder),)) == [2]


def test_a_set_that_the_daemon_refuses_has_no_tests(folder: Path) -> None:
    (folder / "other.yaml").write_text("name: web\n")
    with pytest.raises(PolicyError, match=r"other\.yaml:1:1: policy: target is missing"):
        lengths(folder)


def test_places_without_tests_say_so(folder: Path) -> None:
    assert lengths(folder.parent / "policies" / "shop", policies=("nowhere",)) == [4]
    with pytest.raises(SettingsError, match="there is no such file or folder"):
        lengths(folder / "nowhere")
    with pytest.raises(SettingsError, match=r"write all\.test\.yaml there"):
        lengths(folder / "all.yaml")
    (folder / "web.test.yaml").write_text("name: x\nload: 3\n")
    with pytest.raises(PolicyError, match=r"no policy stands beside this test: there is no web\.yaml"):
        lengths(folder)
