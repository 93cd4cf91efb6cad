"""YAML text → nodes that know where they stand. The only door to the YAML library.

Scalars are resolved by the YAML 1.2 core schema, as editors do: `off`, `no`, `18:30` and dates stay text. Tags, merge
keys, duplicate keys and aliases that blow up are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

Scalar = str | int | float | bool | None
Origin = tuple[str, int]  # a file, and the line its document begins in

MOST_TEXT = 16_000_000  # characters of one file: ten thousand policies are a fifth of it
MOST_NODES = 100_000  # of one document after its aliases are expanded
DEEPEST = 50

_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_BEGINNINGS = frozenset(["", *(word[:1] for word in _WORDS), *"-+.0123456789"])  # of what may be no text


class _Plain(yaml.SafeLoader):
    """Data only; what a tag of somebody else's means is not asked, the value below it is taken."""

    def untagged(self, _suffix: str, node: Any) -> object:
        if isinstance(node, yaml.MappingNode):
            return self.construct_mapping(node, deep=True)
        if isinstance(node, yaml.SequenceNode):
            return self.construct_sequence(node, deep=True)
        return self.construct_scalar(node)


_Plain.add_multi_constructor("!", _Plain.untagged)


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing that is wrong with a policy file: where, what, and what to do about it.

    `whose` names the policy that inherits what stands there.
    """

    file: str
    line: int
    column: int
    sentence: str
    hint: str = ""
    whose: str = ""

    def __str__(self) -> str:
        said = f"{self.file}:{self.line}:{self.column}: {self.sentence}"
        said = f"{said} (used by {self.whose})" if self.whose else said
        return f"{said}\n  hint: {self.hint}" if self.hint else said


class Node(msgspec.Struct, frozen=True):
    """A value as written: a scalar, a list of nodes or a map of nodes. Lines and columns count from 1.

    `text` is the scalar as it stands in the file; `keys` are the places of a map's keys; `origin` tells the document.
    """

    line: int
    column: int
    value: Scalar | tuple[Node, ...] | dict[str, Node]
    text: str = ""
    keys: dict[str, tuple[int, int]] = {}
    origin: Origin = ("", 0)


class Bad(Exception):
    """What makes a file unreadable as a whole."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def documents(file: str, text: str, problems: list[Problem], *, most: int = MOST_NODES) -> list[Node]:
    """The documents of a file, empty ones left out; what is wrong with its YAML goes to `problems`.

    `most` is how many values one document may have.
    """
    if len(text) > MOST_TEXT:
        said = f"this file has more than {MOST_TEXT // 1_000_000} million characters"
        problems.append(Problem(file, 1, 1, said, "spread its policies over several files"))
        return []
    try:
        return list(_Composer(file, text, problems, most).documents())
    except Bad as bad:
        problems.append(bad.problem)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        said = f"this is not YAML: {error.problem or error.context or 'cannot be read'}"
        problems.append(Problem(file, line, column, said, _hint(text, line)))
    except yaml.YAMLError as error:
        problems.append(
            Problem(
                file,
                1,
                1,
                f"this is not YAML: {' '.join(str(error).split())}",
                "take the characters away that no text has",
            )
        )
    return []


def plain(text: str) -> object:
    """The first document of somebody else's YAML as it is: merge keys and unknown tags allowed. Raises ValueError."""
    try:
        return yaml.load(text, _Plain)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)) from None


def dump(value: object) -> str:
    """Plain data as YAML text, keys in the order they have."""
    return str(yaml.dump(value, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=120))


def resolve(text: str) -> Scalar:
    """What a plain scalar means in the YAML 1.2 core schema.

    >>> resolve("off"), resolve("18:30"), resolve("1e6"), resolve("0o17"), resolve("~")
    ('off', '18:30', 1000000.0, 15, None)
    """
    if text[:1] not in _BEGINNINGS:
        return text  # most of them
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text) if len(text) < 20 else float(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _hint(text: str, line: int) -> str:
    lines = text.splitlines()
    if line <= len(lines) and "\t" in lines[line - 1]:
        return "tabs cannot indent YAML; use spaces"
    return "look at this line and the one above: indentation, brackets, and quotes around text with : or #"


class _Composer:
    """Events of the YAML parser → nodes."""

    def __init__(self, file: str, text: str, problems: list[Problem], most: int) -> None:
        self._file = file
        self._most = most
        self._events: Iterator[Any] = yaml.parse(text, Loader=_LOADER)
        self._problems = problems
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._count = 0
        self._origin: Origin = (file, 1)

    def documents(self) -> Iterator[Node]:
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors, self._count = {}, 0
                first = next(self._events)
                self._origin = (self._file, first.start_mark.line + 1)
                node = self._node(first, 0)
                if node.value is not None:
                    yield node

    def _node(self, event: Any, depth: int) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if depth > DEEPEST:
            raise Bad(
                Problem(
                    self._file,
                    line,
                    column,
                    f"nested more than {DEEPEST} deep",
                    "a policy is six deep: look for a line that is indented too far",
                )
            )
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line, column)
        if event.tag is not None and event.tag != "!":
            self._problems.append(
                Problem(self._file, line, column, f"tags are not used here, got {_tag(event.tag)}", "remove the tag")
            )
        self._counted(1, line, column)
        before = self._count
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0] and event.style in (None, "")
            value = resolve(event.value) if plain else event.value
            node = Node(line, column, value, event.value, origin=self._origin)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = Node(line, column, tuple(self._items(depth)), origin=self._origin)
        else:
            node = self._map(line, column, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node, self._count - before + 1
        return node

    def _items(self, depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            yield self._node(event, depth + 1)

    def _map(self, line: int, column: int, depth: int) -> Node:
        found: dict[str, Node] = {}
        places: dict[str, tuple[int, int]] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._node(event, depth + 1)
            value = self._node(next(self._events), depth + 1)
            name = key.text
            if isinstance(key.value, (tuple, dict)):
                said = "a key is one word, got a list or a map"
                hint = "put quotes around text that starts with { or ["
                self._problems.append(Problem(self._file, key.line, key.column, said, hint))
            elif name == "<<":
                said = "merge keys (<<) are not used here"
                self._problems.append(Problem(self._file, key.line, key.column, said, "write the keys out"))
            elif name in found:
                said = f"key {name} is written twice, first in line {places[name][0]}"
                self._problems.append(Problem(self._file, key.line, key.column, said, "keep one of them"))
            else:
                found[name], places[name] = value, (key.line, key.column)
        return Node(line, column, found, keys=places, origin=self._origin)

    def _alias(self, event: Any, line: int, column: int) -> Node:
        if event.anchor not in self._anchors:
            said = f"alias *{event.anchor} names nothing that is complete before it"
            raise Bad(Problem(self._file, line, column, said, f"put &{event.anchor} at an earlier value"))
        node, size = self._anchors[event.anchor]
        self._counted(size, line, column)
        return node

    def _counted(self, more: int, line: int, column: int) -> None:
        self._count += more
        if self._count > self._most:
            raise Bad(
                Problem(
                    self._file,
                    line,
                    column,
                    f"more than {self._most} values once its aliases are expanded",
                    "spread it over several documents, and write aliases of aliases out",
                )
            )


def _tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
