"""Which commit's policies should be in force, decided from plain data: nothing is asked and nothing is done here."""

from __future__ import annotations

import enum

import msgspec

from autoscaler.model.commits import Said, rollback_now


class Move(enum.Enum):
    """What became of a ref since its commit was last put in force."""

    STILL = "still"
    FORWARD = "forward"
    FORCED = "forced"  # what was in force is no part of its past any more


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the decision is made from.

    `base` is the commit of the ref that was in force last (empty: none was yet), `head` the one it is seen at (empty:
    not known), `descends` whether the base is in the past of that.
    """

    base: str = ""
    head: str = ""
    descends: bool = False


class Course(msgspec.Struct, frozen=True):
    """The commit to be in force (empty: none is known), and one that is held back because the ref was forced to it.

    `follows` is true where it is the ref's own commit, and so the one to compare the next with.
    """

    commit: str
    held: str = ""
    follows: bool = True


def fixed(said: Said, pin: str, now: float) -> str:
    """The commit that somebody named: a rollback before the settings' pin; empty where the ref is followed."""
    found = rollback_now(said, now)
    return found.commit if found is not None else pin


def move(known: Known) -> Move:
    """How the ref moved.

    >>> move(Known(base="a", head="b", descends=False))
    <Move.FORCED: 'forced'>
    """
    if known.head in ("", known.base):
        return Move.STILL
    return Move.FORWARD if not known.base or known.descends else Move.FORCED


def course(known: Known, said: Said, pin: str, now: float) -> Course:
    """What should be in force. A forced move is taken only by somebody's word, and while nothing else is in force.

    >>> course(Known(base="a", head="b"), Said(accepted="b"), "", 0.0).commit
    'b'
    """
    named = fixed(said, pin, now)
    if named:
        return Course(named, follows=False)
    if move(known) is Move.FORCED and said.accepted != known.head:
        return Course(known.base, held=known.head)
    return Course(known.head or known.base)
