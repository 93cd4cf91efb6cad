"""Texts → a policy set, or every problem with its file, line and column."""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.errors import PolicyError
from autoscaler.model.policy import Placed, Policy, PolicySet
from autoscaler.policy import rules
from autoscaler.policy.convert import Converter
from autoscaler.policy.nodes import Node, Problem, documents

KINDS = ("policy", "defaults", "cleanup")


def load(texts: Sequence[tuple[str, str]], revision: str) -> PolicySet:
    """The policies in these texts (file name and content), as one whole. Raises PolicyError with every problem."""
    problems: list[Problem] = []
    placed: list[Placed] = []
    for file, text in texts:
        for document in documents(file, text, problems):
            policy = _policy(file, document, problems)
            if policy is not None:
                placed.append(Placed(policy, file, document.line))
    _unique(placed, problems)
    if problems:
        raise PolicyError(tuple(str(problem) for problem in sorted(set(problems))))
    return PolicySet(revision, tuple(placed))


def _policy(file: str, document: Node, problems: list[Problem]) -> Policy | None:
    only = _without_kind(file, document, problems)
    return None if only is None else Converter(file, problems).struct(only, Policy)


def _without_kind(file: str, document: Node, problems: list[Problem]) -> Node | None:
    """The document without its `kind`, which says what it is; None where that is nothing this version reads."""
    if not isinstance(document.value, dict) or "kind" not in document.value:
        return document
    kind = document.value["kind"]
    if kind.value == "policy":
        return Node(
            document.line, document.column, {k: v for k, v in document.value.items() if k != "kind"}, "", document.keys
        )
    said = "not available yet" if kind.value in KINDS else f"expected policy, got {kind.text or 'nothing'}"
    problems.append(Problem(file, kind.line, kind.column, f"kind: {said}", "write kind: policy, or leave it out"))
    return None


def _unique(placed: Sequence[Placed], problems: list[Problem]) -> None:
    """One name, one policy; one workload, one policy."""
    names: dict[str, Placed] = {}
    workloads: dict[tuple[str, ...], Placed] = {}
    for each in placed:
        first = names.setdefault(each.policy.name, each)
        if first is not each:
            said = f"name: there is another policy named {each.policy.name} at {first.file}:{first.line}"
            problems.append(Problem(each.file, each.line, 1, said, "names are unique in the set"))
        steered = rules.steered(each.policy)
        if steered is None:
            continue
        first = workloads.setdefault(steered, each)
        if first is not each:
            said = f"target: policy {first.policy.name} at {first.file}:{first.line} steers {'/'.join(steered)} already"
            problems.append(Problem(each.file, each.line, 1, said, "one workload has one policy; put both into one"))
