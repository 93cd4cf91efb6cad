"""Policies chosen by their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from autoscaler.errors import UsageError
from autoscaler.policy.words import nearest


class Named(Protocol):
    """Anything with a name."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def chosen(found: Sequence[N], names: Sequence[str], noun: str) -> list[N]:
    """Those of these names, or all without any. Raises UsageError for a name that none has."""
    known = {each.name: each for each in found}
    for name in names:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near}?" if near else f"there are: {', '.join(known) or 'none'}"
            raise UsageError(f"there is no {noun} named {name}", hint=hint)
    return [known[name] for name in dict.fromkeys(names)] if names else list(found)
