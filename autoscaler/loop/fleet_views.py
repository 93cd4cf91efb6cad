"""The fleet as pages: filtered, sorted and cut on this side, so that ten thousand workloads are one screen.

What each workload is doing is worked out once after something changed, not once per question.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from autoscaler.errors import UsageError
from autoscaler.loop import problems, views
from autoscaler.loop.answers import SignalStatus, WorkloadStatus
from autoscaler.loop.board import Board, Entry
from autoscaler.loop.pages import Fleet, Row
from autoscaler.loop.signal_views import signals
from autoscaler.loop.trail import COARSE_S, Trail
from autoscaler.model.decision import Reason, Stage
from autoscaler.model.observation import Override, Pause
from autoscaler.model.policy import Mode
from autoscaler.model.signal import Missing
from autoscaler.model.target import TargetState

STATES = (
    "urgent", "acting", "held", "at_max", "missing", "sick", "idle", "paused", "override", "observe",
)  # fmt: skip
LIMIT = 500
SLICE = 500  # workloads worked out before the event loop may breathe
URGENT = 5
TRAIL_S = 6 * 3600.0

HELD = frozenset({
    Reason.DOUBT, Reason.RESEEDED, Reason.SETTLING, Reason.ROLLOUT, Reason.ROLLOUT_SURPLUS, Reason.NONE_READY,
    Reason.FLAPPING, Reason.CONTESTED, Reason.CLAIMED_TWICE, Reason.FLEET_BRAKE, Reason.STATE_MISSING,
    Reason.STALE_STATE, Reason.HELD_ZERO_BY_OWNER, Reason.STABILIZED_DOWN, Reason.STABILIZED_UP, Reason.BUSY,
    Reason.NO_OPINION, Reason.NOT_ALL_AGREE, Reason.AT_LEAST, Reason.OTHER_AUTOSCALER, Reason.PAUSED_BY_ANNOTATION,
    Reason.PAUSE_UNREADABLE, Reason.CAPPED_AT_QUOTA, Reason.ADOPTING,
})  # fmt: skip


class _Known(msgspec.Struct, frozen=True):
    """What is worked out of one workload: `weight` is how urgent it is, `haystack` what a search looks through."""

    entry: Entry
    trail: Trail
    key: str
    haystack: str
    states: frozenset[str]
    urgent: str
    weight: int


class Index:
    """The workloads of the board with their states, worked out anew when the board or people's words changed."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._mark: tuple[object, ...] = ()
        self._known: list[_Known] = []
        self._one = asyncio.Lock()

    async def page(
        self,
        now: float,
        *,
        pauses: Mapping[str, Pause],
        overrides: Mapping[str, Override],
        fleet: str,
        search: str = "",
        state: str = "",
        reason: str = "",
        sort: str = "urgent",
        offset: int = 0,
        limit: int = 50,
    ) -> Fleet:
        """One page. Raises UsageError for a state or an order there is not, and a limit out of reach."""
        if state and state not in STATES:
            raise UsageError(f"state: expected one of {', '.join(STATES)}, got {state}")
        if sort not in ORDERS:
            raise UsageError(f"sort: expected one of {', '.join(ORDERS)}, got {sort}")
        if not 1 <= limit <= LIMIT:
            raise UsageError(f"limit must be between 1 and {LIMIT}, got {limit}")
        if offset < 0:
            raise UsageError(f"offset cannot be negative, got {offset}")
        everywhere = pauses.get(fleet)
        await self._look(pauses, overrides, everywhere)
        words = search.lower().split()
        found = [each for each in self._known if all(word in each.haystack for word in words)]
        counts = Counter(state for each in found for state in each.states)
        held = Counter(_reason(each.entry) for each in found if "held" in each.states)
        fitting = [
            each
            for each in found
            if (not state or state in each.states) and (not reason or _reason(each.entry) == reason)
        ]
        fitting.sort(key=ORDERS[sort])
        urgent = sorted((each for each in found if each.weight), key=ORDERS["urgent"])[:URGENT]

        def row(each: _Known) -> Row:
            line = views.line(each.entry, everywhere or pauses.get(each.key), overrides.get(each.key))
            return self._row(each, line, now)

        return Fleet(
            at=now,
            total=len(self._known),
            matching=len(fitting),
            offset=offset,
            counts={state: counts[state] for state in STATES},
            held=dict(held.most_common()),
            urgent=tuple(map(row, urgent)),
            rows=tuple(map(row, fitting[offset : offset + limit])),
        )

    async def _look(
        self, pauses: Mapping[str, Pause], overrides: Mapping[str, Override], everywhere: Pause | None
    ) -> None:
        mark = (self._board.news, tuple(sorted(pauses)), tuple(sorted(overrides)))
        if mark == self._mark:
            return
        async with self._one:
            if mark == self._mark:
                return  # another question has just had it worked out
            known: list[_Known] = []
            entries = [(key, entry, self._board.trails[key]) for key, entry in self._board.entries.items()]
            for start in range(0, len(entries), SLICE):
                known += [
                    _known(entry, trail, paused=everywhere is not None or key in pauses, overridden=key in overrides)
                    for key, entry, trail in entries[start : start + SLICE]
                ]
                await asyncio.sleep(0)
            self._mark, self._known = mark, known

    def _row(self, each: _Known, line: WorkloadStatus, now: float) -> Row:
        trail = each.trail.coarse.read(now - TRAIL_S, now).values.get("desired", ())
        short = int(TRAIL_S // COARSE_S) + 1 - len(trail)
        return Row(
            workload=line,
            states=tuple(state for state in STATES if state in each.states),
            urgent=each.urgent,
            signal=_leading(each.entry),
            trail=(None,) * short + trail,
        )


def _known(entry: Entry, trail: Trail, *, paused: bool, overridden: bool) -> _Known:
    policy, decision, state = entry.workload.policy, entry.decision, entry.state
    states: set[str] = set()
    if entry.operations or (decision is not None and decision.changes and decision.act):
        states.add("acting")
    if decision is not None and any(step.reason in HELD for step in decision.steps if step.stage is not Stage.SIGNAL):
        states.add("held")
    if decision is not None and any(isinstance(reading, Missing) for _, reading in decision.readings):
        states.add("missing")
    if isinstance(state, Missing):
        states |= {"missing", "held"}
    elif state is not None and any(each.sick for each in state.instances):
        states.add("sick")
    if policy.replicas is not None and decision is not None and decision.desired >= policy.replicas.max > 1:
        states.add("at_max")
    if decision is not None and decision.desired == 0 and isinstance(state, TargetState):
        states.add("idle")
    for name, so in (("paused", paused), ("override", overridden), ("observe", policy.mode is Mode.OBSERVE)):
        if so:
            states.add(name)
    weight, urgent = problems.first(entry)
    if weight:
        states.add("urgent")
    labels = " ".join(f"{key}={value}" for key, value in policy.labels.items())
    haystack = f"{entry.workload.ref.key} {policy.name} {labels} {_reason(entry)}".lower()
    return _Known(entry, trail, entry.workload.ref.key, haystack, frozenset(states), urgent, weight)


def _reason(entry: Entry) -> str:
    return entry.decision.reason.value if entry.decision is not None else ""


def _leading(entry: Entry) -> SignalStatus | None:
    """The signal that asks for the most."""
    found = [each for each in signals(entry) if each.goal != "wake_above"]
    asking = [each for each in found if each.asks is not None]
    return max(asking, key=lambda each: each.asks or 0, default=found[0] if found else None)


def _desired(each: _Known) -> int:
    return each.entry.decision.desired if each.entry.decision is not None else -1


def _share(each: _Known) -> float:
    replicas = each.entry.workload.policy.replicas
    return _desired(each) / replicas.max if replicas is not None else -1.0


ORDERS: Mapping[str, Callable[[_Known], Any]] = {
    "urgent": lambda each: (-each.weight, "acting" not in each.states, each.key),
    "name": lambda each: each.key,
    "replicas": lambda each: (-_desired(each), each.key),
    "fullest": lambda each: (-_share(each), each.key),
    "changed": lambda each: (-each.entry.since, each.key),
}
