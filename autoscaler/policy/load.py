"""Texts → a policy set, or every problem with its file, line and column. The one loader of all faces."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

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
    return Loader().load(texts, revision)


class Kept(msgspec.Struct, frozen=True):
    """What was read of one file as it was."""

    text: str
    placed: tuple[Placed, ...]
    cleanups: tuple[PlacedCleanup, ...]


class Loader:
    """Loads sets one after the other, and reads again only the files that are not as they were.

    Where documents of defaults are, or were, others than before, everything is read. What could be read of a set that
    is refused as a whole is not read again either.
    """

    def __init__(self) -> None:
        self._known: dict[str, Kept] = {}  # files without defaults and problems
        self._defaults: tuple[Text, ...] = ()

    def load(self, texts: Sequence[Text], revision: str) -> PolicySet:
        """The policies in these texts, as one whole. Raises PolicyError with every problem."""
        problems: list[Problem] = []
        defaults = Defaults()
        told: dict[str, tuple[deque[tuple[str, Node]], list[PlacedCleanup]]] = {}
        with_defaults: list[Text] = []
        for file, text in texts:
            before = self._known.get(file)
            if before is not None and before.text == text:
                continue
            policies: deque[tuple[str, Node]] = deque()
            told[file] = policies, []
            if _sorted_out(file, text, policies, defaults, told[file][1], problems):
                with_defaults.append((file, text))
        if tuple(with_defaults) != self._defaults:
            self._defaults = tuple(with_defaults)
            if self._known:
                self._known.clear()
                return self.load(texts, revision)
        defaults.check(problems)
        faulty = {each.file for each in problems}
        placed: list[Placed] = []
        cleanups: list[PlacedCleanup] = []
        known: dict[str, Kept] = {}
        for file, text in texts:
            if file in told:
                count = len(problems)
                waiting, swept = told.pop(file)
                made = tuple(each.placed for each in _made(waiting, defaults, problems, keep=False))
                kept = Kept(text, made, tuple(swept))
                if len(problems) == count and file not in faulty and (file, text) not in with_defaults:
                    known[file] = kept
            else:
                kept = known[file] = self._known[file]
            placed.extend(kept.placed)
            cleanups.extend(kept.cleanups)
        self._known = known
        _raise(problems, placed, cleanups)
        return PolicySet(revision, tuple(placed), tuple(cleanups))


def read(texts: Sequence[Text], *, keep: bool = True) -> Read:
    """The same, with the places of their values where they are to be kept. Raises PolicyError with every problem."""
    problems: list[Problem] = []
    defaults = Defaults()
    policies: deque[tuple[str, Node]] = deque()
    cleanups: list[PlacedCleanup] = []
    for file, text in texts:
        _sorted_out(file, text, policies, defaults, cleanups, problems)
    defaults.check(problems)
    loaded = list(_made(policies, defaults, problems, keep=keep))
    _raise(problems, [one.placed for one in loaded], cleanups)
    return Read(tuple(loaded), defaults, tuple(cleanups))


def _sorted_out(
    file: str, text: str, policies: deque[tuple[str, Node]], defaults: Defaults, cleanups: list[PlacedCleanup],
    problems: list[Problem],
) -> bool:  # fmt: skip
    """Put the documents of a file where they belong; True where defaults are among them."""
    found = False
    for document in documents(file, text, problems):
        kind = _kind(file, document, problems)
        if kind == "policy":
            policies.append((file, _without_kind(document)))
        elif kind == "defaults":
            found = True
            defaults.add(file, document, problems)
        elif kind == "cleanup":
            cleanups += _cleanup(file, document, problems)
    return found


def _made(
    policies: deque[tuple[str, Node]], defaults: Defaults, problems: list[Problem], *, keep: bool
) -> Iterator[Loaded]:
    while policies:  # each let go of once it is made: ten thousand are 200 MB of nodes
        made = _policy(*policies.popleft(), defaults, problems, keep=keep)
        if made is not None:
            yield made


def _raise(problems: list[Problem], placed: list[Placed], cleanups: list[PlacedCleanup]) -> None:
    """Raises PolicyError where something is wrong, with what is wrong between policies."""
    for each, sentence, hint in twice(placed, cleanups):
        problems.append(Problem(each.file, each.line, 1, sentence, hint))
    if problems:
        raise PolicyError(tuple(str(problem) for problem in _told(problems)))


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
