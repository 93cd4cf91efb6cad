"""Two sets of policies → what was added, removed and changed, key by key."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import msgspec

from autoscaler.model.policy import Cleanup, Policy
from autoscaler.policy.convert import described
from autoscaler.policy.defaults import plain, resolved
from autoscaler.policy.load import Loaded, Read
from autoscaler.policy.words import Path

Flat = dict[str, tuple[str, Path]]  # a key as people write it → its value, and where its node is


class Kind(enum.Enum):
    """What happens to a policy."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


class Key(msgspec.Struct, frozen=True):
    """A key of a policy that has another value, defaults written out; None where it has none.

    `place` is file:line:column of what it is now.
    """

    key: str
    before: str | None
    after: str | None
    place: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A policy, or a clean-up, that is not as it was. File and line are where it stands now, or stood."""

    name: str
    kind: Kind
    file: str
    line: int
    before: Policy | Cleanup | None
    after: Policy | Cleanup | None
    keys: tuple[Key, ...] = ()


class _Item(msgspec.Struct, frozen=True):
    """A policy or a clean-up of one side."""

    value: Policy | Cleanup
    file: str
    line: int
    loaded: Loaded | None = None


def differences(before: Read, after: Read) -> tuple[list[Difference], int]:
    """What is not as it was, in the order of the names, and how many are untouched."""
    then, now = _items(before), _items(after)
    found, same = [], 0
    for key in sorted({*then, *now}):
        was, item = then.get(key), now.get(key)
        if was is None or item is None:
            there = item or was
            assert there is not None
            kind = Kind.REMOVED if item is None else Kind.ADDED
        elif _whole(was.value) == _whole(item.value):
            same += 1
            continue
        else:
            there, kind = item, Kind.CHANGED
        keys = () if was is None or item is None else tuple(_keys(was, item))
        found.append(
            Difference(
                name=there.value.name,
                kind=kind,
                file=there.file,
                line=there.line,
                before=None if was is None else was.value,
                after=None if item is None else item.value,
                keys=keys,
            )
        )
    return found, same


def _items(read: Read) -> dict[tuple[str, str], _Item]:
    found = {
        ("policy", each.placed.policy.name): _Item(each.placed.policy, each.placed.file, each.placed.line, each)
        for each in read.loaded
    }
    cleanups = {("cleanup", each.cleanup.name): _Item(each.cleanup, each.file, each.line) for each in read.cleanups}
    return {**found, **cleanups}


def _whole(value: Policy | Cleanup) -> Policy | Cleanup:
    return resolved(value) if isinstance(value, Policy) else value


def _keys(was: _Item, item: _Item) -> Iterator[Key]:
    before, after = _flat(was.value), _flat(item.value)
    for key in dict.fromkeys([*after, *before]):
        old, new = before.get(key), after.get(key)
        if old is None or new is None or old[0] != new[0]:
            place = _place(item, () if new is None else new[1])
            yield Key(key, old and old[0], new and new[0], place)


def _place(item: _Item, path: Path) -> str:
    """Where the nearest thing that is written stands; what only defaults say stands where the policy begins."""
    if item.loaded is not None:
        while path and path not in item.loaded.nodes:
            path = path[:-1]
        node = item.loaded.nodes.get(path) if path else None
        if node is not None:
            return f"{node.origin[0] or item.file}:{node.line}:{node.column}"
    return f"{item.file}:{item.line}:1"


def _flat(value: Policy | Cleanup) -> Flat:
    found: Flat = {}
    _into(found, plain(_whole(value), described(type(value)), None), "", ())
    return found


def _into(found: Flat, value: Any, key: str, path: Path) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            _into(found, each, f"{key}.{name}" if key else str(name), (*path, name))
    elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
        for index, each in enumerate(value):
            name = each.get("name", index) if isinstance(each, dict) else index
            _into(found, each, f"{key}[{name}]", (*path, index))
    else:
        found[key] = _said(value), path


def _said(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
