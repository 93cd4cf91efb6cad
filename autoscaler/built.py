"""Which version this is, and the commit it was made from where that is known.

An archive of the repository (`git archive`, which releases are built from) has the commit written into this file. An
installation from git has it in its metadata, and a checkout can be asked.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from pathlib import Path

from autoscaler import __version__

ARCHIVED = "$Format:%h$"
SHORT = 12
ASKED_S = 5.0


def commit() -> str:
    """The short hash; empty where nothing tells it."""
    if not ARCHIVED.startswith("$"):
        return ARCHIVED
    return _installed() or _checked_out(Path(__file__).parents[1])


def version() -> str:
    """The version for people, with the commit if there is one: 0.1.0 (commit 0123abc)."""
    made_from = commit()
    return f"{__version__} (commit {made_from})" if made_from else __version__


def _installed() -> str:
    """What pip wrote down of an installation from a git URL."""
    try:
        told = importlib.metadata.distribution("autoscaler").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    return str(json.loads(told or "{}").get("vcs_info", {}).get("commit_id", ""))[:SHORT]


def _checked_out(folder: Path) -> str:
    """What git says of a checkout; a folder that only lies in somebody else's repository is none."""
    if not (folder / ".git").exists():
        return ""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ASKED_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
