"""Rules of queries, wherever a policy has one."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.policy.convert import Fault
from autoscaler.policy.placeholders import WORDS, used
from autoscaler.policy.words import Path


def placeholders(platform: str, query: str, path: Path) -> Iterator[Fault]:
    """Words in braces that stand for nothing with a target of this platform."""
    known = WORDS[platform]
    for word in dict.fromkeys(used(query)):
        if word not in known:
            fits = " ".join(f"{{{each}}}" for each in known)
            yield path, f"{{{word}}} stands for nothing with a {platform} target", f"known here: {fits}"
