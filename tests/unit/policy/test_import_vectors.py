"""HPAs of the recorded vectors as manifests, imported in strict parity and decided by `step()`: the same counts.

CPU and memory go the whole way, from what metrics.k8s.io says to the count, with pods that start, fail or are not
measured. Left aside is what no manifest says (timings of the cluster's controller, its switch for requests of whole
pods), what a query cannot say of a Pods metric (pods that start, fail or have no sample), samples of pods that are in
no list, a count of zero, no pods at all for a total, targets of no kind, selectors that are wrong, and series outside
of what a double holds.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from autoscaler.decide.hpa import pods
from autoscaler.decide.memory import Memory, first_sight
from autoscaler.decide.plan import Plan, prepare
from autoscaler.decide.step import applied, step
from autoscaler.model.decision import Reason
from autoscaler.model.observation import Ask, Seen
from autoscaler.model.policy import Policy, Signal
from autoscaler.model.signal import Missing, MissingWhy, Point, Reading, Series
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.policy.importers import hpa
from autoscaler.policy.importers.parts import Wanted
from autoscaler.policy.importers.text import policies
from autoscaler.policy.load import load
from autoscaler.sources.pod_metrics import reading as measured
from benchmarks.hpa_nouns import read_history, read_pods, read_reading, read_timing
from tests.support.recorded_pods import instance_of
from tests.support.recorded_pods import told as recorded
from tests.unit.decide.test_hpa_vectors import FOLDER, needed

Json = Mapping[str, Any]
REF = WorkloadRef("kubernetes", "prod", "Deployment", "web")
MOST = 100_000  # replicas of a policy
EXACT = 2**52  # thousandths that a double holds
FAST = {"type": "Pods", "value": 100_000, "periodSeconds": 15}
KINDS = {
    "resource_utilization": ("Resource", "utilization"),
    "resource_value": ("Resource", "average_value"),
    "pods_value": ("Pods", "average_value"),
    "object_value": ("Object", "value"),
    "object_average": ("Object", "average_value"),
    "external_value": ("External", "value"),
    "external_average": ("External", "average_value"),
}


def vectors(stem: str) -> Iterator[Json]:
    for file in sorted(FOLDER.glob(f"{stem}_*.jsonl")):
        yield from map(json.loads, file.read_text().splitlines())


# a vector's autoscaler as somebody would have written it


def quantity(milli: int) -> str:
    return f"{milli}m"


def metric(kind: str, name: str, resource: str, container: str, target: Json) -> Json | None:
    goal, value = target["type"], target.get("value", 0)
    aims = {
        "utilization": {"type": "Utilization", "averageUtilization": value},
        "average_value": {"type": "AverageValue", "averageValue": quantity(value)},
        "value": {"type": "Value", "value": quantity(value)},
    }
    if kind == "ContainerResource" or container:
        kind = "ContainerResource"
    if goal not in aims or value <= 0 or kind not in {one for one, _ in KINDS.values()} | {"ContainerResource"}:
        return None
    aim = aims[goal]
    if kind == "Resource":
        return {"type": kind, "resource": {"name": resource, "target": aim}}
    if kind == "ContainerResource":
        return {"type": kind, "containerResource": {"name": resource, "container": container, "target": aim}}
    about = {"metric": {"name": name}, "target": aim}
    if kind == "Object":
        about["describedObject"] = {"kind": "Service", "name": "web"}
    return {"type": kind, kind.lower(): about}


def rules(given: Json | None, config: Json, *, down: bool) -> Json:
    """One direction; what a cluster's controller was told by flags is written out."""
    given = given or {}
    policies = given.get("policies")
    own = given.get("tolerance_milli") if config["configurable_tolerance"] else None
    window = given.get("stabilization_window_seconds")
    if window is None and down:
        window = config["downscale_window"]
    return {
        "stabilizationWindowSeconds": window,
        "selectPolicy": given.get("select_policy"),
        "tolerance": quantity(round(config["tolerance"] * 1000) if own is None else own),
        "policies": policies
        and [
            {"type": each["type"], "value": each["value"], "periodSeconds": each["period_seconds"]} for each in policies
        ],
    }


