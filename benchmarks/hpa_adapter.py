"""Vectors of the HPA in JSON, run through the real code: from `in` to the same shape as `out`, kind by kind.

Nothing is decided here; a test and `benchmarks.hpa_vectors` share this mapping.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from autoscaler.decide.hpa import metric, passes, pods, several, smooth
from autoscaler.decide.hpa.history import record
from autoscaler.decide.hpa.rules import Behavior, Legacy
from benchmarks.hpa_nouns import (
    Json,
    read_behavior,
    read_conditions,
    read_history,
    read_pods,
    read_reading,
    read_recommendations,
    read_rules,
    read_spec,
    read_timing,
    write_changes,
    write_entries,
    write_history,
)

NOW = 0.0  # kinds without steps are evaluated at this instant
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


def _metric(given: Json) -> Json:
    kind, goal = FUNCTIONS[given["function"]]
    asked = several.Metric(kind, goal, given["target"], given.get("resource", ""), given.get("container", ""))
    count = given["current_replicas"]
    tolerance = given["tolerance_down"], given["tolerance_up"]
    at = several.Scene(count, count, read_pods(given), tolerance, NOW, read_timing(given), given["pod_level_resources"])
    made = several.propose(asked, read_reading(given), at)
    if isinstance(made, pods.Failure):
        return {"error": made.value, "replicas": None, "usage": None}
    found = {"error": None, "replicas": made.replicas, "usage": made.usage}
    return found if made.utilization is None else {**found, "utilization": made.utilization}


def _pod_groups(given: Json) -> Json:
    samples = read_reading(given).samples or {}
    made = pods.groups(read_pods(given), samples, given["resource"], read_timing(given), NOW)
    return {
        "ready_count": made.ready_count,
        "unready": sorted(made.unready),
        "missing": sorted(made.missing),
        "ignored": sorted(made.ignored),
    }


def _requests(given: Json) -> Json:
    made = pods.requests(
        read_pods(given), given["resource"], given.get("container", ""), pod_level=given["pod_level_resources"]
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
    rules = read_rules(given["rules"], default, own_tolerance=True)
    return {"limit": limit(given["current_replicas"], rules, read_history(given), NOW)}


def _rate_limit(given: Json) -> Json:
    counts = given["current_replicas"], given["desired_replicas"], given["min_replicas"], given["max_replicas"]
    if given["mode"] == "legacy":
        behavior = Legacy(given["legacy_factor"], given["legacy_minimum"])
        replicas, limit = smooth.limited_legacy(*counts, behavior)
    else:
        rules = read_behavior(given.get("behavior") or {}, {})
        assert isinstance(rules, Behavior)
        replicas, limit = smooth.limited(*counts, rules, read_history(given), NOW)
    return {"replicas": replicas, "reason": limit.value}


def _stabilize(given: Json) -> Json:
    past = read_recommendations(given["recommendations"]) or ()
    wish = given["desired_replicas"]
    if given["mode"] == "legacy":
        stable, after = smooth.smoothed_legacy(wish, given["downscale_window"], past, NOW)
        return {"replicas": stable, "recommendations": write_entries(after)}
    current = given["current_replicas"]
    stable, after = smooth.smoothed(wish, current, given["up_window"], given["down_window"], past, NOW)
    reason = "ScaleUpStabilized" if wish >= current else "ScaleDownStabilized"
    return {"replicas": stable, "recommendations": write_entries(after), "reason": reason}


def _scale_event(given: Json) -> Json:
    behavior = read_behavior(given["behavior"], {})
    made = record(read_history(given), behavior, given["previous_replicas"], given["new_replicas"], NOW)
    return {"scale_up_events": write_changes(made.ups), "scale_down_events": write_changes(made.downs)}


def _behavior_steps(given: Json) -> Json:
    history = read_history(given["initial"])
    spec = given["spec"]
    steps = []
    for each in given["steps"]:
        spec = each.get("spec", spec)
        behavior = read_behavior(spec["behavior"], given)
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
    return {"steps": steps, "final": write_history(history)}


def _reconcile(given: Json) -> Json:
    config, initial = given["config"], given["initial"]
    settings = passes.Settings(read_timing(config), config["scale_to_zero"], config["pod_level_resources"])
    history = read_history(initial)
    status = passes.Status(
        initial["status_current_replicas"],
        initial["status_desired_replicas"],
        read_conditions(initial["conditions"]),
        last_scale=initial["last_scale_time"],
    )
    spec = read_spec(given["spec"], config)
    steps = []
    for each in given["steps"]:
        spec = read_spec(each["spec"], config) if "spec" in each else spec
        fault, now = each.get("fault"), each["t"]
        look = passes.Look(
            None if fault == "get_scale" else (each["spec_replicas"], each["status_replicas"]),
            read_pods(each),
            tuple(map(read_reading, each["readings"])),
            SELECTORS.get(fault, passes.Selector.FINE),
        )
        made = passes.evaluate(spec, look, status, history, settings, now)
        made = passes.conclude(made, spec, settings, now, accepted=fault != "update_scale")
        status, history = made.status, made.history
        steps.append(_passed(made, spec))
    return {"steps": steps, "final": write_history(history)}


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
