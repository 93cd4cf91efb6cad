"""What was read: samples, or the reason why there are none. Missing is never zero."""

from __future__ import annotations

import enum

import msgspec


class MissingWhy(enum.Enum):
    """Why a reading (or a state) is not there; the same words in logs, metrics and explain."""

    EMPTY = "empty"  # the source answered, with no series
    NAN = "nan"  # the source answered, with a value that is not a number or infinite
    STALE = "stale"  # the newest sample is older than the signal allows
    FAILED = "failed"  # the source did not answer, or answered with an error
    SEVERAL = "several"  # more than one series where one was promised
    PARTIAL = "partial"  # the source says itself that part of the data is not there
    IMPLAUSIBLE = "implausible"  # a value that the owner says cannot be
    UNCOVERED = "uncovered"  # too few of the ready instances are in the data
    UNSERVED = "unserved"  # the platform serves no such data at all
    FORBIDDEN = "forbidden"  # our rights do not reach so far
    NO_REQUEST = "no_request"  # a pod does not say what its utilization would be a share of


class Missing(msgspec.Struct, frozen=True, tag="missing", gc=False):
    """No data, with the reason and a sentence for people."""

    why: MissingWhy
    detail: str = ""


class Point(msgspec.Struct, frozen=True, gc=False):
    """One series' value; `instance` is set where the source knows whose it is (direct scrape)."""

    value: float
    labels: tuple[tuple[str, str], ...] = ()
    instance: str = ""


class Series(msgspec.Struct, frozen=True, tag="series", gc=False):
    """Samples of one signal: `age_s` is the age of the newest (None: cannot be told).

    `unread` names instances that are ready and should be in the data but could not be read. `found` names the ready
    instances that a label of the underlying series tells of (None: not asked, or not to be told); `expected` those
    that have been ready for long enough to be in it. `samples` say when each point was measured and over how many
    seconds, where a cluster measures its pods: these are counted as the HPA counts them.
    """

    points: tuple[Point, ...]
    age_s: float | None = None
    unread: tuple[str, ...] = ()
    found: tuple[str, ...] | None = None
    expected: tuple[str, ...] = ()
    samples: tuple[tuple[float, float], ...] = ()


Reading = Series | Missing
