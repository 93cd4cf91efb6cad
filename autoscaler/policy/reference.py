"""The structs of the language → the reference page: `python -m autoscaler.policy.reference > docs/policies.md`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from msgspec import NODEFAULT, inspect

from autoscaler.model.policy import Policy, Scope
from autoscaler.policy.convert import fields_of
from autoscaler.policy.defaults import plain
from autoscaler.policy.later import LATER
from autoscaler.policy.rules.shape import ONE_OF
from autoscaler.policy.words import expected, sentence_of, unit_of

INTRODUCTION = """\
# Policies

This page is made from the code (`python -m autoscaler.policy.reference > docs/policies.md`). `autoscaler schema` prints
the same as a JSON Schema for editors, `autoscaler validate` checks files and `autoscaler validate --resolved` writes
every default out. Keys that are not here are refused.

## Text

YAML, resolved by the 1.2 core schema: `off`, `no`, `18:30` and dates stay text. Tags, merge keys and keys written twice
are refused. A file may hold several documents; folders are read with all below them, hidden files and `*.test.yaml`
left out. A file has at most 16 million characters, a document at most 100,000 values once its aliases are expanded,
nested at most 50 deep.

Durations are one number and a unit: `250ms 15s 5m 2h 1d`. Percentages have their sign: `70%`. A number may be written
as a duration where seconds are meant: `value: 300ms`. Kubernetes quantities (`500m`, `256Mi`) stand only beside
`resource:`; elsewhere `300m` is refused, because it may be meant as 0.3 or as 300 ms.

In queries words in braces stand for the workload: `{project}`, `{service}`, `{name}` and `{kind}` with compose,
`{namespace}`, `{name}` and `{kind}` with Kubernetes, `{name}` and `{kind}` with processes.

## Defaults

A document with `kind: defaults` says what policies inherit: any key but `name` and `target`. Without `scope`
it is for the whole set, with `scope: {namespace: NAME}` or `scope: {project: NAME}` for the policies whose target says
so (a target of `"*"` is in no project). The set's come first, then the namespace's or project's, then the policy: maps
merge, everything else replaces, lists too. `key: ~` takes away what a default says. One document for each scope.

```yaml
kind: defaults
scope: {namespace: prod}
behavior: {down: {stabilization: 10m}}
recycle: {when: {unhealthy_for: 1m}}
```
"""


def page() -> str:
    """The whole page."""
    sections = ["\n".join(_section(kind, path)) for kind, path in _structs()]
    return f"{INTRODUCTION}\n## Keys\n\n" + "\n\n".join(sections) + "\n"


def _structs() -> list[tuple[type, str]]:
    """The structs in the order they are met, each with the path it stands at."""
    found: dict[type, str] = {Policy: "", Scope: "scope"}
    waiting = [(Policy, "")]
    while waiting:
        kind, path = waiting.pop(0)
        for key, field in fields_of(kind).items():
            below = f"{path}.{key}" if path else key
            for inner, listed in _inner(field.type):
                if inner not in found:
                    found[inner] = below + "[]" * listed
                    waiting.append((inner, found[inner]))
    scope = found.pop(Scope)
    return [*found.items(), (Scope, scope)]


def _inner(kind: inspect.Type, listed: bool = False) -> Iterator[tuple[type, bool]]:
    if isinstance(kind, inspect.Metadata):
        yield from _inner(kind.type, listed)
    elif isinstance(kind, inspect.UnionType):
        for each in kind.types:
            yield from _inner(each, listed)
    elif isinstance(kind, inspect.VarTupleType):
        yield from _inner(kind.item_type, True)
    elif isinstance(kind, inspect.StructType):
        yield kind.cls, listed


def _section(kind: type, path: str) -> Iterator[str]:
    yield f"### {path or 'policy'}"
    yield ""
    yield " ".join((kind.__doc__ or "").split())
    yield ""
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for key, field in fields_of(kind).items():
        yield f"| `{key}` | {_value(field.type)} | {_default(kind, key, field)} | {_cell(sentence_of(field.type))} |"
    if LATER.get(kind):
        yield ""
        yield f"Not available yet: {', '.join(f'`{key}`' for key in sorted(LATER[kind]))}."


def _value(kind: inspect.Type, unit: str = "") -> str:
    if isinstance(kind, inspect.Metadata):
        return _value(kind.type, unit_of(kind))
    if isinstance(kind, inspect.UnionType):
        return ", or ".join(_value(each, unit) for each in kind.types if not isinstance(each, inspect.NoneType))
    if isinstance(kind, inspect.StructType):
        return "a map, below"
    if isinstance(kind, inspect.VarTupleType):
        return "a list" + (", below" if isinstance(kind.item_type, inspect.StructType) else " of texts")
    if isinstance(kind, inspect.DictType):
        return "a map of texts"
    return _cell(expected(kind, unit))


def _default(kind: type, key: str, field: inspect.Field) -> str:
    if field.required:
        return "required"
    if kind in ONE_OF and key in ONE_OF[kind][0]:
        return "one of " + ", ".join(f"`{each}`" for each in ONE_OF[kind][0])
    value: Any = field.default
    if value is NODEFAULT or value is None or value in ({}, ()):
        return ""
    written = plain(value, field.type, None)
    return f"`{written}`" if isinstance(written, str) else f"`{json.dumps(written).replace(chr(34), '')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
