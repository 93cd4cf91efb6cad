"""Speed and smoothing: the `behavior` of an HPA → ours and back. The one of KEDA is the same."""

from __future__ import annotations

import math
from typing import Any

from autoscaler.model.policy import Behavior, Direction, Legacy, Rate, Select
from autoscaler.policy.importers.autoscaling import Behaviors, Scaling, Unit, amount
from autoscaler.policy.importers.manifest import Spec
from autoscaler.policy.words import Path


def behavior(given: Behaviors | None, spec: Spec, path: Path) -> Behavior | Legacy:
    """Ours, with the report of it. An HPA without behavior is `legacy`: another arithmetic than an empty one."""
    if given is None:
        spec.equal(path, "not written, so behavior: legacy (doubling at most, five minutes of smoothing downwards)")
        return Legacy.LEGACY
    spec.equal(path, "behavior: windows, rates, select and tolerance one to one")
    return Behavior(up=_direction(given.scaleUp), down=_direction(given.scaleDown))


def _direction(given: Scaling | None) -> Direction:
    if given is None:
        return Direction()
    window = given.stabilizationWindowSeconds
    rates = None
    if given.policies is not None:
        rates = tuple(
            Rate(per=float(each.periodSeconds), percent=each.value)
            if each.type is Unit.PERCENT
            else Rate(per=float(each.periodSeconds), replicas=each.value)
            for each in given.policies
        )
    return Direction(
        stabilization=None if window is None else float(window),
        tolerance=None if given.tolerance is None else _tolerance(given.tolerance),
        rates=rates,
        select=Select.MAX if given.selectPolicy is None else Select(given.selectPolicy.value.lower()),
    )


def _tolerance(text: str) -> float:
    """A tolerance as the HPA has it: thousandths multiplied, which differs in the last bit from a division for some."""
    return math.ceil(round((amount(text) or 0.0) * 1000, 6)) * 0.001


def manifest(ours: Behavior | Legacy) -> dict[str, Any] | None:
    """The `behavior` of an HPA; None for legacy, which is an HPA without one."""
    if isinstance(ours, Legacy):
        return None
    halves = {"scaleUp": _half(ours.up), "scaleDown": _half(ours.down)}
    return {key: half for key, half in halves.items() if half}  # an empty one is not a missing one


def _half(ours: Direction) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if ours.stabilization is not None:
        made["stabilizationWindowSeconds"] = round(ours.stabilization)
    if ours.select is not Select.MAX:
        made["selectPolicy"] = ours.select.value.capitalize()
    if ours.rates is not None:
        made["policies"] = [
            {
                "type": Unit.PODS.value if each.replicas is not None else Unit.PERCENT.value,
                "value": each.percent if each.replicas is None else each.replicas,
                "periodSeconds": round(each.per),
            }
            for each in ours.rates
        ]
    if ours.tolerance is not None:
        made["tolerance"] = f"{round(ours.tolerance * 1000)}m"
    return made


def unsaid(ours: Behavior | Legacy) -> list[str]:
    """What of ours an HPA cannot say."""
    if isinstance(ours, Legacy):
        return []
    found = []
    if ours.reversals is not None:
        found.append("reversals: an HPA has no budget for changes of direction")
    for name, half in (("up", ours.up), ("down", ours.down)):
        spans = [each.per for each in half.rates or ()] + ([half.stabilization] if half.stabilization else [])
        if any(span != round(span) for span in spans):
            found.append(f"{name}: an HPA knows whole seconds only")
        if half.tolerance is not None and abs(half.tolerance * 1000 - round(half.tolerance * 1000)) > 1e-9:
            found.append(f"{name}.tolerance: an HPA knows whole thousandths only")
    return found
