"""The desk: what people ask the daemon and tell it. A word is on record before it is answered."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import msgspec

from autoscaler.clock import text as written
from autoscaler.decide.plan import Plan
from autoscaler.errors import StoreError, UsageError
from autoscaler.loop import views
from autoscaler.loop.answers import Done, Explanation, Head, History, Status, WorkloadDetail
from autoscaler.loop.asked import asked
from autoscaler.loop.board import Board, Entry
from autoscaler.loop.cleaner import key_of
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.names import UnknownWorkload, find
from autoscaler.loop.past import Past
from autoscaler.loop.recollect import Recollection
from autoscaler.model.commits import Said, rollback_now
from autoscaler.model.observation import Override, Pause
from autoscaler.ports import Clock, Fact, FactKind, Record, RecordKind

FLEET = "fleet"  # the name, and the key, of everything at once
HISTORY_LIMIT = 10_000
LONGEST_S = 366 * 86_400.0

_encode = msgspec.json.Encoder().encode
_pause = msgspec.json.Decoder(Pause).decode
_override = msgspec.json.Decoder(Override).decode
_time = msgspec.json.Decoder(float).decode
_said = msgspec.json.Decoder(Said).decode

T = TypeVar("T")


class Words(msgspec.Struct, frozen=True):
    """What people said that is in force, by workload key (`fleet` for everything): also when they said `resume`.

    `commits` is what they said of the repository that policies come from.
    """

    pauses: dict[str, Pause] = {}
    overrides: dict[str, Override] = {}
    resumed: dict[str, float] = {}
    commits: Said = Said()

    def on(self, plan: Plan) -> Plan:
        """The plan under them."""
        key = plan.key
        pause = self.pauses.get(FLEET) or self.pauses.get(key)
        return plan.controlled(pause, self.overrides.get(key), self.resumed.get(key))


Control = Callable[[Words], None]
Recollect = Callable[[], Awaitable[Recollection]]


class Word(msgspec.Struct, frozen=True):
    """Who says something, and why."""

    by: str = ""
    why: str = ""


NOBODY = Word()


class Desk:
    """Answers from the board and the store. `control` is told every word in force after each change.

    `recollect` gives everything that the next cycle goes on from. `shared` says that other pods act by turns with this
    one, whose history then is only what it did itself.
    """

    def __init__(
        self, board: Board, keeper: Keeper, clock: Clock, control: Control, past: Past, recollect: Recollect,
        *, shared: bool = False,
    ) -> None:  # fmt: skip
        self.shared = shared
        self.recollect = recollect
        self.board = board
        self.keeper = keeper
        self.clock = clock
        self._control = control
        self._past = past
        self._words: Words | None = None
        self._era = 0
        self.one_word = asyncio.Lock()  # two words at once must not forget each other

    # questions

    async def status(self) -> Status:
        """Everything at a glance."""
        said = await self.said(lenient=True)
        return views.status(
            self.board,
            self.clock.now(),
            pauses=said.pauses,
            overrides=said.overrides,
            fleet=FLEET,
            store=self.keeper.failing,
        )

    async def head(self) -> Head:
        """The daemon itself."""
        said = await self.said(lenient=True)
        return views.head(self.board, self.clock.now(), pause=said.pauses.get(FLEET), store=self.keeper.failing)

    async def workload(self, name: str) -> WorkloadDetail:
        """One workload by any of its names."""
        entry = self.entry(name)
        said, key = await self.said(lenient=True), entry.workload.ref.key
        pause = said.pauses.get(FLEET) or said.pauses.get(key)
        return views.detail(entry, pause, said.overrides.get(key), self.clock.now())

    async def explain(self, name: str, at: float | None = None) -> Explanation:
        """How the count came about, now or at a past time."""
        swept = self.board.cleanups.get(name)
        if at is None and swept is not None:
            return views.explained(swept, self.clock.now())
        if at is None:
            entry = self.entry(name)
            if entry.decision is None:
                raise UsageError(f"{name} has not been decided yet", hint="the first cycle is still to come")
            fleet = (each.workload for each in self.board.entries.values())
            told = views.explanation(entry.decision)
            return msgspec.structs.replace(
                told,
                asked=asked(entry.workload, fleet),
                learned=views.lines_known(entry),
                revision=entry.by[0],
                place=entry.by[1],
                repository=self.board.origin.url if self.board.origin is not None else "",
                pull=self.board.pulls.get(entry.by[0]),
            )
        return await self._past.explain(self._key(name), at)

    async def history(self, name: str | None, *, until: float | None = None, limit: int = 50) -> History:
        """The newest `limit` lines, not after `until` where it is given, of one workload or of all."""
        if not 1 <= limit <= HISTORY_LIMIT:
            raise UsageError(f"limit must be between 1 and {HISTORY_LIMIT}, got {limit}")
        key = None if name is None else self._key(name)
        until = math.inf if until is None else until  # lines of before a clock was set back are newer than now
        return views.history(await self.keeper.store.history(key, until=until, limit=limit))

    # words

    async def pause(self, name: str, *, for_s: float | None = None, word: Word = NOBODY) -> Done:
        """Hands off a workload (or `fleet`) for so many seconds, or until resumed."""
        if for_s is not None:
            span(for_s, "a pause")
        key, now = self._key_or_fleet(name), self.clock.now()
        said = Pause(since=now, until=None if for_s is None else now + for_s, by=word.by, why=word.why)
        until = "until resumed" if said.until is None else f"until {written(said.until)}"
        async with self.one_word:
            words = await self.said()
            pauses = {**words.pauses, key: said}
            await self.keep([Fact(FactKind.PAUSE, key, _encode(said))], msgspec.structs.replace(words, pauses=pauses))
        return await self.done(key, f"{_called(key)} is paused {until}", "paused", word)

    async def resume(self, name: str, *, word: Word = NOBODY) -> Done:
        """End the pause and the override of a workload, and its owner's zero; for the `fleet` its pause and its brake.

        The pauses of single workloads stay when the fleet is resumed.
        """
        key, now = self._key_or_fleet(name), self.clock.now()
        async with self.one_word:
            words = await self.said()
            held = key in words.pauses or key in words.overrides
            facts = [Fact(kind, key, None) for kind in (FactKind.PAUSE, FactKind.OVERRIDE)]
            facts.append(Fact(FactKind.RESUME, key, _encode(now)))
            after = msgspec.structs.replace(
                words,
                pauses=_without(words.pauses, key),
                overrides=_without(words.overrides, key),
                resumed={**words.resumed, key: now},
            )
            await self.keep(facts, after)
        also = ", but the fleet is paused: resume fleet" if key != FLEET and FLEET in words.pauses else ""
        brake = ", and its brake is off" if key == FLEET else ""
        said = "is resumed" if held else "was neither paused nor overridden; it may run"
        text = f"{_called(key)} {said}{brake}"
        return await self.done(key, text + also, "resumed", word)

    async def override(self, name: str, count: int, *, for_s: float, force: bool = False, word: Word = NOBODY) -> Done:
        """Set a count for so many seconds, whatever the signals say; above the policy's max only when forced."""
        if name == FLEET:
            raise UsageError("the fleet has no count to override", hint="name one workload, or pause the fleet")
        entry = self.entry(name)
        replicas = entry.workload.policy.replicas
        if count < 0:
            raise UsageError(
                f"a count cannot be negative, got {count}", hint="0 switches it off while the override lasts"
            )
        span(for_s, "an override")
        if replicas is None:
            raise UsageError(
                f"policy {entry.workload.policy.name} sets no count: it has no replicas to override",
                hint="it only recycles; write replicas and signals to scale it",
            )
        if count > replicas.max and not force:
            raise UsageError(
                f"{count} is above replicas.max ({replicas.max}) of policy {entry.workload.policy.name}",
                hint="raise max in the policy, or force it",
            )
        key, now = entry.workload.ref.key, self.clock.now()
        said = Override(count, until=now + for_s, by=word.by, why=word.why)
        async with self.one_word:
            words = await self.said()
            overrides = {**words.overrides, key: said}
            fact = Fact(FactKind.OVERRIDE, key, _encode(said))
            await self.keep([fact], msgspec.structs.replace(words, overrides=overrides))
        waits = ", once it is not paused any more" if key in words.pauses or FLEET in words.pauses else ""
        text = f"{key} is set to {count} until {written(said.until)}{waits}"
        return await self.done(key, text, "override", word, after=count)

    # what was said before

    async def said(self, *, lenient: bool = False) -> Words:
        """What is in force; read from the store once in an era. Expired pauses and overrides are left out."""
        if self._words is None or self._era != self.keeper.era:
            era = self.keeper.era
            try:
                self._words, self._era = words(await self.keeper.store.facts()), era
            except StoreError:
                if not lenient:
                    raise
                return Words()
        now, said = self.clock.now(), self._words
        pauses = {k: p for k, p in said.pauses.items() if p.holds(now)}
        overrides = {k: o for k, o in said.overrides.items() if now < o.until}
        commits = msgspec.structs.replace(said.commits, rollback=rollback_now(said.commits, now))
        return Words(pauses, overrides, said.resumed, commits)

    async def keep(self, facts: list[Fact], after: Words) -> None:
        """On record first, in force then; facts of what has expired go away on the way."""
        before = self._words or Words()
        for kind, old, new in (
            (FactKind.PAUSE, before.pauses, after.pauses),
            (FactKind.OVERRIDE, before.overrides, after.overrides),
        ):
            named = {fact.key for fact in facts if fact.kind is kind}
            facts = facts + [Fact(kind, key, None) for key in old if key not in new and key not in named]
        await self.keeper.insist(facts)
        self._words = after
        self._control(after)

    async def done(self, key: str, text: str, reason: str, word: Word, *, after: int | None = None) -> Done:
        entry = self.board.entries.get(key)
        record = Record(
            at=self.clock.now(),
            kind=RecordKind.CONTROL,
            workload="" if "/" not in key else key,
            policy=entry.workload.policy.name if entry else "",
            revision=self.board.revision,
            before=entry.decision.desired if after is not None and entry is not None and entry.decision else None,
            after=after,
            reason=reason,
            text=f"{text}: {word.why}" if word.why else text,
            by=word.by,
        )
        await self.keeper.record([record])
        said = await self.said()
        return Done(
            workload=key,
            text=text,
            pause=said.pauses.get(key),
            override=said.overrides.get(key),
            rollback=said.commits.rollback,
        )

    # names

    def entry(self, name: str) -> Entry:
        """What the board knows of a workload by any of its names. Raises UsageError."""
        workload = find(name, (entry.workload for entry in self.board.entries.values()))
        return self.board.entries[workload.ref.key]

    def _key(self, name: str) -> str:
        """The key of a workload or clean-up; a whole key need not be steered any more, its history remains."""
        if name in self.board.cleanups:
            return key_of(self.board.cleanups[name].cleanup)
        try:
            return self.entry(name).workload.ref.key
        except UnknownWorkload:
            if name.count("/") >= 4:
                return name
            raise

    def _key_or_fleet(self, name: str) -> str:
        return FLEET if name == FLEET else self._key(name)


def words(facts: Sequence[Fact]) -> Words:
    """What people said, out of the facts that are kept."""
    found = Words({}, {}, {})
    commits = Said()
    for fact in facts:
        if fact.value is None:
            continue
        if fact.kind is FactKind.PAUSE:
            found.pauses[fact.key] = _pause(fact.value)
        elif fact.kind is FactKind.OVERRIDE:
            found.overrides[fact.key] = _override(fact.value)
        elif fact.kind is FactKind.RESUME:
            found.resumed[fact.key] = _time(fact.value)
        elif fact.kind is FactKind.COMMITS:
            commits = _said(fact.value)
    return msgspec.structs.replace(found, commits=commits)


def span(seconds: float, what: str) -> None:
    if not (math.isfinite(seconds) and 0 < seconds <= LONGEST_S):
        raise UsageError(f"{what} must last longer than 0 s and at most a year, got {seconds:g} s")


def _called(key: str) -> str:
    return "the fleet" if key == FLEET else key


def _without(mapping: Mapping[str, T], key: str) -> dict[str, T]:
    return {each: value for each, value in mapping.items() if each != key}
