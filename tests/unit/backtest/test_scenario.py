"""Playing a test: what happens beside the load, what is compared, and what is told of it."""

from __future__ import annotations

import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.differences import Verdict, report, told
from autoscaler.backtest.scenario import judge, judged, play
from autoscaler.backtest.scenario_load import load
from autoscaler.model.policy import Placed
from autoscaler.policy.load import load as load_policies
from autoscaler.policy.nodes import dump
from tests.scenarios import histories

POLICY = """\
name: web
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 12}
signals:
  - {name: load, prometheus: sum(a), per_replica: 100}
recycle: {when: {unhealthy_for: 30s}}
"""
STATES = POLICY.replace("compose: {project: shop, service: web}", "kubernetes: {namespace: shop, name: web}")


def outcome(text: str, policy: str = POLICY) -> Verdict:
    placed = load_policies([("web.yaml", policy)], "r").placed
    (one,) = load([("web.test.yaml", f"name: x\n{text}")], placed, cycle_s=15.0)
    return judge(one)


def came_out(text: str, policy: str = POLICY) -> tuple[str, str]:
    verdict = outcome(text, policy)
    return verdict.replicas, verdict.reasons


# what happens


def test_it_starts_at_the_minimum_or_where_it_says() -> None:
    assert came_out("load: 200x2")[0] == "2x2"
    assert came_out("start: 6\nload: 200x22") == ("6x20 2x2", "reseededx20 below_targetx1 within_tolerancex1")


def test_an_order_is_ready_after_its_time() -> None:
    """`value` multiplies by the ready: while new ones start, twice the target on two ready is four."""
    ratio = POLICY.replace("per_replica: 100", "value: 100")
    assert came_out("load: 200x1 100x30", ratio)[0].startswith("4x")
    quick = outcome("load: 200x4\nready_after: 0s", ratio)
    assert quick.replicas == "4x1 8x1 12x2"
    assert outcome("load: 200x4", ratio).replicas == "4x2 8x2"
    assert outcome("load: 200x8\nready_after: 45s", ratio).replicas == "4x4 8x4"


def test_the_sick_are_replaced_and_a_crash_is_sickness() -> None:
    for what in ("sick", "crash"):
        checks = "[{at: 45s, replaced: 0}, {at: 1m, replaced: 1}, {at: 5m, replaced: 2}]"
        assert outcome(f"load: 400\nstart: 4\nlasts: 6m\nevents: [{{at: 30s, {what}: 2}}]\nexpect: {checks}").passed


def test_what_gets_well_in_time_is_left_alone() -> None:
    text = "load: 400\nstart: 4\nlasts: 6m\nevents: [{at: 30s, sick: 2}, {at: 50s, recover: 2}]\n"
    assert outcome(f"{text}expect: [{{at: 345s, replaced: 0}}]").passed


def test_new_ones_that_are_broken_are_given_up_and_tried_more_slowly() -> None:
    events = "[{at: 30s, sick: 1, broken: true}, {at: 10m, broken: false}]"
    checks = "[{at: 3m, says: 'did not last, in a row: 1'}, {at: 13m, replaced: 5}, {at: 18m, replaced: 5}]"
    assert outcome(f"load: 400\nstart: 4\nlasts: 20m\nevents: {events}\nexpect: {checks}").passed


def test_somebody_else_is_named_and_his_zero_is_held() -> None:
    events = "[{at: 1m, replicas: 5, by: kubectl}, {at: 8m, replicas: 0}, {at: 12m, resume: true}]"
    checks = "[{at: 1m, says: somebody else (kubectl)}, {at: 8m, reason: held_zero_by_owner}, {at: 12m, replicas: 2}]"
    assert outcome(f"load: 200\nlasts: 15m\nevents: {events}\nexpect: {checks}").passed


def test_a_pause_and_an_override_hold_and_end() -> None:
    text = "load: 200x1m 600x9m\nevents: [{at: 45s, pause: 2m}, {at: 5m, override: 9, for: 1m}, {at: 5m, pause: 30s}]"
    assert came_out(text) == (
        "2x11 6x11 9x18",
        "within_tolerancex3 pausedx8 above_targetx1 within_tolerancex8 pausedx2 overridex2 reseededx16",
    )
    ended = outcome("load: 200x1m 600x1m\nevents: [{at: 30s, pause: 1h}, {at: 1m, resume: true}]")
    assert ended.replicas == "2x4 6x4"


