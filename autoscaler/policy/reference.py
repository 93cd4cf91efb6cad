"""The structs → tables of their keys, for the pages of policies and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import NODEFAULT, inspect

from autoscaler.policy.convert import fields_of
from autoscaler.policy.defaults import plain
from autoscaler.policy.later import LATER
from autoscaler.policy.rules.shape import ONE_OF
from autoscaler.policy.words import expected, sentence_of, unit_of


def keys(top: type, at: str = "") -> str:
    """A table of keys for each map below `top`, in the order they are met; `at` is the path it stands at."""
    return "\n\n".join("\n".join(_section(kind, path)) for kind, path in _structs(top, at))


def _structs(top: type, at: str) -> list[tuple[type, str]]:
    """The structs below one, each once, with the path it is met at first."""
    found: dict[type, str] = {top: at}
    waiting: list[tuple[type, str]] = [(top, at)]
    while waiting:
        kind, path = waiting.pop(0)
        for key, field in fields_of(kind).items():
            for inner in _inner(field.type):
                if inner not in found:
                    found[inner] = f"{path}.{key}" if path else key
                    waiting.append((inner, found[inner]))
    return list(found.items())


def _inner(kind: inspect.Type) -> Iterator[type]:
    if isinstance(kind, inspect.Metadata):
        yield from _inner(kind.type)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _inner(each)
    elif isinstance(kind, inspect.VarTupleType):
        yield from _inner(kind.item_type)
    elif isinstance(kind, inspect.DictType):
        yield from _inner(kind.value_type)
    elif isinstance(kind, inspect.StructType):
        yield kind.cls


def _section(kind: type, path: str) -> Iterator[str]:
    if path:
        yield f"### `{path}`"
        yield ""
    yield " ".join((kind.__doc__ or "").split())
    yield ""
    yield "| key | what | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key, field in fields_of(kind).items():
        said = sentence_of(field.type).replace("|", "\\|")
        yield f"| `{key}` | {_what(field.type)} | {_default(kind, key, field)} | {said} |"
    if LATER.get(kind):
        yield ""
        yield f"Not available yet: {', '.join(f'`{key}`' for key in sorted(LATER[kind]))}."


def _what(kind: inspect.Type, unit: str = "") -> str:
    if isinstance(kind, inspect.Metadata):
        return _what(kind.type, unit_of(kind))
    if isinstance(kind, inspect.UnionType):
        return ", or ".join(_what(each, unit) for each in kind.types if not isinstance(each, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        return "a map"
    if isinstance(kind, inspect.VarTupleType):
        return "a list of " + ("maps" if isinstance(kind.item_type, inspect.StructType) else "texts")
    if isinstance(kind, inspect.DictType):
        return "a map of text to " + ("maps" if isinstance(kind.value_type, inspect.StructType) else "text")
    return expected(kind, unit)


def _default(kind: type, key: str, field: inspect.Field) -> str:
    if field.required:
        return "**required**"
    if kind in ONE_OF and key in ONE_OF[kind][0]:
        return "one of " + ", ".join(f"`{each}`" for each in ONE_OF[kind][0])
    value: Any = field.default
    if value is NODEFAULT or value is None or value in ({}, (), ""):
        return ""
    written = plain(value, field.type, None)
    if isinstance(written, dict):
        return ""  # what is in it has a table of its own
    return f"`{written}`" if isinstance(written, str) else f"`{json.dumps(written).replace(chr(34), '')}`"
