"""How values, types and places are called in sentences for people."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import inspect

from autoscaler.policy.nodes import Node
from autoscaler.policy.units import duration

Path = tuple[str | int, ...]

NOUNS = {
    "duration": "a duration such as 30s",
    "percent": "a percentage such as 70%",
    "number": "a number or a duration such as 300ms",
    "quantity": "a number or a quantity such as 500m or 256Mi",
}


def dotted(path: Path, whole: str = "policy") -> str:
    """A path as people write it; the empty path is `whole`.

    >>> dotted(("signals", 0, "per_replica"))
    'signals[0].per_replica'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or whole


def unit_of(meta: inspect.Metadata | None) -> str:
    """The unit a value is written in; empty for plain ones."""
    return str((meta.extra or {}).get("unit", "")) if meta is not None else ""


def example_of(meta: inspect.Metadata | None) -> str:
    """An example of a value that fits its pattern; empty where there is none."""
    examples = (meta.extra_json_schema or {}).get("examples", ()) if meta is not None else ()
    return str(examples[0]) if examples else ""


def sentence_of(kind: inspect.Type) -> str:
    """The sentence a type carries."""
    for each in _layers(kind):
        if isinstance(each, inspect.Metadata) and (each.extra_json_schema or {}).get("description"):
            return str((each.extra_json_schema or {})["description"])
    return ""


def _layers(kind: inspect.Type) -> list[inspect.Type]:
    found = [kind]
    for each in found:
        if isinstance(each, inspect.Metadata):
            found.append(each.type)
        elif isinstance(each, inspect.UnionType):
            found.extend(each.types)
    return found


def expected(kind: inspect.Type, unit: str = "") -> str:
    """What a type wants, in words."""
    if isinstance(kind, inspect.UnionType):
        return " or ".join(expected(each) for each in kind.types if not isinstance(each, inspect.NoneType))
    if isinstance(kind, inspect.Metadata):
        return expected(kind.type, unit_of(kind) or unit)
    if isinstance(kind, inspect.EnumType):
        words = [str(each.value) for each in kind.cls]
        return " or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
    if isinstance(kind, (inspect.IntType, inspect.FloatType)):
        noun = NOUNS.get(unit, "a whole number" if isinstance(kind, inspect.IntType) else "a number")
        return noun + bounds(kind, unit)
    if isinstance(kind, inspect.StructType):
        return f"a map of {', '.join(field.encode_name for field in kind.fields[:4])}"
    return {inspect.VarTupleType: "a list", inspect.StrType: "text", inspect.BoolType: "true or false"}.get(
        type(kind), "a map"
    )


def bounds(kind: inspect.IntType | inspect.FloatType, unit: str = "") -> str:
    """The bounds of a number, to be said after its noun; empty without any."""
    limits = (("above", kind.gt), ("at least", kind.ge), ("at most", kind.le), ("below", kind.lt))
    return "".join(f", {word} {_bound(limit, unit)}" for word, limit in limits if limit is not None)


def _bound(value: float, unit: str) -> str:
    if value and unit == "duration":
        return duration(value)
    if value and unit == "percent":
        return f"{value * 100:g}%"
    return f"{value:g}" if abs(value) < 1e6 or value != int(value) else str(int(value))


def got(node: Node) -> str:
    """A node in a few words."""
    if isinstance(node.value, tuple):
        return "a list"
    if isinstance(node.value, dict):
        return "a map"
    text = node.text if len(node.text) <= 40 else node.text[:37] + "…"
    return text.replace("\n", " ") or "an empty text"


def example(kind: inspect.Type) -> str:
    """A value of a type, roughly."""
    while isinstance(kind, (inspect.Metadata, inspect.UnionType)):
        kind = kind.type if isinstance(kind, inspect.Metadata) else kind.types[0]
    if isinstance(kind, inspect.StructType):
        keys = [field.encode_name for field in kind.fields if field.required] or [kind.fields[0].encode_name]
        return "{" + ", ".join(f"{key}: …" for key in keys) + "}"
    return "10" if isinstance(kind, inspect.IntType) else "…"


def thousandth(text: str) -> str:
    """What `300m` would be as a thousandth, or 300 milliseconds: the question to ask back; empty for other texts.

    >>> thousandth("300m"), thousandth("5s")
    ('0.3 or 300ms?', '')
    """
    if not re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,15})?m", text):
        return ""
    return f"{float(text[:-1]) / 1000:g} or {text}s?"


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word somebody may have meant; empty where none is near.

    >>> nearest("obseve", ["act", "observe"]), nearest("x", ["act"])
    ('observe', '')
    """
    import difflib  # only what is wrong needs it

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")
