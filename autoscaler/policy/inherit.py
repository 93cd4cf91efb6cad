"""Documents of defaults: what they say is put under each policy they are for, node by node, so that places stay right.

The fleet's first, then those of the policy's namespace or project, then the policy. Maps merge, everything else
replaces; a key written as `~` takes away what a default says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from autoscaler.model.policy import Policy, Scope
from autoscaler.policy.convert import Converter
from autoscaler.policy.nodes import Node, Problem, documents
from autoscaler.policy.rules import faults

Key = tuple[str, str]  # what kind of scope, and whose; both empty for the fleet

FLEET: Key = ("", "")
NEVER = ("name", "target")  # what makes a policy this policy
_OWN = ("kind", "scope", *NEVER)
_MENTIONED = re.compile(r"\bkind\b.{0,4}:.{0,4}\bdefaults\b")
_SAID = re.compile(r"^kind:\s*[\"']?defaults\b", re.MULTILINE)
_MARKER = re.compile(r"^---(?=\s|$)", re.MULTILINE)  # between documents: nothing else may begin a line so


def only_defaults(file: str, text: str) -> str:
    """The same text with nothing left but its documents of defaults, at the lines where they stand; empty without any.

    >>> only_defaults("all.yaml", "name: web\\n---\\nkind: defaults\\nmode: observe\\n")
    '\\n---\\nkind: defaults\\nmode: observe\\n'
    """
    if _MENTIONED.search(text) is None:
        return ""
    parts = _MARKER.split(text)
    kept = [part if _of_defaults(file, part) else "\n" * part.count("\n") for part in parts]
    return "---".join(kept) if any(part.strip() for part in kept) else ""


def _of_defaults(file: str, part: str) -> bool:
    """One that cannot be read but says that it is of defaults is: whoever inherits it has to know."""
    problems: list[Problem] = []
    for node in documents(file, part, problems):
        kind = node.value.get("kind") if isinstance(node.value, dict) else None
        return kind is not None and kind.value == "defaults"
    return bool(problems) and _SAID.search(part) is not None


class Defaults(msgspec.Struct):
    """The documents of defaults of one set."""

    by_scope: dict[Key, Node] = {}
    used: set[Key] = set()

    def add(self, file: str, document: Node, problems: list[Problem]) -> None:
        """Take a document in; what is wrong with its scope, or a second one of the same scope, goes to `problems`."""
        key = _scope(file, document, problems)
        if key is None:
            return
        first = self.by_scope.get(key)
        if first is not None:
            said = f"defaults: there are others for {said_scope(key)} at {first.origin[0]}:{first.line}"
            problems.append(Problem(file, document.line, document.column, said, "put both into one"))
            return
        self.by_scope[key] = _stripped(document)

    def check(self, problems: list[Problem]) -> None:
        """What is wrong with the defaults on their own, whoever uses them."""
        for key, node in self.by_scope.items():
            whole = node if key == FLEET or FLEET not in self.by_scope else merged(self.by_scope[FLEET], node)
            converter = Converter(node.origin[0], problems, rules=faults, whole="defaults", partial=True)
            converter.struct(whole, Policy)

    def under(self, policy: Node) -> Node:
        """The policy with the defaults it inherits."""
        if not self.by_scope:
            return policy
        found: Node | None = None
        for key in (FLEET, *_scopes(policy)):
            node = self.by_scope.get(key)
            if node is not None:
                self.used.add(key)
                found = node if found is None else merged(found, node)
        return policy if found is None else merged(found, policy)

    def unused(self) -> Iterator[tuple[Key, Node]]:
        """Defaults of a namespace or project that no policy is in."""
        return ((key, node) for key, node in self.by_scope.items() if key not in self.used and key != FLEET)


def merged(above: Node, below: Node) -> Node:
    """`below` over `above`."""
    if not isinstance(above.value, dict) or not isinstance(below.value, dict):
        return below
    value, keys = dict(above.value), dict(above.keys)
    for key, node in below.value.items():
        if node.value is None and key in above.value:
            value.pop(key)
            keys.pop(key)
            continue
        value[key] = merged(above.value[key], node) if key in above.value else node
        keys[key] = below.keys[key]
    return Node(below.line, below.column, value, below.text, keys, below.origin)


def said_scope(key: Key) -> str:
    """Whom a scope is for, in words."""
    return " ".join(key) if key != FLEET else "the fleet"


def _scope(file: str, document: Node, problems: list[Problem]) -> Key | None:
    assert isinstance(document.value, dict)
    for key in NEVER:
        if key in document.value:
            line, column = document.keys[key]
            said, hint = f"{key}: defaults have none, they are for many policies", "remove it, or remove kind: defaults"
            problems.append(Problem(file, line, column, said, hint))
    if "scope" not in document.value:
        return FLEET
    converter = Converter(file, problems, rules=faults, under=("scope",))
    before = len(problems)
    scope = converter.struct(document.value["scope"], Scope)
    if scope is None or len(problems) > before:
        return None
    return ("namespace", scope.namespace) if scope.namespace is not None else ("project", str(scope.project))


def _stripped(document: Node) -> Node:
    assert isinstance(document.value, dict)
    value = {key: node for key, node in document.value.items() if key not in _OWN}
    keys = {key: place for key, place in document.keys.items() if key not in _OWN}
    return Node(document.line, document.column, value, document.text, keys, document.origin)


def _scopes(policy: Node) -> Iterator[Key]:
    for platform, kind in (("kubernetes", "namespace"), ("compose", "project")):
        node: Node | None = policy
        for key in ("target", platform, kind):
            node = node.value.get(key) if node is not None and isinstance(node.value, dict) else None
        if node is not None and not isinstance(node.value, (dict, tuple)):
            yield kind, node.text
