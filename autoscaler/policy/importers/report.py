"""What became of each key of a manifest: carried as it is, carried with a difference, or not at all."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.model.policy import Policy
from autoscaler.policy.nodes import Node
from autoscaler.policy.words import Path


class Carried(enum.Enum):
    """How a key came over."""

    EQUAL = "equal"
    DIFFERENT = "different"
    NOT_CARRIED = "not carried"


EXIT = {Carried.EQUAL: 0, Carried.DIFFERENT: 1, Carried.NOT_CARRIED: 3}  # 2 is for what cannot be read at all


class KeyReport(msgspec.Struct, frozen=True):
    """One key: where it stands, how it came over, and a sentence with what it became or why it did not."""

    line: int
    key: str
    carried: Carried
    sentence: str


class Turned(msgspec.Struct, frozen=True):
    """One object and what it was turned into; without a policy (or manifest) nothing of it could be carried."""

    file: str
    line: int
    source: str
    findings: tuple[KeyReport, ...]
    policy: Policy | None = None

    @property
    def carried(self) -> Carried:
        """How the object came over as a whole: as its worst key."""
        return worst(self.findings)


class ObjectReport(msgspec.Struct, frozen=True):
    """One object of a report: where it stands, how it came over as a whole, and every key of it."""

    file: str
    line: int
    source: str
    carried: Carried
    findings: tuple[KeyReport, ...]


class Report(msgspec.Struct, frozen=True):
    """What `import` and `export` print as JSON: the text they made, and what became of each object and key."""

    output: str
    carried: Carried
    objects: tuple[ObjectReport, ...]
    version: int = 1


def line_of(nodes: Mapping[Path, Node], path: Path, whole: int) -> int:
    """The line of the key at a path, or of the nearest one above it that was written; `whole` where there is none."""
    for length in range(len(path), 0, -1):
        node, above = nodes.get(path[:length]), nodes.get(path[: length - 1])
        if node is not None:
            key = path[length - 1]
            return above.keys[key][0] if above is not None and isinstance(key, str) and key in above.keys else node.line
    return whole


def worst(findings: Sequence[KeyReport]) -> Carried:
    """The worst of several."""
    return max((each.carried for each in findings), key=lambda carried: EXIT[carried], default=Carried.EQUAL)


def report(output: str, turned: Sequence[Turned]) -> Report:
    """All objects of one command."""
    objects = tuple(ObjectReport(each.file, each.line, each.source, each.carried, each.findings) for each in turned)
    return Report(output, worst([finding for each in turned for finding in each.findings]), objects)


def plain(text: str) -> str:
    """A text as one line that can be printed, and that can stand in a comment.

    >>> plain("a\\nb: c")
    'a b: c'
    """
    return "".join(each if each.isprintable() else " " for each in text)


def told(turned: Sequence[Turned]) -> str:
    """The report for people: a line for each object, below it one for each key, the worst first."""
    lines: list[str] = []
    for each in turned:
        lines.append(plain(f"{each.file}:{each.line}: {each.source}: {each.carried.value}"))
        lines += [
            plain(f"  {one.carried.value:<11}  {each.file}:{one.line}  {one.key}: {one.sentence}")
            for one in sorted(each.findings, key=lambda one: -EXIT[one.carried])
        ]
    counts = {carried: sum(each.carried is carried for each in turned) for carried in Carried}
    lines.append(", ".join(f"{count} {carried.value}" for carried, count in counts.items()))
    return "\n".join(lines)
