"""Vectors of the HPA in JSON, run through the real code: from `in` to the same shape as `out`, kind by kind.

Nothing is decided here; a test and `benchmarks.hpa_vectors` share this mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autoscaler.decide.hpa import metric, passes, pods, several, smooth
from autoscaler.decide.hpa.history import Event, History, Recommendation, record
from autoscaler.decide.hpa.quantity import fraction
from autoscaler.decide.hpa.rules import Behavior, Legacy, Rate, Rules, Select, completed

Json = Mapping[str, Any]
NOW = 0.0  # kinds without steps are evaluated at this instant
TOLERANCE = 0.1  # where a kind does not say; it plays no part there
FUNCTIONS = {
    "resource_utilization": (several.Kind.RESOURCE, several.Goal.UTILIZATION),
    "resource_value": (several.Kind.RESOURCE, several.Goal.AVERAGE_VALUE),
    "pods_value": (several.Kind.PODS, several.Goal.AVERAGE_VALUE),
    "object_value": (several.Kind.OBJECT, several.Goal.VALUE),
    "object_average": (several.Kind.OBJECT, several.Goal.AVERAGE_VALUE),
    "external_value": (several.Kind.EXTERNAL, several.Goal.VALUE),
    "external_average": (several.Kind.EXTERNAL, several.Goal.AVERAGE_VALUE),
}
SELECTORS = {
    "selector_missing": passes.Selector.MISSING,
    "selector_invalid": passes.Selector.INVALID,
    "selector_ambiguous": passes.Selector.AMBIGUOUS,
}


# nouns


def _container(given: Json) -> pods.Container:
    return pods.Container(given["name"], given.get("requests", {}), given.get("restart_always", False))


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


def _pods(given: Json) -> tuple[pods.Pod, ...]:
    return tuple(map(_pod, given.get("pods", [])))


def _reading(given: Json) -> several.Reading:
    if given.get("fetch_error"):
        return several.Reading()
    samples = {
        name: pods.Sample(each["value"], each.get("at", 0), each.get("window", 60))
        for name, each in given.get("samples", {}).items()
    }
    return several.Reading(samples, tuple(given.get("values", [])))


def _timing(given: Json) -> pods.Timing:
    return pods.Timing(given["cpu_initialization_period"], given["initial_readiness_delay"])


def _rate(given: Json) -> Rate:
    if given["type"] == "Pods":
        return Rate(given["period_seconds"], replicas=given["value"])
    return Rate(given["period_seconds"], percent=given["value"])


def _rules(given: Json | None, default: Rules, *, own_tolerance: bool) -> Rules:
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


def _behavior(given: Json | None, config: Json) -> Behavior | Legacy:
    tolerance = config.get("tolerance", TOLERANCE)
    window = config.get("downscale_window", 300)
    up = completed(Behavior().up, tolerance=tolerance)
    if given is None:
        down = completed(Behavior().down, stabilization_s=window, tolerance=tolerance)
        return Legacy(config.get("legacy_factor", 2.0), config.get("legacy_minimum", 4.0), up, down)
    down = completed(Behavior().down, stabilization_s=int(window), tolerance=tolerance)
    own = config.get("configurable_tolerance", True)
    return Behavior(
        _rules(given.get("scale_up"), up, own_tolerance=own), _rules(given.get("scale_down"), down, own_tolerance=own)
    )


def _recommendations(given: Sequence[Json] | None) -> tuple[Recommendation, ...] | None:
    return None if given is None else tuple(Recommendation(each["replicas"], each["at"]) for each in given)


def _events(given: Sequence[Json] | None) -> tuple[Event, ...]:
    return tuple(Event(each["change"], each["at"], each.get("outdated", False)) for each in given or ())


def _history(given: Json) -> History:
    return History(
        _recommendations(given.get("recommendations")),
        _events(given.get("scale_up_events")),
        _events(given.get("scale_down_events")),
    )


def _entries(past: Sequence[Recommendation] | None) -> list[Json] | None:
    return None if past is None else [{"replicas": each.replicas, "at": each.at} for each in past]


def _changes(events: Sequence[Event]) -> list[Json]:
    return [{"change": e.change, "at": e.at} | ({"outdated": True} if e.outdated else {}) for e in events]


def _final(history: History) -> Json:
    return {
        "recommendations": _entries(history.recommendations),
        "scale_up_events": _changes(history.ups),
        "scale_down_events": _changes(history.downs),
    }


# kinds


def _metric(given: Json) -> Json:
    kind, goal = FUNCTIONS[given["function"]]
    asked = several.Metric(kind, goal, given["target"], given.get("resource", ""), given.get("container", ""))
    count = given["current_replicas"]
    tolerance = given["tolerance_down"], given["tolerance_up"]
    at = several.Scene(count, count, _pods(given), tolerance, NOW, _timing(given), given["pod_level_resources"])
    made = several.propose(asked, _reading(given), at)
    if isinstance(made, pods.Failure):
        return {"error": made.value, "replicas": None, "usage": None}
    found = {"error": None, "replicas": made.replicas, "usage": made.usage}
    return found if made.utilization is None else {**found, "utilization": made.utilization}


def _pod_groups(given: Json) -> Json:
    samples = _reading(given).samples or {}
    made = pods.groups(_pods(given), samples, given["resource"], _timing(given), NOW)
    return {
        "ready_count": made.ready_count,
        "unready": sorted(made.unready),
        "missing": sorted(made.missing),
        "ignored": sorted(made.ignored),
    }


def _requests(given: Json) -> Json:
    made = pods.requests(
        _pods(given), given["resource"], given.get("container", ""), pod_level=given["pod_level_resources"]
    )
    if isinstance(made, pods.Failure):
        return {"error": made.value, "requests": None}
    return {"error": None, "requests": made}


def _ratio(given: Json) -> Json:
    if given["mode"] == "usage":
        made: metric.Ratio | pods.Failure = metric.usage_ratio(given["samples"], given["target"])
    else:
        made = metric.utilization_ratio(given["samples"], given.get("requests", {}), given["target"])
    if isinstance(made, pods.Failure):
        return {"error": made.value, "ratio": None, "average": None}
    found = {"error": None, "ratio": made.ratio, "average": made.average}
    return found if made.utilization is None else {**found, "utilization": made.utilization}


def _policy_limit(given: Json) -> Json:
    rising = given["direction"] == "up"
    default = Behavior().up if rising else Behavior().down
    limit = smooth.policy_limit_up if rising else smooth.policy_limit_down
    rules = _rules(given["rules"], default, own_tolerance=True)
    return {"limit": limit(given["current_replicas"], rules, _history(given), NOW)}


def _rate_limit(given: Json) -> Json:
    counts = given["current_replicas"], given["desired_replicas"], given["min_replicas"], given["max_replicas"]
    if given["mode"] == "legacy":
        behavior = Legacy(given["legacy_factor"], given["legacy_minimum"])
        replicas, limit = smooth.limited_legacy(*counts, behavior)
    else:
        rules = _behavior(given.get("behavior") or {}, {})
        assert isinstance(rules, Behavior)
        replicas, limit = smooth.limited(*counts, rules, _history(given), NOW)
    return {"replicas": replicas, "reason": limit.value}


def _stabilize(given: Json) -> Json:
    past = _recommendations(given["recommendations"]) or ()
    wish = given["desired_replicas"]
    if given["mode"] == "legacy":
        stable, after = smooth.smoothed_legacy(wish, given["downscale_window"], past, NOW)
        return {"replicas": stable, "recommendations": _entries(after)}
    current = given["current_replicas"]
    stable, after = smooth.smoothed(wish, current, given["up_window"], given["down_window"], past, NOW)
    reason = "ScaleUpStabilized" if wish >= current else "ScaleDownStabilized"
    return {"replicas": stable, "recommendations": _entries(after), "reason": reason}


def _scale_event(given: Json) -> Json:
    behavior = _behavior(given["behavior"], {})
    made = record(_history(given), behavior, given["previous_replicas"], given["new_replicas"], NOW)
    return {"scale_up_events": _changes(made.ups), "scale_down_events": _changes(made.downs)}


def _behavior_steps(given: Json) -> Json:
    history = _history(given["initial"])
    spec = given["spec"]
    steps = []
    for each in given["steps"]:
        spec = each.get("spec", spec)
        behavior = _behavior(spec["behavior"], given)
        wish, current, now = each["desired_replicas"], each["current_replicas"], each["t"]
        low = 1 if spec["min_replicas"] is None else spec["min_replicas"]
        made = smooth.hpa(wish, current, low, spec["max_replicas"], behavior, history, now)
        history = made.history
        if made.replicas != current and each["applied"]:
            history = record(history, behavior, current, made.replicas, now)
        steps.append(
            {
                "replicas": made.replicas,
                "able_to_scale_reason": passes.able_reason(wish, current, behavior, made),
                "scaling_limited": made.replicas != made.stabilized,
                "scaling_limited_reason": made.limit.value,
            }
        )
    return {"steps": steps, "final": _final(history)}


def _spec(given: Json, config: Json) -> passes.Spec:
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
    return passes.Spec(low, given["max_replicas"], _behavior(given["behavior"], config), metrics)


def _conditions(given: Json) -> dict[str, passes.Condition]:
    return {
        kind: passes.Condition(each["status"] == "True", each["reason"], each["since"]) for kind, each in given.items()
    }


def _reconcile(given: Json) -> Json:
    config, initial = given["config"], given["initial"]
    settings = passes.Settings(_timing(config), config["scale_to_zero"], config["pod_level_resources"])
    history = _history(initial)
    status = passes.Status(
        initial["status_current_replicas"],
        initial["status_desired_replicas"],
        _conditions(initial["conditions"]),
        last_scale=initial["last_scale_time"],
    )
    spec = _spec(given["spec"], config)
    steps = []
    for each in given["steps"]:
        spec = _spec(each["spec"], config) if "spec" in each else spec
        fault, now = each.get("fault"), each["t"]
        look = passes.Look(
            None if fault == "get_scale" else (each["spec_replicas"], each["status_replicas"]),
            _pods(each),
            tuple(map(_reading, each["readings"])),
            SELECTORS.get(fault, passes.Selector.FINE),
        )
        made = passes.evaluate(spec, look, status, history, settings, now)
        made = passes.conclude(made, spec, settings, now, accepted=fault != "update_scale")
        status, history = made.status, made.history
        steps.append(_passed(made, spec))
    return {"steps": steps, "final": _final(history)}


def _proposal(made: metric.Proposal | pods.Failure, asked: several.Metric) -> Json:
    if isinstance(made, pods.Failure):
        return {"replicas": None, "error_reason": asked.kind.failed}
    return {"replicas": made.replicas, "error_reason": None}


def _reported(made: several.Reported | None) -> Json | None:
    if made is None:
        return None
    named = {"utilization": made.utilization, "average_value": made.average_value, "value": made.value}
    return {name: number for name, number in named.items() if number is not None}


def _passed(made: passes.Pass, spec: passes.Spec) -> Json:
    status, proposals = made.status, made.proposals
    return {
        "error": made.problem.value if made.problem else None,
        "scaled_to": made.desired if made.problem is not passes.Problem.UPDATE_SCALE else None,
        "cause": made.cause.value if made.desired is not None else None,
        "proposals": None if proposals is None else list(map(_proposal, proposals, spec.metrics)),
        "selected_metric": made.winner,
        "status_current_replicas": status.current,
        "status_desired_replicas": status.desired,
        "last_scale_time": status.last_scale,
        "conditions": {
            kind: {"status": str(each.status), "reason": each.reason, "since": each.since}
            for kind, each in status.conditions.items()
        },
        "metric_statuses": None if status.metrics is None else list(map(_reported, status.metrics)),
        "events": list(made.events),
    }


KINDS: Mapping[str, Callable[[Json], Json]] = {
    "metric": _metric,
    "pod_groups": _pod_groups,
    "requests": _requests,
    "ratio": _ratio,
    "policy_limit": _policy_limit,
    "rate_limit": _rate_limit,
    "stabilize": _stabilize,
    "scale_event": _scale_event,
    "behavior": _behavior_steps,
    "reconcile": _reconcile,
}


def answer(vector: Json) -> Json:
    """What the real code answers to one vector, in the shape of its `out`."""
    return KINDS[vector["kind"]](vector["in"])
