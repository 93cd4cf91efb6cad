"""What the dashboard is answered: pages of the fleet, series of a workload, the policy set with its texts.

The same promises as `answers.py`: documented, versioned, times in seconds since the epoch, spans end in `_s`.
"""

from __future__ import annotations

import msgspec

from autoscaler.loop.answers import VERSION, SignalStatus, WindowStatus, WorkloadStatus
from autoscaler.loop.rehearse import Foresight


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One workload in the fleet: what it is doing (`states`), its leading signal, and its counts of the last six hours.

    `trail` has one value per ten minutes, the newest last; null where nothing was known. `urgent` says in words what a
    person should see to; empty where nothing.
    """

    workload: WorkloadStatus
    states: tuple[str, ...] = ()
    urgent: str = ""
    signal: SignalStatus | None = None
    trail: tuple[float | None, ...] = ()


class Fleet(msgspec.Struct, frozen=True, kw_only=True):
    """A page of workloads: `total` there are, `matching` the search and the filters, `rows` from `offset` on.

    `counts` says how many of those that match the search are in each state, `held` for how many each reason holds.
    `urgent` are the first of those that need a person.
    """

    at: float
    total: int
    matching: int
    offset: int
    counts: dict[str, int]
    held: dict[str, int]
    urgent: tuple[Row, ...]
    rows: tuple[Row, ...]
    version: int = VERSION


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """How a workload went between two times, in equal steps of `every_s` from `start` on; null where nothing was known.

    `values` has counts by `existing`, `ready`, `desired` and `asked`, the load of each signal by `signal NAME`, and
    what adaptive expected of it by `expected NAME`. `recorded` is the count that was last decided, from history, where
    the daemon itself remembers nothing: before it was started, and before the last day.
    """

    key: str
    start: float
    every_s: float
    values: dict[str, tuple[float | None, ...]]
    windows: tuple[WindowStatus, ...] = ()
    version: int = VERSION


class PolicyProblem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a policy file, and where; line 0 where it is not about one line."""

    file: str
    line: int = 0
    column: int = 0
    sentence: str = ""
    hint: str = ""


class PolicyPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A policy in force, where it stands, and the workloads it steers."""

    name: str
    file: str
    line: int
    workloads: tuple[str, ...]


class PolicyFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the newest policy set, with its text where that is asked for."""

    name: str
    lines: int
    problems: tuple[PolicyProblem, ...] = ()
    policies: tuple[PolicyPlace, ...] = ()
    text: str = ""


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """The files of the newest policy set: the one in force, or one that was `rejected` with its problems."""

    revision: str
    rejected: str = ""
    problems: tuple[PolicyProblem, ...] = ()
    files: tuple[PolicyFile, ...] = ()
    windows: tuple[WindowStatus, ...] = ()  # of the next seven days
    version: int = VERSION


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """What would be decided now if a file of policies read like this: problems of the text, or a dry run of it."""

    problems: tuple[PolicyProblem, ...] = ()
    foresight: Foresight | None = None
    version: int = VERSION
