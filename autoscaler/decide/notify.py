"""Who is told of what, and when: problems as they come and go → messages. Pure.

One receiver's ledger says which problems are open, since when, and which of them were told. A message is what is due
by the ledger at that moment; what could not be sent is due again later, with whatever came up meanwhile. So nothing
queues, and a problem that ended before it could be told is not told at all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Iterable

import msgspec

from autoscaler.model.notice import Kind, Message, Problem, Status

MOST_OPEN = 1000  # problems one receiver's ledger holds; more wait until some of them are over
LISTED = 20  # problems that one message speaks of in words
GATHER_S = 30.0  # between two messages that say the same of the same kind
HOUR_S = 3600.0

ORDER = {kind: number for number, kind in enumerate(Kind)}
STATUSES = (Status.PROBLEM, Status.RESOLVED, Status.STILL)


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """What one receiver wants: these kinds (all where there are none) of workloads with all of these labels.

    A problem is told once it has lasted for `after_s`, and over once it has been away for as long; one that stays is
    told again every `repeat_s`. No more than `most` messages are sent within an hour. Spans in seconds.
    """

    name: str
    kinds: frozenset[Kind] = frozenset()
    labels: dict[str, str] = {}
    after_s: float = 120.0
    repeat_s: float = 14_400.0
    most: int = 20

    def wants(self, problem: Problem) -> bool:
        """Whether it is this receiver's. What is the daemon's own has no labels."""
        if self.kinds and problem.kind not in self.kinds:
            return False
        return all(problem.labels.get(key) == value for key, value in self.labels.items())


class Open(msgspec.Struct, frozen=True, gc=False):
    """A problem since when, seen last when, told last when (None: not yet). Times in seconds."""

    problem: Problem
    since: float
    seen: float
    told: float | None = None


class Ledger(msgspec.Struct, frozen=True):
    """What one receiver knows, as of `at`: open problems by id, when messages were sent within the last hour, and when
    what was said of which kind last.
    """

    at: float = 0.0
    open: dict[str, Open] = {}
    sent: tuple[float, ...] = ()
    last: dict[str, float] = {}


def follow(
    route: Route, ledger: Ledger, problems: Iterable[Problem], now: float, *, unknown: Collection[str] = ()
) -> Ledger:
    """The ledger once these are all the problems there are. Of the workloads `unknown` nothing is known just now."""
    ledger = _clamped(ledger, now)
    found: dict[str, Open] = {}
    fresh = 0
    for problem in problems:
        if not route.wants(problem):
            continue
        before = ledger.open.get(problem.id)
        if before is not None:
            found[problem.id] = Open(problem, before.since, now, before.told)
        elif problem.id not in found and len(ledger.open) + fresh < MOST_OPEN:
            found[problem.id] = Open(problem, now, now)
            fresh += 1
    for key, each in ledger.open.items():
        if key in found:
            continue
        if each.problem.workload in unknown:
            found[key] = Open(each.problem, each.since, now, each.told)
        elif each.told is not None or now - each.seen < route.after_s:
            found[key] = each
    return Ledger(at=now, open=found, sent=ledger.sent, last=ledger.last)


def due(route: Route, ledger: Ledger, now: float) -> Message | None:
    """The most urgent message to send now, if one is due."""
    if sum(now - at < HOUR_S for at in ledger.sent) >= route.most:
        return None
    groups: dict[tuple[int, int], list[Open]] = {}
    for each in ledger.open.values():
        status = _status(route, ledger, each, now)
        if status is not None and now - ledger.last.get(_group(status, each.problem.kind), -math.inf) >= GATHER_S:
            groups.setdefault((STATUSES.index(status), ORDER[each.problem.kind]), []).append(each)
    if not groups:
        return None
    first = min(groups)
    speaks = sorted(groups[first], key=lambda each: each.problem.id)
    status, kind = STATUSES[first[0]], speaks[0].problem.kind
    return Message(
        id=_id(status, kind, speaks),
        at=now,
        status=status,
        kind=kind,
        count=len(speaks),
        problems=tuple(each.problem for each in speaks[:LISTED]),
        told=frozenset(each.problem.id for each in speaks),
    )


def told(ledger: Ledger, message: Message, now: float, *, before: Ledger) -> Ledger:
    """The ledger once the message has been sent that was due by the ledger `before`.

    A problem that was forgotten while it was being told is known again: somebody waits to hear that it is over.
    """
    spoken = {key: ledger.open.get(key, before.open[key]) for key in message.told}
    found = {key: each for key, each in ledger.open.items() if key not in spoken}
    if message.status is not Status.RESOLVED:
        found |= {key: msgspec.structs.replace(each, told=now) for key, each in spoken.items()}
    sent = (*(at for at in ledger.sent if now - at < HOUR_S), now)
    last = {**ledger.last, _group(message.status, message.kind): now}
    return Ledger(at=ledger.at, open=found, sent=sent, last=last)


def restored(ledger: Ledger, now: float) -> Ledger:
    """The ledger of a former process: what it told is open until it has been away for long enough since now."""
    open_ = {key: msgspec.structs.replace(each, seen=now) for key, each in ledger.open.items() if each.told is not None}
    return _clamped(msgspec.structs.replace(ledger, at=now, open=open_), now)


def _status(route: Route, ledger: Ledger, each: Open, now: float) -> Status | None:
    """What is to be said of a problem now, if anything."""
    there = each.seen >= ledger.at
    if each.told is None:
        return Status.PROBLEM if there and now - each.since >= route.after_s else None
    if not there:
        return Status.RESOLVED if now - each.seen >= route.after_s else None
    return Status.STILL if now - each.told >= route.repeat_s else None


def _group(status: Status, kind: Kind) -> str:
    return f"{status.value} {kind.value}"


def _id(status: Status, kind: Kind, speaks: Iterable[Open]) -> str:
    about = [f"{each.problem.id} {each.since!r} {each.told!r}" for each in speaks]
    return hashlib.sha256("\n".join([_group(status, kind), *about]).encode()).hexdigest()[:32]


def _clamped(ledger: Ledger, now: float) -> Ledger:
    """The ledger with nothing in the future: a clock may have been set back."""
    if ledger.at <= now:
        return ledger

    def past(each: Open) -> Open:
        said = None if each.told is None else min(each.told, now)
        return Open(each.problem, min(each.since, now), min(each.seen, now), said)

    return Ledger(
        at=now,
        open={key: past(each) for key, each in ledger.open.items()},
        sent=tuple(min(at, now) for at in ledger.sent),
        last={key: min(at, now) for key, at in ledger.last.items()},
    )
