"""Policies as they were at a git revision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from autoscaler.clients.git import Past
from autoscaler.errors import PolicyError, UsageError
from autoscaler.store.policy_files import SUFFIXES, TEST_SUFFIXES, decoded, roots, within

ITSELF = PurePosixPath(".")


def read_at(place: Path, revision: str) -> list[tuple[str, str]]:
    """Names (`REVISION:PATH`) and texts of the policy files that were at a place then.

    The same files count as today: in folders those that end in .yaml or .yml, without hidden ones and policy tests.
    Raises UsageError and PolicyError.
    """
    found = Past(place).files(place, revision, _is_policy)
    if not found:
        raise UsageError(f"{place}: no policies there in revision {revision}", hint="name a file, or another folder")
    return decoded([(f"{revision}:{place / path}", data) for path, data in found])


def policies_at(place: Path, revision: str) -> list[tuple[str, str]]:
    """The same by the names they have today, none where there were none. Raises UsageError and PolicyError."""
    return _named(place, revision, _is_policy)


def defaults_at(places: Sequence[Path], revision: str, sets: Sequence[str]) -> list[tuple[str, str]]:
    """The documents of defaults that held there and do not stand there, as `policy_files.beside` has those of today.

    What lies in no repository has no past, so nothing of it held.
    """
    from autoscaler.policy.inherit import only_defaults

    found: dict[str, str] = {}
    for place in places:
        above = roots(place, sets)
        if above:
            around = [(each, _is_policy) for each in above]
        else:
            around = [(place.parent, _in_folder)] if place.name.endswith(SUFFIXES) else []
        for root, wanted in around:
            for name, data in _files(root, revision, wanted):
                with contextlib.suppress(PolicyError):
                    ((name, text),) = decoded([(name, data)])
                    found[name] = only_defaults(name, text)
    return [
        (name, text) for name, text in found.items() if text and not any(within(Path(name), each) for each in places)
    ]


def tests_at(place: Path, revision: str) -> list[tuple[str, str]]:
    """The policy tests in a folder, or beside a policy file, as they were then. Raises UsageError and PolicyError."""
    if place.name.endswith(SUFFIXES):
        beside = [place.with_name(place.stem + suffix) for suffix in TEST_SUFFIXES]
        return [text for each in beside for text in _named(each, revision, _is_test)]
    return _named(place, revision, _is_test)


def _named(place: Path, revision: str, wanted: Callable[[PurePosixPath], bool]) -> list[tuple[str, str]]:
    found = Past(place).files(place, revision, wanted, absent_is_none=True)
    return decoded([(str(place / path), data) for path, data in found])


def _files(place: Path, revision: str, wanted: Callable[[PurePosixPath], bool]) -> list[tuple[str, bytes]]:
    """Names and contents; none where no repository tells."""
    with contextlib.suppress(UsageError):
        return [
            (str(place / path), data) for path, data in Past(place).files(place, revision, wanted, absent_is_none=True)
        ]
    return []


def _is_policy(path: PurePosixPath) -> bool:
    return path == ITSELF or (_counts(path) and not path.name.endswith(TEST_SUFFIXES))


def _in_folder(path: PurePosixPath) -> bool:
    return len(path.parts) == 1 and path != ITSELF and _is_policy(path)


def _is_test(path: PurePosixPath) -> bool:
    return path == ITSELF or (_counts(path) and path.name.endswith(TEST_SUFFIXES))


def _counts(path: PurePosixPath) -> bool:
    return path.name.endswith(SUFFIXES) and not any(part.startswith(".") for part in path.parts)
