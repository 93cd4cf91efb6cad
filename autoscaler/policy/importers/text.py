"""Policies as YAML for people: only what is not the default, and above each what to know about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autoscaler.model.policy import Policy
from autoscaler.policy.defaults import brief
from autoscaler.policy.importers.report import EXIT, Carried, Turned, plain
from autoscaler.policy.nodes import dump
from autoscaler.policy.placeholders import sample
from autoscaler.policy.promql import Facts, facts


def policies(turned: Sequence[Turned]) -> str:
    """One document for each policy that was made, under the keys that are not quite the same."""
    made = [_document(each, each.policy) for each in turned if each.policy is not None]
    return "---\n".join(made)


def _document(each: Turned, policy: Policy) -> str:
    told = [one for one in each.findings if one.carried is not Carried.EQUAL]
    lines = [f"# from {each.file}:{each.line}, {each.source}"]
    lines += [
        f"#   {one.carried.value}: {one.key} (line {one.line}): {one.sentence}"
        for one in sorted(told, key=lambda one: -EXIT[one.carried])
    ]
    return "\n".join(map(plain, lines)) + "\n" + dump(_said(policy))


def _said(policy: Policy) -> dict[str, Any]:
    """The policy's map; what a query that divides means without a divisor is said although it is the default."""
    made = brief(policy)
    for signal, written in zip(policy.signals, made.get("signals", ()), strict=True):
        known = facts(sample(signal.prometheus)) if signal.prometheus is not None else None
        if isinstance(known, Facts) and known.divides:
            written.setdefault("nan", signal.nan.value)
    return made
