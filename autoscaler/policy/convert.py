"""Nodes → structs, told by the structs themselves: their types, bounds and units. All problems at once.

Policies are made this way, and the daemon's settings too.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, TypeVar

from msgspec import inspect

from autoscaler.policy.later import LATER
from autoscaler.policy.nodes import Node, Origin, Problem
from autoscaler.policy.scalars import number
from autoscaler.policy.words import Path, dotted, example, example_of, expected, got, nearest, unit_of
from autoscaler.unseen import unseen, visible

Fault = tuple[Path, str, str]  # where below the struct, what, hint
Rules = Callable[[object], Iterator[Fault]]

T = TypeVar("T")


class _Wrong:
    """Stands where a value could not be made."""


WRONG = _Wrong()


def no_rules(struct: object) -> Iterator[Fault]:
    """Nothing but the types."""
    return iter(())


class Converter:
    """One document's nodes into structs. `nodes` tells what was written, by its path.

    With `partial` nothing is missed and no rule is asked: what is there is checked on its own. A value that came from
    another document than `origin` is told as such, with `whose` uses it. `under` is the path the node stands at.
    """

    def __init__(
        self,
        file: str,
        problems: list[Problem],
        *,
        rules: Rules = no_rules,
        whole: str = "policy",
        under: Path = (),
        partial: bool = False,
        origin: Origin | None = None,
        whose: str = "",
    ) -> None:
        self.nodes: dict[Path, Node] = {}
        self._file = file
        self._problems = problems
        self._rules = rules
        self._whole = whole
        self._under = under
        self._partial = partial
        self._origin = origin
        self._whose = whose

    def struct(self, node: Node, kind: type[T]) -> T | None:
        """The struct a node describes; None where it cannot be made (the problems say why, unless it is partial)."""
        made = self._value(node, described(kind), (), None)
        return made if isinstance(made, kind) else None

    def problem(self, path: Path, sentence: str, hint: str = "") -> None:
        """Add a problem at a path, or at the nearest one above it that was written."""
        near = path
        while near and near not in self.nodes:
            near = near[:-1]
        node = self.nodes.get(near)
        line, column, origin = (node.line, node.column, node.origin) if node is not None else (1, 1, ("", 0))
        said = f"{dotted((*self._under, *path), self._whole)}: {sentence}"
        whose = self._whose if origin != self._origin else ""
        self._problems.append(Problem(origin[0] or self._file, line, column, said, hint, whose))

    # one value by its type

    def _value(self, node: Node, kind: inspect.Type, path: Path, meta: inspect.Metadata | None) -> Any:
        self.nodes.setdefault(path, node)
        while (make := self._MAKERS.get(type(kind))) is None:
            if isinstance(kind, inspect.Metadata):
                meta = kind
                kind = kind.type
            elif isinstance(kind, inspect.UnionType):
                chosen = _chosen(node, kind)
                if chosen is None:
                    return self._wrong(path, f"expected {expected(kind)}, got {got(node)}")
                kind = chosen
            else:
                raise TypeError(f"no way to make {kind}")
        if node.value is None:
            hint = "write a value, or remove the key"
            return self._wrong(path, f"expected {expected(kind, unit_of(meta))}, got nothing", hint)
        return make(self, node, kind, path, meta)

    def _struct(self, node: Node, kind: inspect.StructType, path: Path, meta: inspect.Metadata | None) -> Any:
        if not isinstance(node.value, dict):
            names = ", ".join(field.encode_name for field in kind.fields[:4])
            return self._wrong(path, f"expected a map, got {got(node)}", f"its keys are {names}")
        fields = keyed(kind)
        for key in node.value:
            self.nodes[(*path, key)] = node.value[key]  # a quantity looks for `resource` beside it
        whole = self._known(node, kind, path)
        made: dict[str, Any] = {}
        for key, field in fields.items():
            if key in node.value:
                value = self._value(node.value[key], field.type, (*path, key), None)
                whole = whole and not isinstance(value, _Wrong)
                made[field.name] = value
            elif field.required:
                whole = False
                if not self._partial:
                    self.problem(path, f"{key} is missing", f"add {key}: {example(field.type)}")
        if not whole:
            return WRONG
        struct = kind.cls(**made)
        if not self._partial:
            for below, sentence, hint in self._rules(struct):
                self.problem((*path, *below), sentence, hint)
        return struct

    def _known(self, node: Node, kind: inspect.StructType, path: Path) -> bool:
        """Say which keys are not known (yet)."""
        known = True
        fields = keyed(kind)
        assert isinstance(node.value, dict)
        for key, value in node.value.items():
            if key in fields:
                continue
            known = False
            line, column = node.keys[key]
            self.nodes[(*path, key)] = Node(line, column, None, origin=value.origin)
            if key in LATER.get(kind.cls, ()):
                self.problem((*path, key), "not available yet", "remove the key: this version cannot do it")
            else:
                near = nearest(key, fields)
                hint = f"did you mean {near}?" if near else f"known here: {', '.join(fields)}"
                self.problem((*path, key), "unknown key", hint)
        return known

    def _tuple(self, node: Node, kind: inspect.VarTupleType, path: Path, meta: inspect.Metadata | None) -> Any:
        if not isinstance(node.value, tuple):
            return self._wrong(
                path, f"expected a list, got {got(node)}", "write [ … ] or one item per line after a dash"
            )
        partial, self._partial = self._partial, False  # lists replace as a whole, so their items are complete
        items = tuple(self._value(item, kind.item_type, (*path, i), None) for i, item in enumerate(node.value))
        self._partial = partial
        if any(isinstance(item, _Wrong) for item in items):
            return WRONG
        if len(items) < (kind.min_length or 0):
            return self._wrong(path, "expected at least one item, got an empty list", "add one, or remove the key")
        return items

    def _dict(self, node: Node, kind: inspect.DictType, path: Path, meta: inspect.Metadata | None) -> Any:
        if not isinstance(node.value, dict):
            return self._wrong(path, f"expected a map, got {got(node)}")
        items = {key: self._value(item, kind.value_type, (*path, key), None) for key, item in node.value.items()}
        return WRONG if any(isinstance(item, _Wrong) for item in items.values()) else items

    def _enum(self, node: Node, kind: inspect.EnumType, path: Path, meta: inspect.Metadata | None) -> Any:
        words: dict[str, enum.Enum] = {each.value: each for each in kind.cls}
        if node.text in words and not isinstance(node.value, (tuple, dict)):
            return words[node.text]
        near = nearest(node.text, words)
        hint = f"did you mean {near}?" if near else ""
        return self._wrong(path, f"expected {expected(kind)}, got {got(node)}", hint)

    def _bool(self, node: Node, kind: inspect.BoolType, path: Path, meta: inspect.Metadata | None) -> Any:
        if isinstance(node.value, bool):
            return node.value
        hint = {"yes": "true", "on": "true", "no": "false", "off": "false"}.get(node.text.lower(), "")
        return self._wrong(path, f"expected true or false, got {got(node)}", hint and f"did you mean {hint}?")

    def _text(self, node: Node, kind: inspect.StrType, path: Path, meta: inspect.Metadata | None) -> Any:
        if isinstance(node.value, (tuple, dict)):
            return self._wrong(path, f"expected text, got {got(node)}", "put quotes around it")
        made = node.text  # 18:30, 007 and 1.10 stay what was written
        if len(made.strip()) < (kind.min_length or 0):
            return self._wrong(path, "expected text, got an empty one")
        if kind.max_length is not None and len(made) > kind.max_length:
            return self._wrong(path, f"expected at most {kind.max_length} characters, got {len(made)}")
        if meta is not None and (meta.extra or {}).get("seen") and unseen(made):
            said = f"expected text without characters that nobody sees, got {visible(made)}"
            return self._wrong(path, said, "remove what is written there as \\x…")
        if kind.pattern is not None and not re.search(kind.pattern, made):
            return self._wrong(path, f"expected text like {example_of(meta) or kind.pattern}, got {got(node)}")
        return made

    def _number(
        self, node: Node, kind: inspect.IntType | inspect.FloatType, path: Path, meta: inspect.Metadata | None
    ) -> Any:
        unit = unit_of(meta)
        if unit == "quantity" and (*path[:-1], "resource") not in self.nodes:
            unit = ""
        made = number(node, kind, unit)
        return self._wrong(path, *made) if isinstance(made, tuple) else made

    def _wrong(self, path: Path, sentence: str, hint: str = "") -> _Wrong:
        self.problem(path, sentence, hint)
        return WRONG

    _MAKERS: ClassVar[dict[type, Callable[..., Any]]] = {
        inspect.StructType: _struct,
        inspect.VarTupleType: _tuple,
        inspect.DictType: _dict,
        inspect.EnumType: _enum,
        inspect.BoolType: _bool,
        inspect.StrType: _text,
        inspect.IntType: _number,
        inspect.FloatType: _number,
    }


def described(kind: type) -> inspect.Type:
    """What msgspec knows of a struct; asked once, because it costs milliseconds."""
    if kind not in _DESCRIBED:
        _DESCRIBED[kind] = inspect.type_info(kind)
    return _DESCRIBED[kind]


def fields_of(kind: type) -> dict[str, inspect.Field]:
    """A struct's fields by the keys they have in a file."""
    known = described(kind)
    assert isinstance(known, inspect.StructType)
    return keyed(known)