def manifest(low: int | None, high: int, metrics: list[Json], behavior: Json | None) -> str:
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
        "minReplicas": low,
        "maxReplicas": high,
        "metrics": metrics,
        "behavior": behavior,
    }
    whole = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "prod"},
        "spec": spec,
    }
    return json.dumps(whole)


@functools.lru_cache(maxsize=64)
def imported(text: str, names: tuple[str, ...]) -> Policy | None:
    """The policy as the one loader reads it; None where the manifest is not one a cluster takes, or not carried."""
    problems: list[Any] = []
    wanted = Wanted(queries={name: f"{name}_total" for name in names}, strict=True, mode=hpa.mode("act", strict=True))
    turned = hpa.turn([("vector", text)], wanted, "default", problems)
    if problems or turned[0].carried.value == "not carried":
        return None
    (placed,) = load([("policy", policies(turned))], "r").placed
    return placed.policy


# what Prometheus would answer


def reading(given: Json, asked: Json, signal: Signal, everyone: tuple[pods.Pod, ...], now: float) -> Reading | None:
    """The answer to the imported signal; None where the vector cannot be said."""
    known = read_reading(given)
    if not given or given.get("fetch_error"):
        return Missing(MissingWhy.FAILED, "connection refused")
    if asked["type"] in ("Object", "External"):
        if not known.values or min(known.values) < 0 or sum(known.values) > EXACT:
            return None
        return Series((Point(sum(known.values) / 1000),))
    samples = known.samples or {}
    if any(not 0 <= each.value < EXACT for each in samples.values()):
        return None
    if signal.resource is None:
        return _of_pods(samples, everyone)
    if set(samples) - {each.name for each in everyone}:
        return None
    told = recorded(samples, signal.resource.value, signal.container or "")
    made = measured(Ask(REF, signal, instances=tuple(map(instance_of, everyone))), told, now)
    return None if isinstance(made, Missing) and made.why is MissingWhy.STALE else made


def _of_pods(samples: Mapping[str, pods.Sample], everyone: tuple[pods.Pod, ...]) -> Reading | None:
    """The average of the pods, where all of them are ready and sampled."""
    ready = all(each.phase == "Running" and each.ready == "True" and not each.deleting for each in everyone)
    if not ready or not samples or {one.name for one in everyone} != set(samples):
        return None
    used = math.fsum(each.value / 1000 for each in samples.values())
    return Series((Point(math.floor(1000 * (used / len(samples)) + 1e-6) / 1000),))


def sayable(asked: Json, everyone: tuple[pods.Pod, ...], given: Json, timing: pods.Timing, now: float) -> bool:
    """Whether the controller's own flags make no difference to a resource metric."""
    resource, container = asked.get("resource", ""), asked.get("container", "")
    if asked["type"] not in ("Resource", "ContainerResource"):
        return True
    samples = read_reading(given).samples or {}
    looks = [pods.groups(everyone, samples, resource, each, now) for each in (timing, pods.Timing())]
    asks = [pods.requests(everyone, resource, container, pod_level=each) for each in (False, True)]
    return looks[0] == looks[1] and asks[0] == asks[1]


def state(count: int, existing: int, everyone: tuple[pods.Pod, ...], at: float) -> TargetState:
    instances = tuple(map(instance_of, everyone))
    return TargetState(
        ref=REF, desired=count, existing=existing, ready=serving(everyone), at=at, instances=instances
    )  # fmt: skip


def serving(everyone: tuple[pods.Pod, ...]) -> int:
    return sum(each.serves for each in everyone)


# single metrics


