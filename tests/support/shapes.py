"""JSON held against the shapes that the documentation shows: a value that is not as written there is a fault."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[2] / "docs" / "commands.md"
_FIELD = re.compile(r"- `(\w+)`: (.+)")
_LINK = re.compile(r"\[(\w+)\]\(#\w+\)")


class Shapes:
    """The shapes of a page, by name: field → type as written."""

    def __init__(self, page: Path = PAGE) -> None:
        text = page.read_text().split("<!-- made: json -->")[1].split("<!-- end -->")[0]
        parts = (part.split("\n", 1) for part in text.split("\n### ")[1:])
        self._fields = {name.strip(): dict(_FIELD.findall(rest)) for name, rest in parts}
        reasons = (page.parent / "reasons.md").read_text()
        self._reasons = set(re.findall(r"^\| `(\w+)`", reasons, re.MULTILINE))

    def check(self, value: Any, name: str) -> None:
        """Raise AssertionError with every difference between a value and a shape."""
        wrong = list(self._struct(value, name, name))
        assert not wrong, "\n".join(wrong)

    def _struct(self, value: Any, name: str, where: str) -> Iterator[str]:
        fields = self._fields[name]
        if not isinstance(value, dict):
            yield f"{where}: {value!r} is no {name}"
            return
        yield from (f"{where}.{each}: not there" for each in fields if each not in value)
        yield from (f"{where}.{each}: not documented" for each in value if each not in (*fields, "type"))
        for each, kind in fields.items():
            if each in value:
                yield from self._any(value[each], kind, f"{where}.{each}")

    def _any(self, value: Any, kind: str, where: str) -> Iterator[str]:
        """What is wrong with a value of a type as written; nothing where one of its alternatives fits."""
        kind = kind[1:-1] if kind.startswith("(") else kind
        tries = [list(self._one(value, each, where)) for each in _alternatives(kind)]
        if all(tries):
            yield from min(tries, key=len)

    def _one(self, value: Any, kind: str, where: str) -> Iterator[str]:
        link = _LINK.fullmatch(kind)
        if link is not None:
            yield from self._struct(value, link[1], where)
        elif kind.startswith("list of "):
            if not isinstance(value, list):
                yield f"{where}: {value!r} is no list"
                return
            for number, each in enumerate(value):
                yield from self._any(each, kind.removeprefix("list of "), f"{where}[{number}]")
        elif kind.startswith("map of "):
            if not isinstance(value, dict):
                yield f"{where}: {value!r} is no map"
                return
            for key, each in value.items():
                yield from self._any(each, kind.removeprefix("map of "), f"{where}.{key}")
        elif kind.startswith("["):
            kinds = _split(kind[1:-1], ", ")
            if not isinstance(value, list) or len(value) != len(kinds):
                yield f"{where}: {value!r} is not {kind}"
                return
            for number, (each, inner) in enumerate(zip(value, kinds, strict=True)):
                yield from self._any(each, inner, f"{where}[{number}]")
        elif not self._plain(value, kind):
            yield f"{where}: {value!r} is not {kind}"

    def _plain(self, value: Any, kind: str) -> bool:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if kind.startswith("`"):
            return bool(value == kind.strip("`"))
        if kind.startswith("one of the [reasons]"):
            return value in self._reasons
        return {
            "text": isinstance(value, str),
            "number": number,
            "whole number": number and isinstance(value, int),
            "boolean": isinstance(value, bool),
            "null": value is None,
        }[kind]


def _alternatives(kind: str) -> list[str]:
    """The types between which `or` stands; those of a map are its values' and stand behind `map of`."""
    parts = _split(kind.replace("true or false", "boolean"), " or ")
    return [f"map of {' or '.join(parts)[7:]}"] if parts[0].startswith("map of ") else parts


def _split(text: str, between: str) -> list[str]:
    """The parts of a text, cut where no bracket is open."""
    parts, depth, start = list[str](), 0, 0
    for at, sign in enumerate(text):
        depth += (sign in "[(") - (sign in "])")
        if depth == 0 and text.startswith(between, at):
            parts.append(text[start:at])
            start = at + len(between)
    return [*parts, text[start:]]
