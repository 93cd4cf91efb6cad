"""The structs of the language → a JSON Schema for editors (draft 7, the one they all know).

It accepts whatever the loader accepts, and refuses what can be told from one map alone: unknown keys, types, units,
bounds of plain numbers, exactly one of several keys. Maps that documents of defaults may complete need no key of
theirs, and `~` takes a default away.
"""

from __future__ import annotations

from typing import Any

from msgspec import NODEFAULT, inspect

from autoscaler.model.policy import Cleanup, Policy, Scope, Signal
from autoscaler.policy.convert import fields_of
from autoscaler.policy.defaults import plain
from autoscaler.policy.inherit import NEVER
from autoscaler.policy.rules.shape import ONE_OF
from autoscaler.policy.rules.signal import GOALS
from autoscaler.policy.units import PATTERNS
from autoscaler.policy.words import bounds, example_of, sentence_of, unit_of

Schema = dict[str, Any]

TEXT = ["string", "number", "boolean"]  # 007, 1.10 and true stay the text that was written


def schema() -> Schema:
    """The schema of one document of a policy file."""
    made = _Maker()
    policy, defaults, cleanup = made.policy(), made.defaults(), made.whole(Cleanup)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A policy of autoscaler, defaults for policies, or a clean-up",
        "type": "object",
        "if": {"properties": {"kind": {"const": "defaults"}}, "required": ["kind"]},
        "then": defaults,
        "else": {
            "if": {"properties": {"kind": {"const": "cleanup"}}, "required": ["kind"]},
            "then": cleanup,
            "else": policy,
        },
        "definitions": dict(sorted(made.definitions.items())),
    }


def of_struct(kind: type, title: str) -> Schema:
    """The schema of one document that is this struct."""
    made = _Maker()
    top = made.whole(kind)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": title,
        **top,
        "definitions": dict(sorted(made.definitions.items())),
    }


class _Maker:
    """Collects the definitions of the structs that are reached."""

    def __init__(self) -> None:
        self.definitions: dict[str, Schema] = {}

    def whole(self, kind: type) -> Schema:
        return self._map(kind, partial=False)

    def policy(self) -> Schema:
        made = self._map(Policy, partial=True)
        made["properties"]["target"] = self._field(fields_of(Policy)["target"], partial=False)
        made["properties"]["name"] = self._field(fields_of(Policy)["name"], partial=False)
        return made | {"required": ["name", "target"]}

    def defaults(self) -> Schema:
        made = self._map(Policy, partial=True)
        properties = {key: value for key, value in made["properties"].items() if key not in NEVER}
        properties["kind"] = {"const": "defaults"}
        properties["scope"] = {"description": _doc(Scope), **self._struct(Scope, partial=False)}
        return made | {"properties": properties, "required": ["kind"]}

    def _struct(self, kind: type, *, partial: bool) -> Schema:
        name = f"{kind.__name__}.partial" if partial else kind.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # no struct holds itself, but two may hold the same
            self.definitions[name] = self._map(kind, partial=partial)
        return {"allOf": [{"$ref": f"#/definitions/{name}"}]}  # beside a bare $ref, draft 7 ignores a description

    def _map(self, kind: type, *, partial: bool) -> Schema:
        fields = fields_of(kind)
        made: Schema = {
            "type": "object",
            "description": _doc(kind),
            "properties": {key: self._field(field, partial=partial) for key, field in fields.items()},
            "additionalProperties": False,
        }
        if partial:
            return made
        required = [key for key, field in fields.items() if field.required]
        return made | ({"required": required} if required else {}) | _shape(kind)

    def _field(self, field: inspect.Field, *, partial: bool) -> Schema:
        made = self._type(field.type, None, partial=partial)
        if partial:
            made = {"anyOf": [*made.pop("anyOf", [made]), {"type": "null"}]}
        sentence = sentence_of(field.type) + _limits(field.type)
        if field.default is not NODEFAULT and field.default is not None:
            made = {"default": plain(field.default, field.type, None), **made}
        return {"description": sentence, **made} if sentence else made

    def _type(self, kind: inspect.Type, meta: inspect.Metadata | None, *, partial: bool) -> Schema:
        if isinstance(kind, inspect.Metadata):
            return self._type(kind.type, kind, partial=partial)
        if isinstance(kind, inspect.UnionType):
            several = [
                self._type(each, meta, partial=partial) for each in kind.types if not isinstance(each, inspect.NoneType)
            ]
            return several[0] if len(several) == 1 else {"anyOf": several}
        if isinstance(kind, inspect.StructType):
            return self._struct(kind.cls, partial=partial)
        if isinstance(kind, inspect.VarTupleType):
            items = self._type(kind.item_type, None, partial=False)  # lists replace as a whole
            return {"type": "array", "items": items} | ({"minItems": kind.min_length} if kind.min_length else {})
        if isinstance(kind, inspect.DictType):
            values = self._type(kind.value_type, None, partial=partial)
            return {"type": "object", "additionalProperties": _or_null(values) if partial else values}
        return _scalar(kind, meta)


