"""From one stage to the next, and from the last to the outcome: what an operation carries on and says in the end."""

from __future__ import annotations

import msgspec

from autoscaler.model.operation import Operation, Outcome, OutcomeKind
from autoscaler.targets.compose.container import Container
from autoscaler.targets.turns import first, to

STEADY_S = 2.0  # what a container without a health check must run to be called ready


def leaving(operation: Operation, old: Container, now: float) -> Operation:
    """The operation once the old one is marked: it drains, after it was told where the policy says so."""
    grace = repr(float(old.stop_timeout))
    if not operation.before_stop:
        return msgspec.structs.replace(to(operation, "stop", grace=grace), wait_until=now + operation.drain_s)
    return to(operation, "tell", grace=grace, url=f"http://{old.address}{operation.before_stop}" if old.address else "")


def steady(new: Container, operation: Operation, now: float) -> bool:
    """Without a health check only its running on shows that a new one serves."""
    ran_s = now - float(operation.facts.get("started", "0"))
    return bool(new.health) or (not new.restarts and ran_s >= min(STEADY_S, operation.ready_within_s))


def applied(operation: Operation, now: float, detail: str = "") -> Outcome:
    """It is done."""
    return Outcome(operation, OutcomeKind.APPLIED, now, detail)


def made(operation: Operation) -> str:
    """What there is to say about what was done: a name that was taken, what was copied, who was not told."""
    facts = operation.facts
    said = [facts.get("said", ""), facts.get("untold", "")]
    if facts.get("first"):
        said.append(f"the old one stopped first: {facts['first']}")
    if "taken" in facts:
        said.append(f"{facts['taken']} is the name of a container of somebody else, so the new one is {facts['name']}")
    if "copied" in facts:
        said.append(f"{facts['copied']} copied from the one it is made like")
    return "; ".join(each for each in said if each)


def discarded(operation: Operation, now: float) -> Outcome:
    """Its new container could not be had, and everything is as it was."""
    kind = OutcomeKind(operation.facts.get("end", OutcomeKind.FAILED.value))
    what = "the old container is back" if first(operation) else "the new container was taken away again"
    return Outcome(operation, kind, now, f"{what}: {operation.facts.get('why', '')}")
