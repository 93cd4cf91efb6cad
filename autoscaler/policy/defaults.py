"""What a policy means once every default is written out, and as text again."""

from __future__ import annotations

import enum
from typing import Any

import msgspec
from msgspec import inspect

from autoscaler.model.policy import HPA_BEHAVIOR, Behavior, Direction, Policy
from autoscaler.policy.nodes import dump
from autoscaler.policy.units import duration, percent


def resolved(policy: Policy) -> Policy:
    """The policy with the behavior it really has where it is silent."""
    behavior = Behavior(
        up=_direction(policy.behavior.up, HPA_BEHAVIOR.up), down=_direction(policy.behavior.down, HPA_BEHAVIOR.down)
    )
    return msgspec.structs.replace(policy, behavior=behavior)


def as_yaml(policy: Policy) -> str:
    """A policy as text that loads back to the same policy; what is not set is left out."""
    return dump(_plain(policy, inspect.type_info(Policy), None))


def _direction(given: Direction, default: Direction) -> Direction:
    return msgspec.structs.replace(
        given,
        stabilization=default.stabilization if given.stabilization is None else given.stabilization,
        tolerance=default.tolerance if given.tolerance is None else given.tolerance,
        rates=default.rates if given.rates is None else given.rates,
    )


def _plain(value: Any, kind: inspect.Type, extra: dict[str, Any] | None) -> Any:
    """Structs as maps in the order of their fields, numbers with their units."""
    if isinstance(kind, inspect.Metadata):
        return _plain(value, kind.type, kind.extra)
    if isinstance(kind, inspect.UnionType):
        return _plain(value, kind.types[0], extra)
    if isinstance(kind, inspect.StructType):
        written = {field.encode_name: (getattr(value, field.name), field.type) for field in kind.fields}
        return {key: _plain(each, inner, None) for key, (each, inner) in written.items() if each not in (None, {}, ())}
    if isinstance(kind, inspect.VarTupleType):
        return [_plain(each, kind.item_type, None) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    unit = (extra or {}).get("unit")
    if unit == "duration":
        return duration(value)
    if unit == "percent":
        return percent(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value