def _scalar(kind: inspect.Type, meta: inspect.Metadata | None) -> Schema:
    if isinstance(kind, inspect.EnumType):
        words = [each.value for each in kind.cls]
        return {"enum": [*words, *([0] if "0" in words else [])]}
    if isinstance(kind, inspect.StrType):
        made: Schema = {"type": "string", "pattern": kind.pattern} if kind.pattern else {"type": TEXT}
        lengths = {"minLength": kind.min_length, "maxLength": kind.max_length}
        made |= {key: value for key, value in lengths.items() if value is not None}
        return made | ({"examples": [example_of(meta)]} if example_of(meta) else {})
    if isinstance(kind, inspect.BoolType):
        return {"type": "boolean"}
    assert isinstance(kind, (inspect.IntType, inspect.FloatType))
    return _number(kind, unit_of(meta))


def _number(kind: inspect.IntType | inspect.FloatType, unit: str) -> Schema:
    limits = {"minimum": kind.ge, "exclusiveMinimum": kind.gt, "maximum": kind.le, "exclusiveMaximum": kind.lt}
    number: Schema = {"type": "integer" if isinstance(kind, inspect.IntType) else "number"}
    number |= {key: value for key, value in limits.items() if value is not None}
    if not unit:
        return number
    above_zero = kind.gt == 0 or (kind.ge or 0) > 0
    text = {"type": "string", "pattern": _pattern(PATTERNS[unit], above_zero)}
    return text if unit in ("duration", "percent") else {"anyOf": [number, text]}


def _pattern(pattern: str, above_zero: bool) -> str:
    return pattern.replace("^", r"^(?!0+(\.0+)?[^0-9.])", 1) if above_zero else pattern


def _limits(kind: inspect.Type) -> str:
    """The bounds of a text with a unit, which a pattern cannot say."""
    meta = None
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        meta = kind if isinstance(kind, inspect.Metadata) else meta
        kind = kind.type if isinstance(kind, inspect.Metadata) else kind.types[0]
    if not isinstance(kind, (inspect.IntType, inspect.FloatType)) or not unit_of(meta):
        return ""
    said = bounds(kind, unit_of(meta)).removeprefix(", ")
    return f" ({said})" if said else ""


def _shape(kind: type) -> Schema:
    """Rules over the keys of one map."""
    if kind not in ONE_OF:
        return {}
    one = {"oneOf": [{"required": [key]} for key in ONE_OF[kind][0]]}
    if kind is not Signal:
        return one
    goals = [{"required": [key]} for key in GOALS]
    no_goal = {"not": {"anyOf": goals}}
    plain_number = {"properties": {"per_replica": {"type": "number"}}}
    return {
        "allOf": [one, {"oneOf": [*goals, no_goal]}],
        "if": {"required": ["resource"]},
        "else": plain_number,  # m as a thousandth is a quantity's
    }


def _or_null(made: Schema) -> Schema:
    return {"anyOf": [made, {"type": "null"}]}


def _doc(kind: type) -> str:
    assert kind.__doc__ is not None
    return " ".join(kind.__doc__.split())
