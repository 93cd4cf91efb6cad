"""Which instances are due for replacement, by the causes a policy names. The sick come before the old and changed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from autoscaler.decide.lineage import Recycling, Tally
from autoscaler.decide.measured import growth
from autoscaler.model.decision import SICK, Fact, Reason
from autoscaler.model.policy import When
from autoscaler.model.target import Instance

SPREAD = 0.2  # of an age: instances made together do not all go together
_ORDER = (
    Reason.UNHEALTHY, Reason.EXITED, Reason.NEVER_READY, Reason.OOM_KILLS, Reason.RESTARTS, Reason.OUTLIER,
    Reason.MEMORY_GROWTH, Reason.CONFIG_CHANGED, Reason.IMAGE_CHANGED, Reason.TOO_OLD,
)  # fmt: skip
_NONE = Tally(0)


class Due(msgspec.Struct, frozen=True):
    """One instance that should be replaced: why, since when that is so (or begun), and the numbers of it."""

    instance: Instance
    reason: Reason
    since: float
    facts: dict[str, Fact]

    @property
    def sick(self) -> bool:
        """True where it does not serve as it should; False where it is only old or changed."""
        return self.reason in SICK


def period_s(when: When) -> float:
    """How far back restarts and ends by lack of memory are of interest, in seconds; 0 where they are not."""
    if when.restarts is None and when.oom_kills is None:
        return 0.0
    return max((each.per for each in (when.restarts, when.oom_kills) if each is not None), default=0.0)


def due(instances: Sequence[Instance], when: When, known: Recycling, now: float) -> list[Due]:
    """Those that are due, each by its most urgent cause; the most urgent and then the longest so first."""
    looked = instances if _of_ready(when) else [one for one in instances if not one.ready]
    found = [each for each in (_due(one, when, known, now) for one in looked if not one.draining) if each]
    return sorted(found, key=lambda each: (_ORDER.index(each.reason), each.since, each.instance.name))


def _of_ready(when: When) -> bool:
    """Whether an instance that is ready can be due at all: with most policies there is nothing to look at."""
    fails = when.oom_kills is not None or when.restarts is not None
    apart = when.outlier is not None or when.memory_growth is not None
    return fails or apart or when.config_changed or when.image_changed or when.older_than is not None


def age_limit_s(instance: Instance, older_than_s: float) -> float:
    """The age at which this instance is old: as said, or up to a fifth more, always the same for the same instance."""
    return older_than_s * (1 + SPREAD * zlib.crc32(instance.id.encode()) / 2**32)


def _due(one: Instance, when: When, known: Recycling, now: float) -> Due | None:
    return (
        _unready(one, when, now)
        or _failing(one, when, known.tallies.get(one.id, _NONE), now)
        or _apart(one, when, known, now)
        or _stale(one, when, now)
    )


def _unready(one: Instance, when: When, now: float) -> Due | None:
    if one.ready:
        return None
    for_s = now - one.since
    if when.unhealthy_for is not None and one.was_ready and for_s >= when.unhealthy_for:
        return Due(one, Reason.UNHEALTHY, one.since, {"for_s": round(for_s, 1), "limit_s": when.unhealthy_for})
    if when.exited is not None and not one.running and one.exit_code:
        return Due(one, Reason.EXITED, one.since, {"exit_code": one.exit_code, "for_s": round(for_s, 1)})
    age = now - one.created
    if when.never_ready_after is not None and not one.was_ready and age >= when.never_ready_after:
        return Due(one, Reason.NEVER_READY, one.created, {"for_s": round(age, 1), "limit_s": when.never_ready_after})
    return None


def _failing(one: Instance, when: When, tally: Tally, now: float) -> Due | None:
    for reason, limit, times in (
        (Reason.OOM_KILLS, when.oom_kills, tally.ooms),
        (Reason.RESTARTS, when.restarts, tally.restarted),
    ):
        recent = [at for at in times if limit is not None and now - at < limit.per]
        if limit is not None and len(recent) >= limit.count:
            return Due(one, reason, recent[0], {"times": len(recent), "per_s": limit.per, "limit": limit.count})
    return None


def _apart(one: Instance, when: When, known: Recycling, now: float) -> Due | None:
    outlying, grown = known.outlying.get(one.id), known.grown.get(one.id)
    if when.outlier is not None and outlying is not None and now - outlying.since >= when.outlier.lasts:
        facts: dict[str, Fact] = {
            "value": outlying.value, "median": outlying.median, "among": outlying.among,
            "limit_times": when.outlier.times_median, "for_s": round(now - outlying.since, 1),
        }  # fmt: skip
        return Due(one, Reason.OUTLIER, outlying.since, facts)
    if when.memory_growth is not None and grown is not None:
        said = growth(grown, when.memory_growth, now)
        if said is not None:
            facts = {"from_bytes": said.before, "to_bytes": said.after, "per_s": when.memory_growth.per}
            return Due(one, Reason.MEMORY_GROWTH, said.since, facts)
    return None


def _stale(one: Instance, when: When, now: float) -> Due | None:
    if when.config_changed and one.newer_config:
        return Due(one, Reason.CONFIG_CHANGED, one.created, {})
    if when.image_changed and one.newer_image:
        return Due(one, Reason.IMAGE_CHANGED, one.created, {})
    if when.older_than is None:
        return None
    age, limit = now - one.created, age_limit_s(one, when.older_than)
    if age < limit:
        return None
    return Due(one, Reason.TOO_OLD, one.created, {"for_s": round(age, 1), "limit_s": round(limit, 1)})
