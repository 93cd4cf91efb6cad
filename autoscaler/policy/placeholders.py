"""Words in braces that stand for the workload in a query."""

from __future__ import annotations

import re

from autoscaler.model.target import WorkloadRef

# What each platform's workloads fill in.
WORDS: dict[str, dict[str, str]] = {
    "compose": {"project": "namespace", "service": "name", "name": "name", "kind": "kind"},
    "kubernetes": {"namespace": "namespace", "name": "name", "kind": "kind"},
    "process": {"name": "name", "kind": "kind"},
}
EVERY = ("project", "service", "namespace", "name", "kind")

_WORD = re.compile(r"\{(" + "|".join(EVERY) + r")\}")


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
    words = WORDS.get(ref.platform, {})

    def word(found: re.Match[str]) -> str:
        field = words.get(found[1])
        value = "" if field is None else str(getattr(ref, field))
        return found[0] if field is None else _quoted(value.partition(".")[0] if field == "kind" else value)

    return _WORD.sub(word, query)


def _quoted(value: str) -> str:
    """Safe inside a quoted PromQL string."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def sample(query: str, word: str = "x") -> str:
    """The query with a word in each place: what can be parsed before there is a workload.

    >>> sample('up{job="{service}"}')
    'up{job="x"}'
    """
    return _WORD.sub(word, query)
