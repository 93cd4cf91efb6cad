"""The nouns of the vectors of the HPA: from JSON to the structs of the real code, and its history back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.decide.hpa import passes, pods, several
from autoscaler.decide.hpa.history import Event, History, Recommendation
from autoscaler.decide.hpa.quantity import fraction
from autoscaler.decide.hpa.rules import Behavior, Legacy, Rate, Rules, Select, completed
from autoscaler.model.pod import Container

Json = Mapping[str, Any]
TOLERANCE = 0.1  # where a kind does not say; it plays no part there


def _container(given: Json) -> Container:
    return Container(given["name"], given.get("requests", {}), given.get("restart_always", False))


def _pod(given: Json) -> pods.Pod:
    return pods.Pod(
        name=given["name"],
        phase=given.get("phase", "Running"),
        deleting=given.get("deleting", False),
        ready=given.get("ready", "True"),
        ready_since=given.get("ready_since", -3600),
        started=given.get("started", -3600),
        containers=tuple(map(_container, given.get("containers", [{"name": "main"}]))),
        init_containers=tuple(map(_container, given.get("init_containers", []))),
        pod_requests=given.get("pod_requests") or {},
        overhead=given.get("overhead") or {},
    )


def read_pods(given: Json) -> tuple[pods.Pod, ...]:
    return tuple(map(_pod, given.get("pods", [])))


def read_reading(given: Json) -> several.Reading:
    if given.get("fetch_error"):
        return several.Reading()
    samples = {
        name: pods.Sample(each["value"], each.get("at", 0), each.get("window", 60))
        for name, each in given.get("samples", {}).items()
    }
    return several.Reading(samples, tuple(given.get("values", [])))


def read_timing(given: Json) -> pods.Timing:
    return pods.Timing(given["cpu_initialization_period"], given["initial_readiness_delay"])


def _rate(given: Json) -> Rate:
    if given["type"] == "Pods":
        return Rate(given["period_seconds"], replicas=given["value"])
    return Rate(given["period_seconds"], percent=given["value"])


def read_rules(given: Json | None, default: Rules, *, own_tolerance: bool) -> Rules:
    if given is None:
        return default
    select, rates, tolerance = given["select_policy"], given["policies"], given["tolerance_milli"]
    return completed(
        default,
        stabilization_s=given["stabilization_window_seconds"],
        tolerance=fraction(tolerance) if own_tolerance and tolerance is not None else None,
        rates=None if rates is None else tuple(map(_rate, rates)),
        select=None if select is None else Select(select.lower()),
    )


def read_behavior(given: Json | None, config: Json) -> Behavior | Legacy:
    tolerance = config.get("tolerance", TOLERANCE)
    window = config.get("downscale_window", 300)
    up = completed(Behavior().up, tolerance=tolerance)
    if given is None:
        down = completed(Behavior().down, stabilization_s=window, tolerance=tolerance)
        return Legacy(config.get("legacy_factor", 2.0), config.get("legacy_minimum", 4.0), up, down)
    down = completed(Behavior().down, stabilization_s=int(window), tolerance=tolerance)
    own = config.get("configurable_tolerance", True)
    return Behavior(
        read_rules(given.get("scale_up"), up, own_tolerance=own),
        read_rules(given.get("scale_down"), down, own_tolerance=own),
    )


def read_recommendations(given: Sequence[Json] | None) -> tuple[Recommendation, ...] | None:
    return None if given is None else tuple(Recommendation(each["replicas"], each["at"]) for each in given)


def read_events(given: Sequence[Json] | None) -> tuple[Event, ...]:
    return tuple(Event(each["change"], each["at"], each.get("outdated", False)) for each in given or ())


def read_history(given: Json) -> History:
    return History(
        read_recommendations(given.get("recommendations")),
        read_events(given.get("scale_up_events")),
        read_events(given.get("scale_down_events")),
    )


def write_entries(past: Sequence[Recommendation] | None) -> list[Json] | None:
    return None if past is None else [{"replicas": each.replicas, "at": each.at} for each in past]


def write_changes(events: Sequence[Event]) -> list[Json]:
    return [{"change": e.change, "at": e.at} | ({"outdated": True} if e.outdated else {}) for e in events]


def write_history(history: History) -> Json:
    return {
        "recommendations": write_entries(history.recommendations),
        "scale_up_events": write_changes(history.ups),
        "scale_down_events": write_changes(history.downs),
    }


def read_spec(given: Json, config: Json) -> passes.Spec:
    kinds = {kind.value: kind for kind in several.Kind}
    metrics = tuple(
        several.Metric(
            kinds.get(each["type"], several.Kind.UNSUPPORTED),
            several.Goal(each["target"]["type"]),
            each["target"].get("value", 0),
            each.get("resource", ""),
            each.get("container", ""),
        )
        for each in given["metrics"]
    )
    low = 1 if given["min_replicas"] is None else given["min_replicas"]
    return passes.Spec(low, given["max_replicas"], read_behavior(given["behavior"], config), metrics)


def read_conditions(given: Json) -> dict[str, passes.Condition]:
    return {
        kind: passes.Condition(each["status"] == "True", each["reason"], each["since"]) for kind, each in given.items()
    }
