"""Texts that load → findings: what smells in them, less what is silenced with a reason.

A comment `# lint: ignore CODE because REASON` silences that code on its line; alone on a line, on the next one that is
no comment. A silence without a reason, of an unknown code or of nothing is a finding itself, and cannot be silenced.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec

from autoscaler.policy.inherit import said_scope
from autoscaler.policy.load import Loaded, Read, Text, read
from autoscaler.policy.nodes import Node
from autoscaler.policy.smells import smells
from autoscaler.policy.words import Path, dotted

SCRAPE_S = 15.0  # where the settings do not say

CODES = (
    "promql_unparsable",
    "age_unknown",
    "asked_alone",
    "no_receiver",
    "nan_unsaid",
    "short_window",
    "value_on_latency",
    "value_on_memory",
    "served_rate_only",
    "doubt_waived",
    "unused_defaults",
)
OF_SILENCES = ("silence_without_reason", "silence_of_unknown", "silence_unused")

_SILENCE = re.compile(r"(?:^|\s)#\s*lint:\s*ignore\b(.*)$")


class Finding(msgspec.Struct, frozen=True, order=True):
    """One finding: where, its code, what, and what to do about it."""

    file: str
    line: int
    column: int
    code: str
    sentence: str
    hint: str = ""

    def __str__(self) -> str:
        said = f"{self.file}:{self.line}:{self.column}: {self.sentence} [{self.code}]"
        return f"{said}\n  hint: {self.hint}" if self.hint else said


class Findings(msgspec.Struct, frozen=True):
    """What smells in a set of policy files, in the order of the files."""

    findings: tuple[Finding, ...]
    version: int = 1


class Silence(msgspec.Struct):
    """A comment that silences a code on a line."""

    file: str
    line: int
    column: int
    code: str
    used: bool = False


def lint(
    texts: Sequence[Text], beside: Sequence[Text] = (), *, scrape_s: float = SCRAPE_S, receives: bool = True
) -> list[Finding]:
    """The findings in these texts, in their order. Raises PolicyError for texts that do not load.

    Those `beside` them are defaults for other policies as well, so nothing is said of what of them is not used here.
    """
    return findings(read([*texts, *beside]), texts, beside, scrape_s=scrape_s, receives=receives)


def findings(
    whole: Read, texts: Sequence[Text], beside: Sequence[Text] = (), *, scrape_s: float = SCRAPE_S,
    receives: bool = True,
) -> list[Finding]:  # fmt: skip
    """The same for texts that are read already."""
    found: set[Finding] = set()
    others = {file for file, _ in beside}
    for each in whole.loaded:
        found.update(_smells(each, scrape_s, receives))
    for key, node in whole.defaults.unused():
        if node.origin[0] in others:
            continue
        said = f"no policy is in {said_scope(key)}, so nobody uses these defaults"
        found.add(Finding(node.origin[0], node.line, node.column, "unused_defaults", said, "correct the scope"))
    silences: dict[tuple[str, int, str], Silence] = {}
    for file, text in texts:
        found.update(_silences(file, text, silences))
    for file, text in beside:
        list(_silences(file, text, silences))
    left = [each for each in found if not _silenced(each, silences)]
    left.extend(
        Finding(each.file, each.line, each.column, "silence_unused", f"{each.code} is not found here", "remove this")
        for each in silences.values()
        if not each.used and each.file not in others
    )
    return sorted(left)


def _smells(loaded: Loaded, scrape_s: float, receives: bool) -> Iterator[Finding]:
    policy = loaded.placed.policy
    for smell in smells(policy, _written(loaded), scrape_s=scrape_s, receives=receives):
        node = _node(loaded, smell.path)
        said = f"{dotted(smell.path)}: {smell.sentence}"
        yield Finding(node.origin[0] or loaded.placed.file, node.line, node.column, smell.code, said, smell.hint)


def _written(loaded: Loaded) -> Callable[[Path], bool]:
    return lambda path: path in loaded.nodes


def _node(loaded: Loaded, path: Path) -> Node:
    while path not in loaded.nodes:
        path = path[:-1]
    return loaded.nodes[path]


def _silences(file: str, text: str, silences: dict[tuple[str, int, str], Silence]) -> Iterator[Finding]:
    if "lint:" not in text:
        return
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        match = _SILENCE.search(line)
        if match is None:
            continue
        column = line.index("#", match.start()) + 1
        codes, because, reason = match[1].partition(" because ")
        if not because or not reason.strip():
            said, hint = "a silence needs a reason", "# lint: ignore CODE because REASON"
            yield Finding(file, number, column, "silence_without_reason", said, hint)
            continue
        named = codes.replace(",", " ").split()
        if not named:
            said, hint = "a silence names no code", "# lint: ignore CODE because REASON"
            yield Finding(file, number, column, "silence_of_unknown", said, hint)
        for code in named:
            if code in CODES:
                silences[file, _meant(lines, number), code] = Silence(file, number, column, code)
            else:
                said = f"there is no rule {code}" if code not in OF_SILENCES else f"{code} cannot be silenced"
                yield Finding(file, number, column, "silence_of_unknown", said, f"known: {', '.join(CODES)}")


def _silenced(finding: Finding, silences: dict[tuple[str, int, str], Silence]) -> bool:
    silence = silences.get((finding.file, finding.line, finding.code))
    if silence is None:
        return False
    silence.used = True
    return True


def _meant(lines: Sequence[str], number: int) -> int:
    """The line a comment in line `number` is about."""
    while number <= len(lines) and lines[number - 1].lstrip().startswith("#"):
        number += 1
    return number
