"""Words in braces that stand for the workload in a query."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from autoscaler.model.target import WorkloadRef

# What each platform's workloads fill in.
WORDS: dict[str, dict[str, str]] = {
    "compose": {"project": "namespace", "service": "name", "name": "name", "kind": "kind"},
    "kubernetes": {"namespace": "namespace", "name": "name", "kind": "kind"},
    "process": {"name": "name", "kind": "kind"},
}
EVERY = ("project", "service", "namespace", "name", "kind")

_WORD = re.compile(r"\{(" + "|".join(EVERY) + r")\}")
_TEXTS = 2**15  # taken apart and kept: queries are filled in at every beat, and many policies share one


def used(query: str) -> list[str]:
    """The placeholders in a query, in order.

    >>> used('sum(x{job="{service}"}) + y{a="b"}')
    ['service']
    """
    return _WORD.findall(query)


def fill(query: str, ref: WorkloadRef) -> str:
    """The query for one workload; what stands for nothing on its platform stays as it is (the loader refuses it).

    >>> fill('x{job="{project}-{service}"}', WorkloadRef("compose", "shop", "service", "web"))
    'x{job="shop-web"}'
    """
    parts = _parts(query)
    if len(parts) == 1:
        return query
    words = WORDS.get(ref.platform, {})
    return "".join([_word(part, words, ref) if place % 2 else part for place, part in enumerate(parts)])


@lru_cache(_TEXTS)
def _parts(query: str) -> tuple[str, ...]:
    """The text taken apart: every second part is a placeholder's word."""
    return tuple(_WORD.split(query))


def _word(word: str, words: Mapping[str, str], ref: WorkloadRef) -> str:
    field = words.get(word)
    if field is None:
        return "{" + word + "}"
    value = str(getattr(ref, field))
    return _quoted(value.partition(".")[0] if field == "kind" else value)


def _quoted(value: str) -> str:
    """Safe inside a quoted PromQL string."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def sample(query: str, word: str = "x") -> str:
    """The query with a word in each place: what can be parsed before there is a workload.

    >>> sample('up{job="{service}"}')
    'up{job="x"}'
    """
    return _WORD.sub(word, query)
