"""Policies that come from a repository: what people said about its commits, and what is known of it."""

from __future__ import annotations

import msgspec


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """A commit whose policies are in force until a time, whatever the ref is at."""

    commit: str
    since: float
    until: float
    by: str = ""
    why: str = ""


class Said(msgspec.Struct, frozen=True):
    """People's words in force: a rollback, and a commit that the ref may be at although it was forced there.

    `asked` is when somebody wanted it looked at at once.
    """

    rollback: Rollback | None = None
    accepted: str = ""
    asked: float = 0.0


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """A repository as the daemon sees it.

    `head` is the commit the ref was seen at, `checked` when that was; `trouble` why it cannot be told now, or why what
    is in force is not trusted, and since when. `held` is a commit that the ref was forced to and nobody accepted.
    `pinned` is the commit that the settings name.
    """

    url: str
    ref: str
    path: str
    head: str = ""
    checked: float | None = None
    trouble: str = ""
    since: float | None = None
    held: str = ""
    pinned: str = ""
    rollback: Rollback | None = None


def rollback_now(said: Said, now: float) -> Rollback | None:
    """The rollback that holds now."""
    return said.rollback if said.rollback is not None and now < said.rollback.until else None
