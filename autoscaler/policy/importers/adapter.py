"""The rules of a prometheus-adapter: the query behind a metric of the custom and external metrics API.

A rule names series and how they are called as metrics; it is read backwards here, from the metric's name to a query
for one workload.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

import msgspec

from autoscaler.model.policy import Node as Struct
from autoscaler.policy.convert import Converter, Fault
from autoscaler.policy.importers.autoscaling import Source
from autoscaler.policy.importers.queries import POD_NAMES
from autoscaler.policy.nodes import Node, Problem, documents
from autoscaler.policy.placeholders import sample
from autoscaler.policy.promql import facts
from autoscaler.policy.words import Path

_NAME = re.compile(r"^\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*(?:\{.*?__name__\s*(=~?)\s*\"([^\"]*)\")?")
_GROUP = re.compile(r"\$\{?([0-9])\}?")
_SIMPLE = re.compile(r"\^?(?P<before>[a-zA-Z0-9_:]*)\((?:\.\*|\.\+)\)(?P<after>[a-zA-Z0-9_:]*)\$?")
_LEFT = re.compile(r"<<.*?>>")


class Override(Struct, frozen=True, kw_only=True):
    """Which resource a label names."""

    resource: str
    group: str = ""


class Resources(Struct, frozen=True, kw_only=True):
    """How labels name resources."""

    overrides: dict[str, Override] | None = None
    template: str = ""
    namespaced: bool = True


class Naming(Struct, frozen=True, kw_only=True):
    """How series are called as metrics."""

    matches: str = ""
    renamed: str = msgspec.field(name="as", default="")


class Filter(Struct, frozen=True, kw_only=True):
    """Which of the series a rule is for."""

    only: str = msgspec.field(name="is", default="")
    but: str = msgspec.field(name="isNot", default="")


class Rule(Struct, frozen=True, kw_only=True):
    """One rule."""

    seriesQuery: str
    metricsQuery: str
    seriesFilters: tuple[Filter, ...] = ()
    resources: Resources = Resources()
    name: Naming = Naming()


class Rules(Struct, frozen=True, kw_only=True):
    """The rules of both APIs."""

    rules: tuple[Rule, ...] = ()
    externalRules: tuple[Rule, ...] = ()

    def query(self, kind: Source, metric: str, labels: Mapping[str, str], about: tuple[str, str]) -> str | None:
        """The query of a metric for one workload, with its placeholders; None where no rule is for it.

        `labels` are those its selector wants, `about` kind and name of the object that is described; for a metric of
        pods the kind of the workload they belong to.
        """
        for rule in self.externalRules if kind is Source.EXTERNAL else self.rules:
            for series in _series(rule, metric):
                query = _query(rule, kind, series, labels, about)
                if query is not None:
                    return query
        return None


NONE = Rules()


def read(file: str, text: str, problems: list[Problem]) -> Rules:
    """The rules in a prometheus-adapter's configuration, or in the ConfigMap around it."""
    for node in documents(file, text, problems):
        found = _rules(file, node, problems)
        if found is not None:
            keys = {key: each for key, each in found.items() if key in Rules.__struct_fields__}
            whole = Node(node.line, node.column, keys, keys=node.keys)
            return Converter(file, problems, rules=faults, whole="rules").struct(whole, Rules) or NONE
    if not problems:
        said = "no rules of a prometheus-adapter here"
        problems.append(Problem(file, 1, 1, said, "its configuration has rules: or externalRules:"))
    return NONE


def _rules(file: str, node: Node, problems: list[Problem]) -> dict[str, Node] | None:
    if not isinstance(node.value, dict):
        return None
    if "rules" in node.value or "externalRules" in node.value:
        return {key: each for key, each in node.value.items() if each.value is not None}
    data = node.value.get("data")
    texts = data.value if data is not None and isinstance(data.value, dict) else {}
    for key, text in texts.items():
        for each in documents(f"{file}#{key}", text.text, problems):
            found = _rules(file, each, problems)
            if found is not None:
                return found
    return None


