"""Which instances should be in data that is read from the instances themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoscaler.model.target import Instance


def expected(instances: Iterable[Instance]) -> Iterator[Instance]:
    """Who should be in the data: the ready, and who was ready once.

    A sick one may still carry load, or be sick because of it: left out, its load would seem gone. One that only starts
    carries none yet.
    """
    return (each for each in instances if each.running and not each.draining and (each.ready or each.was_ready))
