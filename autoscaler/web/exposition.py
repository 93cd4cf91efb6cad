"""The form of Prometheus text: families, their samples, and labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

Sample = tuple[str, str, float | int]  # suffix of the name, labels, value

PREFIX = "autoscaler_"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Family(msgspec.Struct, frozen=True):
    """One metric: its name without the prefix, kind, sentence, labels, and its samples."""

    name: str
    kind: str
    about: str
    labels: tuple[str, ...] = ()
    samples: Iterable[Sample] = ()

    def lines(self) -> Iterator[str]:
        """What stands above its samples, and they."""
        yield f"# HELP {PREFIX}{self.name} {self.about}"
        yield f"# TYPE {PREFIX}{self.name} {self.kind}"
        for suffix, of, value in self.samples:
            yield f"{PREFIX}{self.name}{suffix}{of} {value}"


def labels(**told: str) -> str:
    """Labels as the exposition has them.

    >>> labels(workload='a"b', policy="web")
    '{workload="a\\\\"b",policy="web"}'
    """
    return "{" + inner(**told) + "}"


def inner(**told: str) -> str:
    """The same without the braces."""
    return ",".join([f'{key}="{_escaped(value)}"' for key, value in told.items()])


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
