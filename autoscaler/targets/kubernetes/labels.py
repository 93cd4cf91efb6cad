"""Label selectors as text, the way the API writes them: `app=web,tier in (a, b),!old`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Fits = Callable[[Labels], bool]

_COMMA = re.compile(r",(?![^(]*\))")  # not those within parentheses
_SET = re.compile(r"(?P<key>\S+)\s+(?P<word>in|notin)\s*\((?P<values>[^)]*)\)")
_EQUAL = re.compile(r"(?P<key>[^\s=!]+)\s*(?P<sign>==|=|!=)\s*(?P<value>[^\s()]*)")


def selector(text: str) -> Fits:
    """Whether labels fit. An empty text fits nothing: a workload that does not say which pods are its own has none.

    >>> selector("app=web, tier in (a, b), !old")({"app": "web", "tier": "b"})
    True
    >>> selector("app!=web")({}), selector("app")({}), selector("")({})
    (True, False, False)

    Raises ValueError for what is not a selector.
    """
    parts = [_part(part.strip()) for part in _COMMA.split(text) if part.strip()]
    return lambda labels: bool(parts) and all(part(labels) for part in parts)


def _part(text: str) -> Fits:
    if among := _SET.fullmatch(text):
        key, values = among["key"], {each.strip() for each in among["values"].split(",")}
        if among["word"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if equal := _EQUAL.fullmatch(text):
        key, value = equal["key"], equal["value"]
        if equal["sign"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if re.search(r"[\s()=]", text):
        raise ValueError(f"{text} is no part of a label selector")
    if text.startswith("!"):
        return lambda labels: text[1:] not in labels
    return lambda labels: text in labels
