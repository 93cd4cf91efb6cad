"""Kubernetes manifests → objects of one kind with their places: several documents and Lists are taken apart."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from autoscaler.policy.convert import Converter, Rules, no_rules
from autoscaler.policy.importers.autoscaling import NAME
from autoscaler.policy.importers.report import Carried, KeyReport, line_of
from autoscaler.policy.nodes import Node, Problem, documents
from autoscaler.policy.words import Path, dotted, got, nearest

MOST_VALUES = 1_000_000  # of one document: a cluster prints all its objects as one List
Text = tuple[str, str]  # a file's name and content


class Object(msgspec.Struct, frozen=True):
    """One object: its names, annotations and the node of its spec, empty values left out."""

    file: str
    node: Node
    api: str
    kind: str
    name: str
    namespace: str
    annotations: dict[str, str]
    spec: Node

    @property
    def source(self) -> str:
        """What it is called in reports."""
        return f"{self.kind} {self.namespace}/{self.name}"


class Spec(Converter):
    """The spec of one object as a struct; findings and problems are told at the keys they are about."""

    def __init__(self, made: Object, problems: list[Problem], rules: Rules = no_rules) -> None:
        super().__init__(made.file, problems, rules=rules, whole=made.kind, under=("spec",), origin=made.spec.origin)
        self.findings: list[KeyReport] = []
        self._line = made.node.line

    def say(self, carried: Carried, path: Path, sentence: str) -> None:
        """What became of the key at a path below `spec`."""
        line = line_of(self.nodes, path, self._line)
        self.findings.append(KeyReport(line, dotted(("spec", *path)), carried, sentence))

    def equal(self, path: Path, sentence: str) -> None:
        """It does the same here."""
        self.say(Carried.EQUAL, path, sentence)

    def different(self, path: Path, sentence: str) -> None:
        """It is carried, and is not quite the same."""
        self.say(Carried.DIFFERENT, path, sentence)

    def lost(self, path: Path, sentence: str) -> None:
        """It is not carried."""
        self.say(Carried.NOT_CARRIED, path, sentence)


def objects(texts: Sequence[Text], kind: str, namespace: str, problems: list[Problem]) -> list[Object]:
    """The objects of a kind in these texts; others stay aside. Texts without any are a problem.

    `namespace` is for those that name none. What is wrong goes to `problems`.
    """
    found: list[Object] = []
    without: list[Problem] = []
    for file, text in texts:
        others: list[Node] = []
        here = []
        for node in (
            each for document in documents(file, text, problems, most=MOST_VALUES) for each in _flat(document)
        ):
            told = _scalar(node, "kind")
            if told is not None and told.text == kind:
                here.append(node)
            elif told is None or nearest(told.text, [kind]):
                problems.append(_no_kind(file, node, told, kind))
            else:
                others.append(told)
        if not here:
            without.append(_none_here(file, others, kind))
        found += [made for node in here if (made := _object(file, node, kind, namespace, problems)) is not None]
    if not found and not problems:
        problems += without
    return found


def _flat(node: Node) -> Iterator[Node]:
    told = _scalar(node, "kind")
    items = node.value.get("items") if isinstance(node.value, dict) else None
    if told is not None and told.text.endswith("List") and items is not None and isinstance(items.value, tuple):
        for each in items.value:
            yield from _flat(each)
    else:
        yield node


def _object(file: str, node: Node, kind: str, namespace: str, problems: list[Problem]) -> Object | None:
    assert isinstance(node.value, dict)
    metadata = _map(node, "metadata")
    name = _scalar(metadata, "name") if metadata is not None else None
    spec = _map(node, "spec")
    api = _scalar(node, "apiVersion")
    for key, there, hint in (
        ("apiVersion", api, "autoscaling/v2" if kind == "HorizontalPodAutoscaler" else "keda.sh/v1alpha1"),
        ("metadata.name", name, "the object's name"),
        ("spec", spec, "{scaleTargetRef: …}"),
    ):
        if there is None:
            problems.append(Problem(file, node.line, node.column, f"{key} is missing", f"add {key}: {hint}"))
    if api is None or metadata is None or name is None or spec is None:
        return None
    own = _scalar(metadata, "namespace")
    for key, named in (("name", name), ("namespace", own)):
        if named is not None and (len(named.text) > 253 or not re.search(NAME, named.text)):
            wrong = f"metadata.{key}: expected a name that Kubernetes takes, got {got(named)}"
            problems.append(Problem(file, named.line, named.column, wrong, "small letters, digits, - and ."))
    notes = _map(metadata, "annotations")
    said = notes.value.items() if notes is not None and isinstance(notes.value, dict) else ()
    return Object(
        file,
        node,
        api.text,
        kind,
        name.text,
        own.text if own is not None else namespace,
        {key: value.text for key, value in said},
        _without_nothing(spec),
    )


def _map(node: Node, key: str) -> Node | None:
    found = node.value.get(key) if isinstance(node.value, dict) else None
    return found if found is not None and isinstance(found.value, dict) else None


def _scalar(node: Node, key: str) -> Node | None:
    found = node.value.get(key) if isinstance(node.value, dict) else None
    return None if found is None or found.value is None or isinstance(found.value, (dict, tuple)) else found


def _without_nothing(node: Node) -> Node:
    """The node without keys that have no value: to Kubernetes they are not written."""
    value = node.value
    if isinstance(value, dict):
        value = {key: _without_nothing(each) for key, each in value.items() if each.value is not None}
    elif isinstance(value, tuple):
        value = tuple(_without_nothing(each) for each in value)
    return Node(node.line, node.column, value, node.text, node.keys, node.origin)


def _no_kind(file: str, node: Node, told: Node | None, kind: str) -> Problem:
    if told is None:
        said = "this is not a Kubernetes object: kind is missing"
        return Problem(file, node.line, node.column, said, f"add kind: {kind}")
    if told.text == "ScaledJob":
        said = "kind: a ScaledJob starts jobs, and a policy keeps a count of replicas"
        return Problem(file, told.line, told.column, said, "leave it to KEDA, or write a Deployment of workers")
    return Problem(file, told.line, told.column, f"kind: there is no {told.text}", f"did you mean {kind}?")


def _none_here(file: str, others: Sequence[Node], kind: str) -> Problem:
    if not others:
        return Problem(file, 1, 1, f"no {kind} here: the file is empty", "give the file that has it")
    names = ", ".join(dict.fromkeys(each.text for each in others))
    return Problem(file, others[0].line, others[0].column, f"no {kind} here, only {names}", "give the file that has it")