def test_a_rollout_holds_and_its_surplus_does_not_count() -> None:
    events = "[{at: 6m, rollout: start, surplus: 2}, {at: 18m, rollout: end}]"
    verdict = outcome(
        f"load: 500x6m 100x14m\nstart: 5\nevents: {events}\nexpect: [{{at: 15m, reason: rollout}}]", STATES
    )
    assert (verdict.passed, verdict.replicas) == (True, "5x72 2x8")


def test_a_limit_of_the_platform_is_asked_against() -> None:
    verdict = outcome("load: 800x10 nonex10\nstart: 3\nevents: [{at: 0s, limit: 5}, {at: 4m, limit: 9}]")
    assert verdict.replicas.startswith("7x1 8x")


def test_while_the_daemon_is_away_nobody_decides() -> None:
    text = "load: 200x1m 600x3m\nevents: [{at: 30s, restart: 1m}]"
    assert came_out(text) == ("2x6 6x10", "within_tolerancex2 daemon_awayx4 above_targetx1 within_tolerancex9")
    assert came_out(text.replace("restart", "kill"))[0] == "2x6 6x10", "growth waits for nothing"
    assert came_out("load: 200x4\nevents: [{at: 30s, restart: 0s}]")[1] == "within_tolerancex4"


def test_after_a_kill_it_is_reseeded_and_after_a_clean_stop_it_is_not() -> None:
    text = "load: 600x10m 200x10m\nevents: [{at: 12m, %s: 0s}]\nexpect: [{at: 16m, reason: %s}]"
    assert outcome(text % ("restart", "below_target")).differences[0].got == "within_tolerance"
    assert outcome(text % ("kill", "reseeded")).passed


def test_a_platform_that_does_not_answer_is_left_alone() -> None:
    verdict = outcome("load: 200x1m 600x2m\nevents: [{at: 45s, unreachable: 1m}]")
    assert verdict.reasons == "within_tolerancex3 state_missingx4 above_targetx1 within_tolerancex4"


def test_windows_open_by_the_clock_of_their_zone() -> None:
    office = POLICY + 'schedule: [{name: office, cron: "0 8 * * mon-fri", for: 11h, timezone: Asia/Seoul, min: 6}]\n'
    text = "load: 100\nlasts: 10m\ntime: 2026-06-10 07:55 Asia/Seoul\nexpect: [{at: '08:00', reason: window_floor}]"
    assert (outcome(text, office).passed, outcome(text, office).replicas) == (True, "2x20 6x20")
    assert came_out(text.replace("2026-06-10", "2026-06-13"), office)[0] == "2x40", "a Saturday"


def test_vouchers_have_loads_of_their_own() -> None:
    vouched = POLICY.replace("per_replica: 100", "per_replica: 100, empty: {zero_if: up}")
    text = "start: 4\nload: 400x6m nonex12m\nzero_if: {load: %s}"
    assert came_out(text % "1", vouched)[0] == "4x43 2x29"
    assert came_out(text % "none", vouched)[0] == "4x72"


def test_cycles_are_as_far_apart_as_the_policy_says() -> None:
    verdict = outcome("load: 200x2m 600x2m\nreplicas: 2x2m 6x2m", POLICY + "every: 60s\n")
    assert (verdict.cycles, verdict.passed) == (4, True)


# what is compared


def test_differences_are_told_by_the_cycle_with_reason_and_sentence() -> None:
    verdict = outcome("load: 200x4 600x6\nreplicas: 2x4 5x6\nreasons: _x4 above_targetx6")
    assert report(verdict) == [
        "replicas, cycle 5 (1m): expected 5, got 6\n  above_target: load: load 600, 100 per replica, so it asks for 6",
        "replicas, cycles 6 to 10 (75s to 135s): expected 5, got 6\n"
        "  within_tolerance: load: load 600, 100 per replica, within tolerance of the target, 6 stay",
        "reasons, cycles 6 to 10 (75s to 135s): expected above_target, got within_tolerance\n"
        "  within_tolerance: load: load 600, 100 per replica, within tolerance of the target, 6 stay",
        "what came out:",
        "replicas: 2x4 6x6",
        "reasons: within_tolerancex4 above_targetx1 within_tolerancex5",
    ]


def test_another_expected_count_is_another_difference() -> None:
    verdict = outcome("load: 200x4\nreplicas: 3x1 4x2 2x1")
    assert [(each.first, each.last, each.expected) for each in verdict.differences] == [(1, 1, "3"), (2, 3, "4")]
    verdict = outcome("load: 200x5\nreplicas: 3x2 2x1 3x2")
    assert [(each.first, each.last) for each in verdict.differences] == [(1, 2), (4, 5)]