def proposal(given: Json) -> tuple[int, Plan] | None:
    """What `step()` decides on a metric vector; None where it cannot be said."""
    kind, goal = KINDS[given["function"]]
    config = {"tolerance": 0.1, "downscale_window": 0, "configurable_tolerance": True}
    sides = {"scale_up": given["tolerance_up"], "scale_down": given["tolerance_down"]}
    if any(abs(side * 1000 - round(side * 1000)) > 1e-9 for side in sides.values()):
        return None
    behavior = {}
    for key, camel in (("scale_up", "scaleUp"), ("scale_down", "scaleDown")):
        side = rules({"tolerance_milli": round(sides[key] * 1000)}, config, down=key == "scale_down")
        behavior[camel] = {**side, "stabilizationWindowSeconds": 0, "policies": [FAST]}
    target = {"type": goal, "value": given["target"]}
    resource, container = given.get("resource", ""), given.get("container", "")
    one = metric(kind, "load", resource, container, target)
    everyone = read_pods(given)
    kind = "ContainerResource" if container else kind
    asked = {"type": kind, "resource": resource, "container": container, "target": target}
    count = given["current_replicas"]
    by_status = goal == "average_value" and kind in ("Object", "External")
    if one is None or not 0 < count <= MOST or not (everyone or by_status or resource):
        return None
    if not sayable(asked, everyone, given, read_timing(given), 0.0):
        return None
    policy = imported(manifest(1, MOST, [one], behavior), ("load",))
    answer = reading(given, asked, policy.signals[0], everyone, 0.0) if policy is not None else None
    if answer is None or policy is None:
        return None
    plan = prepare(REF, policy)
    existing = count if by_status else len(everyone)
    seen = Seen(state(count, existing, everyone, 0.0), (answer,))
    return step([plan], [seen], {}, 0.0).decisions[0].desired, plan


def test_imported_metrics_ask_for_what_the_hpa_asks_for() -> None:
    needed()
    checked: dict[str, int] = {}
    starting = 0
    for vector in vectors("metric"):
        given, out = vector["in"], vector["out"]
        found = proposal(given)
        if found is None:
            continue
        expected = given["current_replicas"] if out["error"] else min(max(out["replicas"], 1), MOST)
        assert found[0] == expected, vector["id"]
        checked[given["function"]] = checked.get(given["function"], 0) + 1
        resource = given["function"].startswith("resource") and not out["error"]
        starting += resource and not all(each.serves for each in read_pods(given))
    assert set(checked) == set(KINDS), checked
    assert sum(checked.values()) >= 2000, checked
    assert starting >= 250, starting


# whole passes


def passes(given: Json) -> tuple[list[tuple[int, int | None]], int] | None:
    """For each step its number and what `step()` changes the count to; None where the vector cannot be said."""
    config, spec, initial = given["config"], given["spec"], given["initial"]
    plain = config["tolerance"] == 0.1 and config["downscale_window"] == 300 and config["legacy_factor"] == 2
    if (spec["behavior"] is None and not plain) or spec["min_replicas"] == 0:
        return None
    if any("spec" in each or each["spec_replicas"] == 0 for each in given["steps"]):
        return None
    said = spec["behavior"]
    behavior = said if said is None else {
        "scaleUp": rules(said["scale_up"], config, down=False),
        "scaleDown": rules(said["scale_down"], config, down=True),
    }  # fmt: skip
    metrics, names = [], []
    for index, each in enumerate(spec["metrics"]):
        names.append(f"m{index}")
        metrics.append(
            metric(each["type"], names[-1], each.get("resource", ""), each.get("container", ""), each["target"])
        )
    if not metrics or any(each is None for each in metrics):
        return None
    policy = imported(manifest(spec["min_replicas"], spec["max_replicas"], metrics, behavior), tuple(names))
    if policy is None:
        return None
    plan, now = prepare(REF, policy), given["steps"][0]["t"]
    memory = msgspec.structs.replace(first_sight(policy, now), history=read_history(initial))
    found: list[tuple[int, int | None]] = []
    for index, each in enumerate(given["steps"]):
        made = _step(plan, each, spec, config, memory)
        if made is None:
            break
        count, memory = made
        before = each["spec_replicas"]
        if each.get("fault") != "update_scale":
            found.append((index, count if count != before else None))
            if count != before:
                memory = applied(plan, memory, before=before, count=count, now=each["t"])
    return found, len(given["steps"])


