"""The rule for what a test needs: missing in CI it fails, elsewhere it skips and says what would help."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from tests.parts.catalogue import PARTS


def in_ci() -> bool:
    """Whether this run is one that must have everything."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def require(*names: str) -> None:
    """Skip the test (in CI: fail it) unless all these parts are installed."""
    missing = [name for name in names if not PARTS[name].here()]
    if missing:
        lacking(f"not installed: {', '.join(missing)}; run: python -m tests.parts install {' '.join(missing)}")


def shared_path(*parts: str) -> Path:
    """A file or folder of the shared test data; skips (in CI: fails) where it is not there."""
    root = os.environ.get("AUTOSCALER_SHARED")
    if not root:
        lacking("no shared test data; set AUTOSCALER_SHARED to its folder")
    path = Path(root, *parts)
    if not path.exists():
        lacking(f"the shared test data has no {'/'.join(parts)} (AUTOSCALER_SHARED={root})")
    return path


def lacking(why: str) -> NoReturn:
    """Skip with the reason, or fail with it in CI."""
    if in_ci():
        pytest.fail(why, pytrace=False)
    pytest.skip(why)
