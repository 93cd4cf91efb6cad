"""From one stage of an operation to the next, alike on every platform that does it stage by stage."""

from __future__ import annotations

import msgspec

from autoscaler.model.operation import Operation


def first(operation: Operation) -> bool:
    """True where the old one stops before the new one is made."""
    return "first" in operation.facts


def to(operation: Operation, stage: str, **facts: str) -> Operation:
    """The operation at another stage, at once, with these facts added."""
    return msgspec.structs.replace(operation, stage=stage, wait_until=0.0, facts={**operation.facts, **facts})
