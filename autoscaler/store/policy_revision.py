"""Policies as they were at a git revision."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from autoscaler.clients.git import Past
from autoscaler.errors import UsageError
from autoscaler.store.policy_files import SUFFIXES, TEST_SUFFIXES, decoded

ITSELF = PurePosixPath(".")


def read_at(place: Path, revision: str) -> list[tuple[str, str]]:
    """Names (`REVISION:PATH`) and texts of the policy files that were at a place then.

    The same files count as today: in folders those that end in .yaml or .yml, without hidden ones and policy tests.
    Raises UsageError and PolicyError.
    """
    found = Past(place).files(place, revision)
    counted = [(path, data) for path, data in found if path == ITSELF or _counts(path)]
    if not counted:
        raise UsageError(f"{place}: no policies there in revision {revision}", hint="name a file, or another folder")
    return decoded([(f"{revision}:{place / path}", data) for path, data in counted])


def _counts(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return path.name.endswith(SUFFIXES) and not path.name.endswith(TEST_SUFFIXES) and not hidden
