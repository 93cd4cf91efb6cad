"""Nodes → structs, told by the structs themselves: their types, bounds and units. All problems at once.

Policies are made this way, and the daemon's settings too.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, TypeVar

from msgspec import inspect

from autoscaler.policy.later import LATER
from autoscaler.policy.nodes import Node, Problem
from autoscaler.policy.rules import Path, faults
from autoscaler.policy.units import duration, fraction, seconds

Place = tuple[int, int]

T = TypeVar("T")


class _Wrong:
    """Stands where a value could not be made."""


WRONG = _Wrong()


class Converter:
    """One document's nodes into structs. `places` tells where each value that was written stands, by its path."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.places: dict[Path, Place] = {}
        self._file = file
        self._problems = problems

    def struct(self, node: Node, kind: type[T]) -> T | None:
        """The struct a node describes; None where it cannot be made (the problems say why)."""
        made = self._value(node, inspect.type_info(kind), (), None)
        return made if isinstance(made, kind) else None

    def problem(self, path: Path, sentence: str, hint: str = "") -> None:
        """Add a problem at a path, or at the nearest one above it that was written."""
        near = path
        while near and near not in self.places:
            near = near[:-1]
        line, column = self.places.get(near, (1, 1))
        self._problems.append(Problem(self._file, line, column, f"{dotted(path)}: {sentence}", hint))

    # one value by its type

    def _value(self, node: Node, kind: inspect.Type, path: Path, extra: dict[str, Any] | None) -> Any:
        self.places.setdefault(path, (node.line, node.column))
        if isinstance(kind, inspect.Metadata):
            return self._value(node, kind.type, path, kind.extra)
        if isinstance(kind, inspect.UnionType):
            return self._value(node, _chosen(node, kind), path, extra)
        if node.value is None:
            return self._wrong(
                path, f"expected {expected(kind, extra)}, got nothing", "write a value, or remove the key"
            )
        made = self._MAKERS[type(kind)](self, node, kind, path, extra)
        return made if isinstance(made, _Wrong) else self._checked(node, kind, path, made, extra)

    def _struct(self, node: Node, kind: inspect.StructType, path: Path, extra: dict[str, Any] | None) -> Any:
        if not isinstance(node.value, dict):
            names = ", ".join(field.encode_name for field in kind.fields[:4])
            return self._wrong(path, f"expected a map, got {got(node)}", f"its keys are {names}")
        fields = {field.encode_name: field for field in kind.fields}
        whole = self._known(node, kind.cls, list(fields), path)
        made: dict[str, Any] = {}
        for key, field in fields.items():
            if key in node.value:
                value = self._value(node.value[key], field.type, (*path, key), None)
                whole = whole and not isinstance(value, _Wrong)
                made[field.name] = value
            elif field.required:
                whole = False
                self.problem(path, f"{key} is missing", f"add {key}: {_example(field.type)}")
        if not whole:
            return WRONG
        struct = kind.cls(**made)
        for below, sentence, hint in faults(struct):
            self.problem((*path, *below), sentence, hint)
        return struct

    def _known(self, node: Node, kind: type, fields: Sequence[str], path: Path) -> bool:
        """Say which keys are not known (yet)."""
        known = True
        assert isinstance(node.value, dict)
        for key in node.value:
            if key in fields:
                continue
            known = False
            self.places[(*path, key)] = node.keys[key]
            if key in LATER.get(kind, ()):
                self.problem((*path, key), "not available yet", "remove the key: this version cannot do it")
            else:
                near = difflib.get_close_matches(key, fields, n=1, cutoff=0.6)
                hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(fields)}"
                self.problem((*path, key), "unknown key", hint)
        return known

    def _tuple(self, node: Node, kind: inspect.VarTupleType, path: Path, extra: dict[str, Any] | None) -> Any:
        if not isinstance(node.value, tuple):
            return self._wrong(
                path, f"expected a list, got {got(node)}", "write [ … ] or one item per line after a dash"
            )
        items = tuple(self._value(item, kind.item_type, (*path, i), extra) for i, item in enumerate(node.value))
        return WRONG if any(isinstance(item, _Wrong) for item in items) else items

    def _dict(self, node: Node, kind: inspect.DictType, path: Path, extra: dict[str, Any] | None) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(path, f"expected a map, got {got(node)}")
        items = {key: self._value(item, kind.value_type, (*path, key), extra) for key, item in node.value.items()}
        return WRONG if any(isinstance(item, _Wrong) for item in items.values()) else items

    def _enum(self, node: Node, kind: inspect.EnumType, path: Path, extra: dict[str, Any] | None) -> Any:
        words: dict[str, enum.Enum] = {each.value: each for each in kind.cls}
        if node.text in words and not isinstance(node.value, (tuple, dict)):
            return words[node.text]
        near = difflib.get_close_matches(node.text, words, n=1)
        hint = f"did you mean {near[0]}?" if near else ""
        return self._wrong(path, f"expected {expected(kind, extra)}, got {got(node)}", hint)

    def _text(self, node: Node, kind: inspect.StrType, path: Path, extra: dict[str, Any] | None) -> Any:
        if isinstance(node.value, (tuple, dict)):
            return self._wrong(path, f"expected text, got {got(node)}", "put quotes around it")
        return node.text  # 18:30, 007 and 1.10 stay what was written

    def _number(self, node: Node, kind: inspect.Type, path: Path, extra: dict[str, Any] | None) -> Any:
        unit = (extra or {}).get("unit")
        if unit is not None:
            return self._with_unit(node, kind, path, unit)
        value = node.value
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            hint = ""
            if isinstance(value, str) and re.fullmatch(r"[0-9.]+m", value):
                hint = f"{_thousandth(value)} or {value}s? m as a thousandth is only for Kubernetes quantities"
            elif isinstance(value, str) and re.fullmatch(r"[0-9.]+%?", value):
                hint = "a plain number, without quotes or a sign"
            return self._wrong(path, f"expected {expected(kind, extra)}, got {got(node)}", hint)
        if isinstance(kind, inspect.FloatType):
            return float(value)
        if abs(value) > 1e15 or value != int(value):
            return self._wrong(path, f"expected a whole number, got {got(node)}")
        return int(value)

    def _with_unit(self, node: Node, kind: inspect.Type, path: Path, unit: str) -> Any:
        text = node.text if not isinstance(node.value, (tuple, dict)) else ""
        if unit == "duration":
            made = seconds(text)
            hint = f"{text}s?" if isinstance(node.value, (int, float)) else "one number and one of ms s m h d: 90m"
        elif unit == "percent":
            made = fraction(text)
            hint = ""
            if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
                hint = f"{node.value * 100:g}% or {node.value:g}%?" if node.value <= 1 else f"{node.value:g}%?"
        else:  # a number, or a duration in seconds: never 300m, which may be meant either way
            if isinstance(node.value, (int, float)) and not isinstance(node.value, bool):
                return float(node.value)
            made = None if re.fullmatch(r"[0-9.]+m", text) else seconds(text)
            hint = f"{_thousandth(text)} or {text}s?" if re.fullmatch(r"[0-9]+(\.[0-9]+)?m", text) else ""
        if made is None:
            return self._wrong(path, f"expected {expected(kind, {'unit': unit})}, got {got(node)}", hint)
        return made

    def _checked(self, node: Node, kind: Any, path: Path, made: Any, extra: dict[str, Any] | None) -> Any:
        """The bounds of the type."""
        if isinstance(kind, (inspect.IntType, inspect.FloatType)):
            fine = (
                made == made
                and made not in (float("inf"), float("-inf"))
                and (kind.ge is None or made >= kind.ge)
                and (kind.gt is None or made > kind.gt)
                and (kind.le is None or made <= kind.le)
                and (kind.lt is None or made < kind.lt)
            )
            if not fine:
                return self._wrong(path, f"expected {expected(kind, extra)}, got {got(node)}")
        elif isinstance(kind, inspect.StrType):
            if kind.pattern is not None and not re.search(kind.pattern, made):
                return self._wrong(path, f"expected text like {_plain(kind.pattern)}, got {got(node)}")
            if len(made.strip()) < (kind.min_length or 0):
                return self._wrong(path, "expected text, got an empty one")
            if kind.max_length is not None and len(made) > kind.max_length:
                return self._wrong(path, f"expected at most {kind.max_length} characters, got {len(made)}")
        elif isinstance(kind, inspect.VarTupleType) and len(made) < (kind.min_length or 0):
            return self._wrong(path, "expected at least one item, got an empty list", "add one, or remove the key")
        return made

    def _wrong(self, path: Path, sentence: str, hint: str = "") -> _Wrong:
        self.problem(path, sentence, hint)
        return WRONG

    _MAKERS: ClassVar[dict[type, Callable[..., Any]]] = {
        inspect.StructType: _struct,
        inspect.VarTupleType: _tuple,
        inspect.DictType: _dict,
        inspect.EnumType: _enum,
        inspect.StrType: _text,
        inspect.IntType: _number,
        inspect.FloatType: _number,
    }


