"""`parity: strict` reads instances as the HPA reads pods: the recorded vectors, and what a policy makes of it."""

from __future__ import annotations

import json

import msgspec

from autoscaler.decide.hpa.pods import Failure, Pod
from autoscaler.decide.per_instance import proposed
from autoscaler.decide.plan import Goal, prepare
from autoscaler.decide.step import step
from autoscaler.model.decision import Decision, Reason
from autoscaler.model.observation import Seen
from autoscaler.model.policy import Resource, Signal
from autoscaler.model.signal import Point, Series
from autoscaler.model.target import Instance, TargetState
from autoscaler.policy.load import load
from benchmarks.hpa_nouns import read_pods, read_reading, read_timing
from tests.support.nouns import ref
from tests.unit.decide.test_hpa_vectors import FOLDER, needed

NOW = 1_000_000.0
POLICY = """
name: web
target: {{compose: {{project: shop, service: web}}}}
replicas: {{min: 1, max: 20}}
parity: {parity}
signals: [{signal}]
"""
CPU = "{name: cpu, resource: cpu, utilization: 50%}"
VALUE = "{name: depth, prometheus: depth, value: 100}"


def seen_as(pod: Pod) -> Instance | None:
    """The pod as a target tells of it; None for what no target tells."""
    odd = pod.ready not in ("True", "False") or pod.started is None or pod.phase in ("Succeeded", "Unknown")
    if odd or (pod.phase == "Pending" and pod.ready == "True"):
        return None
    return Instance(
        id=pod.name, name=pod.name, created=pod.started or 0.0, ready=pod.ready == "True", since=pod.ready_since,
        was_ready=pod.phase != "Pending", draining=pod.deleting, running=pod.phase != "Failed",
    )  # fmt: skip


def test_the_proposal_is_the_one_of_the_recorded_pods() -> None:
    needed()
    checked = starting = 0
    lines = [line for file in sorted(FOLDER.glob("metric_*.jsonl")) for line in file.read_text().splitlines()]
    for vector in map(json.loads, lines):
        given, out = vector["in"], vector["out"]
        if given["function"] not in ("resource_value", "pods_value") or given.get("container"):
            continue
        samples = read_reading(given).samples or {}
        whens = {(each.at, each.window_s) for each in samples.values()}
        instances = [each for each in map(seen_as, read_pods(given)) if each is not None]
        if len(whens) != 1 or len(instances) != len(given.get("pods", [])):
            continue
        ((at, window_s),) = whens
        resource = Resource.CPU if given.get("resource") == "cpu" else None
        goal = Goal("s", "per_replica", given["target"] / 1000, given["target"], Signal(name="s", resource=resource))
        reading = Series(tuple(Point(each.value / 1000, instance=name) for name, each in samples.items()), -at)
        stands = TargetState(ref=ref(), desired=0, existing=0, ready=0, at=0.0, instances=tuple(instances))
        tolerance, count = (given["tolerance_down"], given["tolerance_up"]), given["current_replicas"]
        made = proposed(goal, reading, stands, count, tolerance, 0.0, window_s, read_timing(given))
        expected = None if out["error"] else (out["replicas"], out["usage"])
        assert (None if isinstance(made, Failure) else (made.replicas, made.usage)) == expected, vector["id"]
        checked += 1
        starting += not all(each.ready for each in instances)
    assert checked >= 300, checked
    assert starting >= 50, starting


# what a policy makes of it


def instances(*ages: float, ready: bool = True) -> list[Instance]:
    """Instances that are so many seconds old and became ready after ten of them, if at all."""
    return [
        Instance(
            id=f"{ready}{n}", name=f"web-{n}", created=NOW - age, ready=ready, since=NOW - age + 10 * ready,
            was_ready=ready,
        )
        for n, age in enumerate(ages)
    ]  # fmt: skip


def decided(signal: str, there: list[Instance], reading: Series, *, parity: str = "strict", count: int = 0) -> Decision:
    (policy,) = load([("web.yaml", POLICY.format(parity=parity, signal=signal))], "r").policies
    ready = sum(each.ready for each in there)
    state = TargetState(
        ref=ref(), desired=count or len(there), existing=len(there), ready=ready, at=NOW, instances=tuple(there)
    )
    return step([prepare(ref(), policy)], [Seen(state=state, readings=(reading,))], {}, NOW).decisions[0]


def used(there: list[Instance], share: float) -> Series:
    return Series(tuple(Point(share, instance=each.id) for each in there if each.ready), 0.0)


def test_instances_that_start_hold_growth_back_and_are_left_out_on_the_way_down() -> None:
    old, new = instances(3600, 3600, 3600), instances(5, ready=False)
    assert decided(CPU, old, used(old, 0.9)).desired == 6
    assert decided(CPU, old + new, used(old, 0.9)).desired == 6, "4 × 67 %, not 4 × 90 %"
    assert decided(CPU, old + new, used(old, 0.7)).desired == 4, "52 % of all four is within tolerance"


def test_what_cpu_says_right_after_an_instance_became_ready_does_not_count() -> None:
    old, fresh = instances(3600, 3600), instances(20)
    there = old + [msgspec.structs.replace(each, id="fresh") for each in fresh]
    reading = Series((*used(old, 0.5).points, Point(1.0, instance="fresh")), 0.0)
    assert decided(CPU, there, reading).desired == 3
    assert decided(CPU, there, reading, parity="guarded").desired == 4


def test_a_total_says_nothing_while_nothing_runs() -> None:
    made = decided(VALUE, [], Series((Point(500.0),), 0.0), count=5)
    assert (made.desired, made.reason) == (5, Reason.NO_OPINION)
    assert "nothing runs" in str(made.steps[0].facts["detail"])


def test_a_total_is_multiplied_by_none_where_some_run_and_none_is_ready() -> None:
    made = decided(VALUE, instances(50, 50, ready=False), Series((Point(500.0),), 0.0), count=5)
    assert made.steps[0].after == 0
