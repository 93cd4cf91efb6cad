"""Texts → a policy set, or every problem with its file, line and column. The one loader of all faces."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

import msgspec

from autoscaler.errors import PolicyError
from autoscaler.model.policy import Cleanup, Placed, PlacedCleanup, Policy, PolicySet
from autoscaler.policy.convert import Converter
from autoscaler.policy.inherit import Defaults
from autoscaler.policy.nodes import Node, Problem, documents
from autoscaler.policy.rules import faults
from autoscaler.policy.rules.target import twice
from autoscaler.policy.words import Path

Text = tuple[str, str]  # a file's name and content

KINDS = ("policy", "defaults", "cleanup")


class Loaded(msgspec.Struct, frozen=True):
    """A policy with where each value of it was written, its defaults' included."""

    placed: Placed
    nodes: Mapping[Path, Node]


class Read(msgspec.Struct, frozen=True):
    """A whole set of texts, read."""

    loaded: tuple[Loaded, ...]
    defaults: Defaults
    cleanups: tuple[PlacedCleanup, ...] = ()


def load(texts: Sequence[Text], revision: str) -> PolicySet:
    """The policies in these texts, as one whole. Raises PolicyError with every problem."""
    found = read(texts, keep=False)
    return PolicySet(revision, tuple(each.placed for each in found.loaded), found.cleanups)


def read(texts: Sequence[Text], *, keep: bool = True) -> Read:
    """The same, with the places of their values where they are to be kept. Raises PolicyError with every problem."""
    problems: list[Problem] = []
    defaults = Defaults()
    policies: deque[tuple[str, Node]] = deque()
    cleanups: list[PlacedCleanup] = []
    for file, text in texts:
        for document in documents(file, text, problems):
            kind = _kind(file, document, problems)
            if kind == "policy":
                policies.append((file, _without_kind(document)))
            elif kind == "defaults":
                defaults.add(file, document, problems)
            elif kind == "cleanup":
                cleanups += _cleanup(file, document, problems)
    defaults.check(problems)
    loaded = []
    while policies:  # each let go of once it is made: ten thousand are 200 MB of nodes
        made = _policy(*policies.popleft(), defaults, problems, keep=keep)
        if made is not None:
            loaded.append(made)
    for each, sentence, hint in twice([one.placed for one in loaded], cleanups):
        problems.append(Problem(each.file, each.line, 1, sentence, hint))
    if problems:
        raise PolicyError(tuple(str(problem) for problem in _told(problems)))
    return Read(tuple(loaded), defaults, tuple(cleanups))


def _policy(file: str, document: Node, defaults: Defaults, problems: list[Problem], *, keep: bool) -> Loaded | None:
    whole = defaults.under(document)
    converter = Converter(
        file, problems, rules=faults, origin=document.origin, whose=f"{_name(document)} at {file}:{document.line}"
    )
    policy = converter.struct(whole, Policy)
    return None if policy is None else Loaded(Placed(policy, file, document.line), converter.nodes if keep else {})


def _cleanup(file: str, document: Node, problems: list[Problem]) -> list[PlacedCleanup]:
    converter = Converter(file, problems, rules=faults, whole="cleanup", origin=document.origin)
    made = converter.struct(document, Cleanup)
    return [] if made is None else [PlacedCleanup(made, file, document.line)]


def _name(document: Node) -> str:
    name = document.value.get("name") if isinstance(document.value, dict) else None
    return name.text if name is not None and name.text else "a policy"


def _kind(file: str, document: Node, problems: list[Problem]) -> str:
    """What a document is; empty where it is nothing this version reads."""
    if not isinstance(document.value, dict) or "kind" not in document.value:
        return "policy"
    kind = document.value["kind"]
    if kind.value in KINDS:
        return str(kind.value)
    said = f"expected policy, defaults or cleanup, got {kind.text or 'nothing'}"
    problems.append(Problem(file, kind.line, kind.column, f"kind: {said}", "write kind: policy, or leave it out"))
    return ""


def _without_kind(document: Node) -> Node:
    if not isinstance(document.value, dict) or "kind" not in document.value:
        return document
    value = {key: node for key, node in document.value.items() if key != "kind"}
    return Node(document.line, document.column, value, document.text, document.keys, document.origin)


def _told(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem once, in the order of the files' names and lines.

    What defaults say on their own is not told again for each policy that inherits it.
    """
    own = {(each.file, each.line, each.column) for each in problems if not each.whose}
    return [each for each in sorted(set(problems)) if not each.whose or (each.file, each.line, each.column) not in own]
