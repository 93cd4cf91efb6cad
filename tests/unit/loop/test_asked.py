"""What `explain` says of how Prometheus is asked."""

from __future__ import annotations

import msgspec

from autoscaler.loop.asked import asked
from autoscaler.model.observation import Workload
from autoscaler.model.policy import Signal
from tests.support import nouns


def workload(name: str, *queries: str, server: str | None = None) -> Workload:
    signals = tuple(
        Signal(name=f"s{n}", prometheus=query, server=server, per_replica=1.0) for n, query in enumerate(queries)
    )
    ref = msgspec.structs.replace(nouns.ref(), name=name)
    return Workload(ref, msgspec.structs.replace(nouns.policy(), signals=signals))


def test_each_query_is_told_with_how_many_workloads_it_is_asked_or_why_alone() -> None:
    queries = 'sum(load{app="{service}"})', "sum(all)", 'sum(mine{app="{service}", job="j"})'
    mine = workload("web", *queries)
    fleet = [
        mine,
        workload("api", *queries[:1]),
        workload("job", *queries[:1]),
        workload("other", *queries, server="b"),
    ]
    assert asked(mine, fleet) == (
        "s0: its query, told apart by app, is asked together with those of 2 others",
        "s1: its query is asked alone: no label is matched by = with the same value in every selector",
        "s2: its query, told apart by app and job, is asked together with others like it; there are none now",
    )
    assert asked(fleet[1], fleet[:2]) == ("s0: its query, told apart by app, is asked together with those of 1 other",)
    assert asked(workload("bare"), fleet) == ()
