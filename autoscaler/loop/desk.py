"""The desk: what people ask the daemon and tell it. A word is on record before it is answered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from autoscaler.clock import text as written
from autoscaler.errors import StoreError, UsageError
from autoscaler.loop import views
from autoscaler.loop.answers import Done, Explanation, History, Status, WorkloadDetail
from autoscaler.loop.board import Board, Entry
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.names import UnknownWorkload, find
from autoscaler.model.observation import Override, Pause
from autoscaler.ports import Clock, Fact, FactKind, Record, RecordKind

FLEET = "fleet"  # the name, and the key, of everything at once
HISTORY_LIMIT = 10_000
LONGEST_S = 366 * 86_400.0
_PAGE = 50

_encode = msgspec.json.Encoder().encode
_pause = msgspec.json.Decoder(Pause).decode
_override = msgspec.json.Decoder(Override).decode

T = TypeVar("T")
Control = Callable[[dict[str, Pause], dict[str, Override]], None]


class Word(msgspec.Struct, frozen=True):
    """Who says something, and why."""

    by: str = ""
    why: str = ""


NOBODY = Word()


class Desk:
    """Answers from the board and the store. `control` is told every pause and override in force after each change."""

    def __init__(self, board: Board, keeper: Keeper, clock: Clock, control: Control) -> None:
        self._board = board
        self._keeper = keeper
        self._clock = clock
        self._control = control
        self._pauses: dict[str, Pause] | None = None
        self._overrides: dict[str, Override] = {}
        self._one_word = asyncio.Lock()  # two words at once must not forget each other

    # questions

    async def status(self) -> Status:
        """Everything at a glance."""
        pauses, overrides = await self._said(lenient=True)
        return views.status(
            self._board, self._clock.now(), pauses=pauses, overrides=overrides, fleet=FLEET, store=self._keeper.failing
        )

    async def workload(self, name: str) -> WorkloadDetail:
        """One workload by any of its names."""
        entry = self._entry(name)
        pauses, overrides = await self._said(lenient=True)
        key = entry.workload.ref.key
        return views.detail(entry, pauses.get(FLEET) or pauses.get(key), overrides.get(key))

    async def explain(self, name: str, at: float | None = None) -> Explanation:
        """How the count came about, now or at a past time (then: the newest decision kept at or before it)."""
        if at is None:
            entry = self._entry(name)
            if entry.decision is None:
                raise UsageError(f"{name} has not been decided yet", hint="the first cycle is still to come")
            return views.explanation(entry.decision, since_change=False)
        key = self._key(name)
        limit = _PAGE
        while True:
            records = await self._keeper.store.history(key, until=at, limit=limit)
            for record in records:
                if record.decision is not None:
                    return views.explanation(record.decision, since_change=True)
            if len(records) < limit or limit >= HISTORY_LIMIT:
                raise UsageError(
                    f"no decision about {key} is on record at or before {written(at)}",
                    hint="the history may not reach back that far: see `autoscaler history`",
                )
            limit *= 4

    async def history(self, name: str | None, *, until: float | None = None, limit: int = 50) -> History:
        """The newest `limit` lines not after `until` (now), of one workload or of all."""
        if not 1 <= limit <= HISTORY_LIMIT:
            raise UsageError(f"limit must be between 1 and {HISTORY_LIMIT}, got {limit}")
        key = None if name is None else self._key(name)
        until = self._clock.now() if until is None else until
        return views.history(await self._keeper.store.history(key, until=until, limit=limit))

    # words

    async def pause(self, name: str, *, for_s: float | None = None, word: Word = NOBODY) -> Done:
        """Hands off a workload (or `fleet`) for so many seconds, or until resumed."""
        if for_s is not None:
            _span(for_s, "a pause")
        key, now = self._key_or_fleet(name), self._clock.now()
        said = Pause(since=now, until=None if for_s is None else now + for_s, by=word.by, why=word.why)
        until = "until resumed" if said.until is None else f"until {written(said.until)}"
        async with self._one_word:
            pauses, overrides = await self._said()
            await self._keep([Fact(FactKind.PAUSE, key, _encode(said))], {**pauses, key: said}, overrides)
        return await self._done(key, f"{_called(key)} is paused {until}", "paused", word)

    async def resume(self, name: str, *, word: Word = NOBODY) -> Done:
        """End the pause and the override of a workload, or the pause of the `fleet` (not those of single workloads)."""
        key = self._key_or_fleet(name)
        async with self._one_word:
            pauses, overrides = await self._said()
            if key not in pauses and key not in overrides:
                also = ", but the fleet is: resume fleet" if FLEET in pauses else ""
                return Done(workload=key, text=f"{_called(key)} is neither paused nor overridden{also}")
            facts = [Fact(kind, key, None) for kind in (FactKind.PAUSE, FactKind.OVERRIDE)]
            await self._keep(facts, _without(pauses, key), _without(overrides, key))
        return await self._done(key, f"{_called(key)} is resumed", "resumed", word)

    async def override(self, name: str, count: int, *, for_s: float, force: bool = False, word: Word = NOBODY) -> Done:
        """Set a count for so many seconds, whatever the signals say; above the policy's max only when forced."""
        if name == FLEET:
            raise UsageError("the fleet has no count to override", hint="name one workload, or pause the fleet")
        entry = self._entry(name)
        replicas = entry.workload.policy.replicas
        if count < 0:
            raise UsageError(f"a count cannot be negative, got {count}")
        _span(for_s, "an override")
        if replicas is None:
            raise UsageError(f"policy {entry.workload.policy.name} sets no count: it has no replicas to override")
        if count > replicas.max and not force:
            raise UsageError(
                f"{count} is above replicas.max ({replicas.max}) of policy {entry.workload.policy.name}",
                hint="raise max in the policy, or force it",
            )
        key, now = entry.workload.ref.key, self._clock.now()
        said = Override(count, until=now + for_s, by=word.by, why=word.why)
        async with self._one_word:
            pauses, overrides = await self._said()
            await self._keep([Fact(FactKind.OVERRIDE, key, _encode(said))], pauses, {**overrides, key: said})
        waits = ", once it is not paused any more" if key in pauses or FLEET in pauses else ""
        text = f"{key} is set to {count} until {written(said.until)}{waits}"
        return await self._done(key, text, "override", word, after=count)

    # what was said before

    async def _said(self, *, lenient: bool = False) -> tuple[dict[str, Pause], dict[str, Override]]:
        """The pauses and overrides in force; read from the store once. Expired ones are left out."""
        if self._pauses is None:
            try:
                await self._read()
            except StoreError:
                if not lenient:
                    raise
                return {}, {}
        now = self._clock.now()
        pauses = {k: p for k, p in (self._pauses or {}).items() if p.until is None or now < p.until}
        return pauses, {k: o for k, o in self._overrides.items() if now < o.until}

    async def _read(self) -> None:
        pauses: dict[str, Pause] = {}
        overrides: dict[str, Override] = {}
        for fact in await self._keeper.store.facts():
            if fact.value is not None and fact.kind is FactKind.PAUSE:
                pauses[fact.key] = _pause(fact.value)
            elif fact.value is not None and fact.kind is FactKind.OVERRIDE:
                overrides[fact.key] = _override(fact.value)
        self._pauses, self._overrides = pauses, overrides

    async def _keep(self, facts: list[Fact], pauses: dict[str, Pause], overrides: dict[str, Override]) -> None:
        """On record first, in force then; facts of what has expired go away on the way."""
        for kind, old, new in (
            (FactKind.PAUSE, self._pauses or {}, pauses),
            (FactKind.OVERRIDE, self._overrides, overrides),
        ):
            named = {fact.key for fact in facts if fact.kind is kind}
            facts = facts + [Fact(kind, key, None) for key in old if key not in new and key not in named]
        await self._keeper.store.put(facts)
        self._pauses, self._overrides = pauses, overrides
        self._control(dict(pauses), dict(overrides))

    async def _done(self, key: str, text: str, reason: str, word: Word, *, after: int | None = None) -> Done:
        entry = self._board.entries.get(key)
        record = Record(
            at=self._clock.now(),
            kind=RecordKind.CONTROL,
            workload="" if key == FLEET else key,
            policy=entry.workload.policy.name if entry else "",
            revision=self._board.revision,
            after=after,
            reason=reason,
            text=f"{text}: {word.why}" if word.why else text,
            by=word.by,
        )
        await self._keeper.record([record])
        pauses, overrides = await self._said()
        return Done(workload=key, text=text, pause=pauses.get(key), override=overrides.get(key))

    # names

    def _entry(self, name: str) -> Entry:
        workload = find(name, (entry.workload for entry in self._board.entries.values()))
        return self._board.entries[workload.ref.key]

    def _key(self, name: str) -> str:
        """The key of a workload; a whole key need not be steered any more, its history remains."""
        try:
            return self._entry(name).workload.ref.key
        except UnknownWorkload:
            if name.count("/") >= 4:
                return name
            raise

    def _key_or_fleet(self, name: str) -> str:
        return FLEET if name == FLEET else self._key(name)


def _span(seconds: float, what: str) -> None:
    if not (math.isfinite(seconds) and 0 < seconds <= LONGEST_S):
        raise UsageError(f"{what} must last longer than 0 s and at most a year, got {seconds:g} s")


def _called(key: str) -> str:
    return "the fleet" if key == FLEET else key


def _without(mapping: Mapping[str, T], key: str) -> dict[str, T]:
    return {each: value for each, value in mapping.items() if each != key}