def test_whatever_is_never_a_difference() -> None:
    assert outcome("load: 200x4\nreplicas: _x2 2x2\nreasons: _x4").passed


def test_a_length_that_is_not_the_tests_is_a_difference() -> None:
    for text in ("2x3", "2x5"):
        verdict = outcome(f"load: 200x4\nreplicas: {text}")
        assert report(verdict)[0] == f"replicas: expected {text[-1]} cycles, the test has 4"


def test_a_test_that_expects_nothing_fails_and_shows_what_came_out() -> None:
    verdict = outcome("load: 200x4")
    assert not verdict.passed
    assert "nothing is expected: add replicas, reasons or expect" in report(verdict)[0]
    assert "replicas: 2x4" in report(verdict)


def test_a_checkpoint_tells_each_thing_that_is_not_so() -> None:
    verdict = outcome("load: 200x4\nexpect: [{at: 30s, replicas: 3, reason: idle, says: nope, replaced: 1}]")
    assert [(each.key, each.expected, each.got) for each in verdict.differences] == [
        ("expect[0].replicas", "3", "2"),
        ("expect[0].reason", "idle", "within_tolerance"),
        ("expect[0].says", "nope", "load: load 200, 100 per replica, within tolerance of the target, 2 stay"),
        ("expect[0].replaced", "1", "0"),
    ]


def test_of_very_many_differences_the_first_are_told() -> None:
    verdict = outcome(f"load: 200x40\nreplicas: {' '.join('3x1 2x1' for _ in range(20))}")
    assert len(verdict.differences) == 20
    assert "… and 8 more" in report(verdict)


def test_verdicts_count_what_failed() -> None:
    placed = load_policies([("web.yaml", POLICY)], "r").placed
    texts = [("web.test.yaml", "name: a\nload: 200x2\nreplicas: 2x2\n---\nname: b\nload: 200x2\nreplicas: 3x2\n")]
    verdicts = judged(load(texts, placed, cycle_s=15.0))
    assert ([each.passed for each in verdicts.tests], verdicts.failed) == ([True, False], 1)


# properties

LOADS = st.lists(
    st.tuples(st.sampled_from(["0", "20", "250", "900", "none", "nan", "down", "600?1", "70%"]), st.integers(1, 12)),
    min_size=1,
    max_size=8,
)
EVENTS = st.lists(
    st.sampled_from(
        [
            {"sick": 1},
            {"crash": 2},
            {"recover": 3},
            {"replicas": 7, "by": "kubectl"},
            {"replicas": 0},
            {"rollout": "start", "surplus": 2},
            {"rollout": "end"},
            {"limit": 3},
            {"broken": True},
            {"pause": "1m"},
            {"override": 4, "for": "1m"},
            {"resume": True},
            {"restart": "30s"},
            {"kill": "1m"},
            {"unreachable": "45s"},
        ]
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(histories.policies(), LOADS, EVENTS, st.integers(0, 8), st.data())
def test_what_came_out_passes_once_it_is_pasted(
    asked: Any, words: list[tuple[str, int]], events: list[dict[str, Any]], start: int, data: st.DataObject
) -> None:
    """Whatever the policy and whatever happens: a test is deterministic, and its report is in its own notation."""
    placed = [Placed(asked, "web.yaml", 1)]
    load_text = " ".join(f"{word}x{times}" for word, times in words)
    length = sum(times for _, times in words)
    written: dict[str, Any] = {
        "name": "x",
        "load": {signal.name: load_text for signal in asked.signals},
        "zero_if": {each.name: "1" for each in asked.signals if hasattr(each.empty, "zero_if")},
        "start": start,
        "events": [{"at": f"{15 * data.draw(st.integers(0, length - 1))}s", **each} for each in events],
    }
    (first,) = load([("web.test.yaml", dump(written))], placed, cycle_s=15.0)
    verdict = judge(first)
    pasted = dump({**written, "replicas": verdict.replicas, "reasons": verdict.reasons})
    (second,) = load([("web.test.yaml", pasted)], placed, cycle_s=15.0)
    assert [told(each) for each in judge(second).differences] == []
    assert list(play(second)) == list(play(first))


def test_a_night_of_eight_hours_is_played_within_seconds() -> None:
    began = time.process_time()
    assert outcome("load: 600x8h\nreplicas: _x8h").passed
    assert time.process_time() - began < 3.0