def _step(plan: Plan, each: Json, spec: Json, config: Json, memory: Memory) -> tuple[int, Memory] | None:
    now, count, existing = each["t"], each["spec_replicas"], each["status_replicas"]
    everyone = read_pods(each)
    fault = each.get("fault")
    if fault == "get_scale":
        seen = Seen(Missing(MissingWhy.FAILED, "no answer"), ())
        made = step([plan], [seen], {REF.key: memory}, now)
        return count, made.memories[REF.key]
    if fault not in (None, "update_scale") or not everyone:
        return None
    inside = plan.workload.policy.replicas is not None and plan.workload.policy.replicas.min <= count
    answers: list[Reading] = []
    signals = plan.workload.policy.signals
    for asked, given, signal in zip(spec["metrics"], each["readings"], signals, strict=True):
        if not given and (not inside or count > spec["max_replicas"]):
            answers.append(Missing(MissingWhy.FAILED, "never asked"))
            continue
        if not sayable(asked, everyone, given, read_timing(config), now):
            return None
        answer = reading(given, asked, signal, everyone, now)
        if answer is None:
            return None
        answers.append(answer)
    seen = Seen(state(count, existing, everyone, now), tuple(answers))
    made = step([plan], [seen], {REF.key: memory}, now)
    return made.decisions[0].desired, made.memories[REF.key]


def test_imported_hpas_scale_to_what_the_hpa_scales_to_over_whole_passes() -> None:
    needed()
    whole = steps = 0
    for vector in vectors("reconcile"):
        made = passes(vector["in"])
        if made is None:
            continue
        found, count = made
        expected = vector["out"]["steps"]
        for index, changed in found:
            assert changed == expected[index]["scaled_to"], f"{vector['id']} step {index}"
        steps += len(found)
        whole += len(found) == count
    assert whole >= 250, whole
    assert steps >= 600, steps


# smoothing and speed


def smoothed(given: Json) -> list[tuple[int, int]]:
    """For each step its number and the count that `step()` leads to, up to the first one that cannot be said."""
    history = read_history(given["initial"])
    memory: Memory | None = None
    spec = given["spec"]
    found: list[tuple[int, int]] = []
    for index, each in enumerate(given["steps"]):
        spec = each.get("spec", spec)
        now, count, wish = each["t"], each["current_replicas"], each["desired_replicas"]
        low = 1 if spec["min_replicas"] is None else spec["min_replicas"]
        if spec["behavior"] is None or not 1 <= low <= count <= spec["max_replicas"]:
            break
        config = {"tolerance": 0, "downscale_window": int(given["downscale_window"]), "configurable_tolerance": False}
        behavior = {
            "scaleUp": rules(spec["behavior"]["scale_up"], config, down=False),
            "scaleDown": rules(spec["behavior"]["scale_down"], config, down=True),
        }
        one = metric("External", "load", "", "", {"type": "average_value", "value": 1000})
        assert one is not None
        policy = imported(manifest(low, spec["max_replicas"], [one], behavior), ("load",))
        if policy is None:
            break
        plan = prepare(REF, policy)
        memory = memory or msgspec.structs.replace(first_sight(policy, now), history=history)
        seen = Seen(
            TargetState(ref=REF, desired=count, existing=count, ready=count, at=now), (Series((Point(float(wish)),)),)
        )
        made = step([plan], [seen], {REF.key: memory}, now)
        memory, desired = made.memories[REF.key], made.decisions[0].desired
        if made.decisions[0].reason is Reason.CONTESTED:  # other hands, for the third time: holds in strict parity too
            break
        found.append((index, desired))
        if desired != count and each["applied"]:
            memory = applied(plan, memory, before=count, count=desired, now=now)
    return found


def test_imported_behavior_smooths_and_limits_as_the_hpa_does() -> None:
    needed()
    steps = 0
    for vector in vectors("behavior"):
        for index, desired in smoothed(vector["in"]):
            assert desired == vector["out"]["steps"][index]["replicas"], f"{vector['id']} step {index}"
            steps += 1
    assert steps >= 4000, steps