def _chosen(node: Node, kind: inspect.UnionType) -> inspect.Type:
    """Of a word or a map, the one that is written; most unions have but one type beside None."""
    types = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    maps = [each for each in types if isinstance(each, inspect.StructType)]
    if len(types) == 1:
        return types[0]
    (one,) = maps if isinstance(node.value, dict) else [each for each in types if each not in maps]
    return one


def dotted(path: Path) -> str:
    """A path as people write it.

    >>> dotted(("signals", 0, "per_replica"))
    'signals[0].per_replica'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "policy"


def expected(kind: inspect.Type, extra: dict[str, Any] | None) -> str:
    """What a type wants, in words."""
    unit = (extra or {}).get("unit")
    if isinstance(kind, inspect.EnumType):
        words = [each.value for each in kind.cls]
        return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else str(words[0])
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        nouns = {"duration": "a duration such as 30s", "percent": "a percentage such as 70%"}
        nouns["number"] = "a number or a duration such as 300ms"
        noun = nouns.get(unit or "", "a whole number" if isinstance(kind, inspect.IntType) else "a number")
        return noun + _range(kind, unit)
    nouns = {"VarTupleType": "a list", "StrType": "text"}
    return nouns.get(type(kind).__name__, "a map")


def _range(kind: inspect.IntType | inspect.FloatType, unit: str | None) -> str:
    said = []
    if kind.gt is not None:
        said.append(f"above {_bound(kind.gt, unit)}")
    if kind.ge is not None:
        said.append(f"at least {_bound(kind.ge, unit)}")
    if kind.le is not None:
        said.append(f"at most {_bound(kind.le, unit)}")
    return (", " + ", ".join(said)) if said else ""


def _bound(value: float, unit: str | None) -> str:
    if value and unit == "duration":
        return duration(value)
    return f"{value:g}"


def got(node: Node) -> str:
    """A node in a few words."""
    if isinstance(node.value, tuple):
        return "a list"
    if isinstance(node.value, dict):
        return "a map"
    text = node.text if len(node.text) <= 40 else node.text[:37] + "…"
    return text.replace("\n", " ") or "an empty text"


def _example(kind: inspect.Type) -> str:
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        kind = kind.type if isinstance(kind, inspect.Metadata) else kind.types[0]
    if isinstance(kind, inspect.StructType):
        keys = [field.encode_name for field in kind.fields if field.required] or [kind.fields[0].encode_name]
        return "{" + ", ".join(f"{key}: …" for key in keys) + "}"
    return "10" if isinstance(kind, inspect.IntType) else "…"


def _thousandth(text: str) -> str:
    try:
        return f"{float(text[:-1]) / 1000:g}"
    except ValueError:
        return text


def _plain(pattern: str) -> str:
    return {"^/": "/path", "^Deployment$": "Deployment"}.get(pattern, pattern)
