"""The two sides that are compared: files as they are, or as they were at a git revision."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from autoscaler.errors import PolicyError, SettingsError
from autoscaler.policy import load
from autoscaler.policy.inherit import Defaults
from autoscaler.policy.load import Read, Text
from autoscaler.store import policy_files
from autoscaler.store.policy_files import SUFFIXES, TEST_SUFFIXES
from autoscaler.store.policy_revision import defaults_at, policies_at, tests_at

NOTHING = Read((), Defaults())


class Side(msgspec.Struct, frozen=True):
    """Policies and tests of one side; where they do not load, `problems` says why and `read` has none."""

    texts: tuple[Text, ...]
    tests: tuple[Text, ...]
    read: Read
    problems: tuple[str, ...] = ()


def side(places: Sequence[Path], revision: str | None, sets: Sequence[str] | None = None) -> Side:
    """What stands at these places at a revision, in the working tree for None; with `sets` also the defaults around.

    A place that is not there has nothing. Raises UsageError and SettingsError for what cannot be read at all.
    """
    texts: list[Text] = []
    tests: list[Text] = []
    problems: list[str] = []
    for place in places:
        try:
            texts += _policies(place) if revision is None else policies_at(place, revision)
            tests += policy_files.texts_of(list(_tests(place))) if revision is None else tests_at(place, revision)
        except PolicyError as error:
            problems += error.problems
    there = [each for each in places if each.exists()]
    if sets is not None:
        texts += policy_files.beside(there, sets) if revision is None else defaults_at(places, revision, sets)
    texts, tests = list(dict(texts).items()), list(dict(tests).items())  # places may lie in each other
    if problems:
        return Side(tuple(texts), tuple(tests), NOTHING, tuple(problems))
    try:
        return Side(tuple(texts), tuple(tests), load.read(texts))
    except PolicyError as error:
        return Side(tuple(texts), tuple(tests), NOTHING, error.problems)


def absent(places: Sequence[Path], *sides: Side) -> None:
    """Raise SettingsError where no side has anything at these places."""
    if not any(each.texts or each.problems for each in sides):
        named = ", ".join(map(str, places))
        raise SettingsError(f"no policies at {named}, neither before nor after", hint="name a file or a folder")


def _policies(place: Path) -> list[Text]:
    return policy_files.read([place]) if place.exists() else []


def _tests(place: Path) -> Iterator[Path]:
    """Those in a folder, or beside a policy file."""
    if place.is_dir():
        yield from policy_files.tests([place])
    elif place.name.endswith(SUFFIXES):
        yield from (each for suffix in TEST_SUFFIXES if (each := place.with_name(place.stem + suffix)).is_file())
