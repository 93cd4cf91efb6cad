"""What replacing remembers: when replacements began, how the instances of one place fared, who restarted when.

A place has one instance after the other: on compose a container's name, in a cluster, where every pod has a name of its
own, the whole workload. Facts with their times; what they mean is for `recycle` to say.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from autoscaler.model.target import Instance, WorkloadRef

WORKLOAD = "*"  # the place of pods
KEPT_S = 604800.0  # no period of a policy is longer
LINEAGES_KEPT = 1000
TIMES_KEPT = 1000
SAME_S = 2.0  # an end that is told as an event and in the container's own record is one


class Lineage(msgspec.Struct, frozen=True):
    """The replacements of one place that did not last: how many in a row, when the last of them began or failed.

    `version` is what it was to be made from: another one is a new beginning.
    """

    tries: int
    at: float
    failed: bool = False
    version: str = ""


class Tally(msgspec.Struct, frozen=True):
    """One instance's restarts and ends by lack of memory: the platform's count, and the times of those we know."""

    restarts: int
    restarted: tuple[float, ...] = ()
    ooms: tuple[float, ...] = ()


class Outlying(msgspec.Struct, frozen=True):
    """One instance that stands out: since when, when last, by which value, and what the median is among how many."""

    since: float
    seen: float
    value: float
    median: float
    among: int


Grown = tuple[tuple[int, float], ...]  # the least bytes of an instance in each eighth of a period, by its number


class Recycling(msgspec.Struct, frozen=True):
    """All of it for one workload. `begun` are the starts of replacements; the rest goes by instances' ids."""

    begun: tuple[float, ...] = ()
    lineages: dict[str, Lineage] = {}
    tallies: dict[str, Tally] = {}
    outlying: dict[str, Outlying] = {}
    grown: dict[str, Grown] = {}


NOTHING = Recycling()


def place(ref: WorkloadRef, instance: Instance) -> str:
    """Whose successor the successor of an instance is."""
    return WORKLOAD if ref.platform == "kubernetes" else instance.name


def tallied(known: Recycling, instances: Sequence[Instance], now: float, per_s: float) -> Recycling:
    """What is known once these were seen; the same object where nothing is new.

    A count that is there at first sight is as old as the instance, for all we know: it counts while that is within
    `per_s`. One that fell was begun anew by somebody.
    """
    tallies: dict[str, Tally] = {}
    for each in instances:
        before = known.tallies.get(each.id)
        if before is None:
            if not (each.restarts or each.ooms):
                continue
            new = Tally(each.restarts, (each.created,) * min(each.restarts, TIMES_KEPT), each.ooms[-TIMES_KEPT:])
        else:
            more = min(max(0, each.restarts - before.restarts), TIMES_KEPT)
            fresh = [at for at in each.ooms if all(abs(at - known_at) > SAME_S for known_at in before.ooms)]
            ooms = tuple(sorted((*before.ooms, *fresh)))
            new = Tally(each.restarts, before.restarted + (now,) * more, ooms)
        tallies[each.id] = Tally(new.restarts, _within(new.restarted, now, per_s), _within(new.ooms, now, per_s))
    return known if tallies == known.tallies else msgspec.structs.replace(known, tallies=tallies)


def looked(known: Recycling, after: Recycling) -> Recycling:
    """What is known where nothing is carried out: what was seen of instances, and no replacement."""
    return msgspec.structs.replace(known, tallies=after.tallies, outlying=after.outlying, grown=after.grown)


def begun(known: Recycling, lineage: str, tries: int, version: str, now: float) -> Recycling:
    """What is known once a replacement has begun, the so-maniest of its place in a row."""
    kept = dict(list(known.lineages.items())[1 - LINEAGES_KEPT :])
    kept.pop(lineage, None)
    return msgspec.structs.replace(
        known,
        begun=(*(at for at in known.begun[1 - TIMES_KEPT :] if now - at < KEPT_S), now),
        lineages={**kept, lineage: Lineage(tries, now, version=version)},
    )


def ended(known: Recycling, lineage: str, now: float, *, failed: bool) -> Recycling:
    """What is known once it has ended: its new instance never served, or it does now."""
    last = known.lineages.get(lineage)
    if last is None or not failed:
        return known
    return msgspec.structs.replace(
        known, lineages={**known.lineages, lineage: msgspec.structs.replace(last, at=now, failed=True)}
    )


def taken_back(known: Recycling, lineage: str) -> Recycling:
    """What is known once it turned out that nothing had to be replaced: the attempt does not count."""
    last = known.lineages.get(lineage)
    if last is None:
        return known
    kept = {name: each for name, each in known.lineages.items() if name != lineage}
    if last.tries > 1:
        kept[lineage] = msgspec.structs.replace(last, tries=last.tries - 1)
    return msgspec.structs.replace(known, lineages=kept)


def clamped(known: Recycling, now: float) -> Recycling:
    """What is known, with nothing in it from the future."""
    return Recycling(
        tuple(min(at, now) for at in known.begun),
        {name: msgspec.structs.replace(each, at=min(each.at, now)) for name, each in known.lineages.items()},
        {
            id: Tally(
                each.restarts, tuple(min(at, now) for at in each.restarted), tuple(min(at, now) for at in each.ooms)
            )
            for id, each in known.tallies.items()
        },
        {
            id: msgspec.structs.replace(each, since=min(each.since, now), seen=min(each.seen, now))
            for id, each in known.outlying.items()
        },
        known.grown,
    )


def _within(times: Sequence[float], now: float, per_s: float) -> tuple[float, ...]:
    return tuple(at for at in times if now - at < per_s)[-TIMES_KEPT:]