def keyed(kind: inspect.StructType) -> dict[str, inspect.Field]:
    """The same for a struct that is described already."""
    if kind.cls not in _KEYED:
        _KEYED[kind.cls] = {field.encode_name: field for field in kind.fields}
    return _KEYED[kind.cls]


# What msgspec said, kept; never anything that was read.
_DESCRIBED: dict[type, inspect.Type] = {}
_KEYED: dict[type, dict[str, inspect.Field]] = {}


_MAPS = (inspect.StructType, inspect.DictType)
_LISTS = (inspect.VarTupleType,)


def _chosen(node: Node, kind: inspect.UnionType) -> inspect.Type | None:
    """Of words, a number, a map or a list, the one that is written; None for none. Most unions have one type."""
    types = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    if len(types) == 1:
        return types[0]
    if node.value is None:
        return None
    shape = _MAPS if isinstance(node.value, dict) else _LISTS if isinstance(node.value, tuple) else None
    fit = [each for each in types if (isinstance(each, shape) if shape else not isinstance(each, _MAPS + _LISTS))]
    if len(fit) < 2:
        return fit[0] if fit else None
    words = [each for each in fit if isinstance(each, inspect.EnumType)]
    said = [each for each in words if node.text in {word.value for word in each.cls}]
    others = [each for each in fit if each not in words]
    numeric = node.text[:1] in "+-.0123456789"
    return said[0] if said else others[0] if others and numeric else None
