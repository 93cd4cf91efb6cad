"""What a policy means once every default is written out, and as text again."""

from __future__ import annotations

import enum
from typing import Any

import msgspec
from msgspec import inspect

from autoscaler.model.policy import HPA_BEHAVIOR, Behavior, Cleanup, Direction, Policy, Select
from autoscaler.policy.convert import described
from autoscaler.policy.nodes import dump
from autoscaler.policy.units import duration, percent
from autoscaler.policy.words import unit_of


def resolved(policy: Policy) -> Policy:
    """The policy with the behavior it really has where it is silent; `legacy` has none and stays that word."""
    if not isinstance(policy.behavior, Behavior):
        return policy
    behavior = msgspec.structs.replace(
        policy.behavior,
        up=_direction(policy.behavior.up, HPA_BEHAVIOR.up),
        down=_direction(policy.behavior.down, HPA_BEHAVIOR.down),
    )
    return msgspec.structs.replace(policy, behavior=behavior)


def as_yaml(policy: Policy | Cleanup) -> str:
    """A policy or clean-up as text that loads back to the same again; what is not set is left out."""
    return dump(plain(policy, described(type(policy)), None))


def brief(policy: Policy) -> dict[str, Any]:
    """A policy as the map that somebody would write: what the defaults say anyway is left out."""
    made = plain(policy, described(Policy), None, brief=True)
    assert isinstance(made, dict)
    return made


def _direction(given: Direction, default: Direction) -> Direction:
    rates = given.rates
    if rates is None and given.select is not Select.DISABLED:  # a closed direction has no speed
        rates = default.rates
    return msgspec.structs.replace(
        given,
        stabilization=default.stabilization if given.stabilization is None else given.stabilization,
        tolerance=default.tolerance if given.tolerance is None else given.tolerance,
        rates=rates,
    )


def plain(value: Any, kind: inspect.Type, meta: inspect.Metadata | None, *, brief: bool = False) -> Any:
    """A value as a policy file would have it: structs as maps in the order of their fields, numbers with units.

    With `brief` what is at its default is left out as well.
    """
    if isinstance(kind, inspect.Metadata):
        return plain(value, kind.type, kind, brief=brief)
    if isinstance(kind, inspect.UnionType):
        return plain(value, _of(value, kind), meta, brief=brief)
    if isinstance(kind, inspect.StructType):
        made = {}
        for field in kind.fields:
            each = getattr(value, field.name)
            if each not in (None, {}, ()) and not (brief and each == field.default):
                made[field.encode_name] = plain(each, field.type, None, brief=brief)
        return made
    if isinstance(kind, inspect.VarTupleType):
        return [plain(each, kind.item_type, None, brief=brief) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    unit = unit_of(meta)
    if unit == "duration":
        return duration(value)
    if unit == "percent":
        return percent(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _of(value: Any, kind: inspect.UnionType) -> inspect.Type:
    """Of a union, the type this value has."""
    for each in kind.types:
        if isinstance(each, (inspect.StructType, inspect.EnumType)) and isinstance(value, each.cls):
            return each
    return next(each for each in kind.types if not isinstance(each, inspect.NoneType))