def faults(struct: object) -> Iterator[Fault]:
    """Patterns that cannot be read."""
    if isinstance(struct, (Naming, Filter)):
        keys = {"matches": struct.matches} if isinstance(struct, Naming) else {"is": struct.only, "isNot": struct.but}
        for key, pattern in keys.items():
            yield from _unreadable((key,), pattern)
    elif isinstance(struct, Rule):
        named = _NAME.match(struct.seriesQuery)
        if named is not None and named[2] == "=~":
            yield from _unreadable(("seriesQuery",), named[3])


def _unreadable(path: Path, pattern: str) -> Iterator[Fault]:
    try:
        re.compile(pattern)
    except re.error as error:
        yield path, f"{pattern} is not a pattern that can be read here: {error}", "give --query for its metrics instead"


def _series(rule: Rule, metric: str) -> Iterator[str]:
    """The series that a rule calls so."""
    found = _NAME.match(rule.seriesQuery)
    plain, sign, named = (found[1], found[2], found[3]) if found is not None else (None, None, None)
    guesses = [str(plain or named)] if plain or sign == "=" else [metric, *_before(rule.name, metric)]
    for series in dict.fromkeys(guesses):
        fits = sign != "=~" or re.search(f"^(?:{named})$", series)
        passed = all(
            (not each.only or re.search(each.only, series)) and not (each.but and re.search(each.but, series))
            for each in rule.seriesFilters
        )
        if fits and passed and _called(rule.name, series) == metric:
            yield series


def _called(naming: Naming, series: str) -> str | None:
    """What a series is called as a metric."""
    if not naming.matches:
        return naming.renamed or series
    found = re.search(naming.matches, series)
    if found is None:
        return None
    renamed = naming.renamed or ("$1" if found.re.groups == 1 else "$0")
    return _GROUP.sub(lambda group: found[int(group[1])] or "", renamed) if _groups_fit(renamed, found) else None


def _groups_fit(renamed: str, found: re.Match[str]) -> bool:
    return all(int(number) <= found.re.groups for number in _GROUP.findall(renamed))


def _before(naming: Naming, metric: str) -> Iterator[str]:
    """The series of a metric whose rule keeps one part of the name: ^(.*)_total$ as ${1}_per_second."""
    shape = _SIMPLE.fullmatch(naming.matches)
    parts = _GROUP.split(naming.renamed or "$1")
    if shape is None or len(parts) != 3 or parts[1] != "1":
        return
    if metric.startswith(parts[0]) and metric.endswith(parts[2]) and len(metric) > len(parts[0]) + len(parts[2]):
        kept = metric[len(parts[0]) : len(metric) - len(parts[2])]
        yield f"{shape['before']}{kept}{shape['after']}"


def _query(rule: Rule, kind: Source, series: str, labels: Mapping[str, str], about: tuple[str, str]) -> str | None:
    matchers = [f"{label}={json.dumps(value, ensure_ascii=False)}" for label, value in labels.items()]
    group = ""
    space = _label(rule.resources, "namespace")
    if space and (kind is not Source.EXTERNAL or rule.resources.namespaced):
        matchers.append(f'{space}="{{namespace}}"')
    if kind is not Source.EXTERNAL:
        resource = "pod" if kind is Source.PODS else about[0].lower()
        label = _label(rule.resources, resource)
        if label is None:
            return None
        group = label
        if kind is Source.PODS and about[0] not in POD_NAMES:
            return None
        matchers.append(f'{label}=~"{POD_NAMES[about[0]]}"' if kind is Source.PODS else f'{label}="{about[1]}"')
    query = rule.metricsQuery
    for word, value in (("Series", series), ("LabelMatchers", ", ".join(matchers)), ("GroupBy", group)):
        query = re.sub(rf"<<\s*\.{word}\s*>>", lambda _, value=value: value, query)  # type: ignore[misc]
    return None if _LEFT.search(query) or isinstance(facts(sample(query)), str) else query


def _label(resources: Resources, resource: str) -> str | None:
    """The label that names a resource; None where the rule has none."""
    for label, each in (resources.overrides or {}).items():
        if each.resource.lower() in (resource, f"{resource}s", f"{resource}es"):
            return label
    if resources.template:
        made = re.sub(r"<<\s*\.Resource\s*>>", resource, resources.template)
        return None if _LEFT.search(made) else made
    return None
