"""Queries → answers from one server within a deadline: together where they share a template, split where that fails.

Where an answer to many fails or is not whole, halves are asked, and their halves, down to single queries: one that
is wrong takes nobody with it. What failed is asked apart from what answered the next time, and after it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import msgspec

from autoscaler.clients.prometheus import IN_FLIGHT, Answer, PrometheusClient
from autoscaler.errors import ServerAway, SourceError
from autoscaler.sources import judge
from autoscaler.sources.together import Part, parts

MOST = 1_000  # queries asked as one
WIDE = 2_000  # more of one template are asked for without saying whose, where most of what there is is theirs
NARROW_ROUNDS = 100  # rounds after which that is tried again where it was not so
LEAST = 8  # to which failures bring that down from one time to the next while the server answers nothing at all
GROWS_AFTER = 20  # rounds without a failure, then it doubles again
MOST_VAIN = 32  # failures of a server that answered nothing yet, after which nothing is split any more
LEAST_S = 0.05  # with less time left nothing is split
PARTIAL_LEVELS = 4  # how often an answer that is not whole is halved

Told = Answer | SourceError


class _NoTurn(SourceError):
    """It was never asked, so it tells nothing of the query."""


class _Round(msgspec.Struct):
    """One round of questions: until when on the loop's clock, whether anything was answered, how much was not."""

    until: float
    heard: bool = False
    vain: int = 0
    failed: set[str] = msgspec.field(default_factory=set)


class _Size(msgspec.Struct):
    """How many queries of a template are asked as one, and for how many rounds that went well."""

    most: int
    well: int = 0


class Asker:
    """Asks one server, and remembers what failed. `deadline_s` is only told to people."""

    def __init__(self, client: PrometheusClient, deadline_s: float) -> None:
        self._client = client
        self._deadline_s = deadline_s
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._answered: dict[str, bool] = {}  # whether each query had a whole answer when it was asked last
        self._alone: set[str] = set()  # what failed while it was asked alone
        self._sizes: dict[str, _Size] = {}
        self._narrow: dict[str, int] = {}  # templates of which too much belongs to nobody here → rounds left

    async def told(self, queries: Mapping[str, Iterable[str]], until: float) -> dict[str, Told]:
        """The answers to queries, and where one is empty the answers to further ones, until a time of the loop."""
        round_ = _Round(until)
        told: dict[str, Told] = {}
        for answers in await asyncio.gather(*(self._whole(each, queries, round_) for each in self._planned(queries))):
            told.update(answers)
        self._remember(told, round_)
        return told

    def _planned(self, queries: Iterable[str]) -> list[Part]:
        """First what is known to answer, last what failed when it was asked last: it holds nobody else up."""
        good: list[str] = []
        new: list[str] = []
        doubtful: list[str] = []
        alone: list[Part] = []
        for query in queries:
            answered = self._answered.get(query)
            if query in self._alone:
                alone.append(Part((query,)))
            else:
                (new if answered is None else good if answered else doubtful).append(query)
        # A part is as good as its best: what is known to answer must not wait.
        most = {template: size.most for template, size in self._sizes.items()}
        fresh = parts([*good, *new], most, MOST, narrow=self._narrow, wide=WIDE)
        fresh.sort(key=lambda part: not any(self._answered.get(query) for query in part.queries))
        return [*fresh, *parts(doubtful, most, MOST), *alone]

    def _remember(self, told: Mapping[str, Told], round_: _Round) -> None:
        self._answered = {query: self._answered[query] for query in told if query in self._answered}
        self._alone &= told.keys()
        self._narrow = {template: left - 1 for template, left in self._narrow.items() if left > 1}
        for template in round_.failed:
            size = self._sizes.setdefault(template, _Size(MOST))
            least = 1 if round_.heard else LEAST
            size.most, size.well = min(size.most, max(least, size.most // 2)), 0
        for template, size in tuple(self._sizes.items()):
            if template in round_.failed:
                continue
            size.well += 1
            if size.well >= GROWS_AFTER:
                self._sizes[template] = size = _Size(size.most * 2)
            if size.most >= MOST:
                del self._sizes[template]

    async def _whole(self, part: Part, queries: Mapping[str, Iterable[str]], round_: _Round) -> dict[str, Told]:
        told = await self._part(part, round_)
        empty = [query for query, answer in told.items() if isinstance(answer, Answer) and not answer.samples]
        further = self._planned(dict.fromkeys(each for query in empty for each in queries[query]))
        for answers in await asyncio.gather(*(self._part(each, round_) for each in further)):
            told.update(answers)
        return told

    async def _part(self, part: Part, round_: _Round, levels: int = PARTIAL_LEVELS) -> dict[str, Told]:
        """The answers to a part's queries; `levels` is how often one that is not whole may still be halved."""
        text = part.text()
        if part.whole and text is None:
            return await self._narrowed(part, round_, levels)
        if text is None:
            return await self._halves(part, round_, levels)
        try:
            answer = await self._ask(text, round_, many=part.many)
        except _NoTurn as late:
            return dict.fromkeys(part.queries, SourceError(late.message))
        except SourceError as error:
            if part.whole and not isinstance(error, ServerAway) and not self._in_vain(round_):
                return await self._narrowed(part, round_, levels)
            self._mark(part, whole=False)
            round_.vain += 1
            if not part.many:
                self._alone.add(part.queries[0])
                return {part.queries[0]: error}
            if isinstance(error, ServerAway):
                return dict.fromkeys(part.queries, error)
            if self._in_vain(round_):
                said = f"asked together with {len(part.queries) - 1} others: {error.message}"
                return dict.fromkeys(part.queries, SourceError(said))
            round_.failed.add(part.template)
            return await self._halves(part, round_, levels)
        round_.heard = True
        told = part.apart(answer)
        partial = bool(judge.partial(answer))
        if part.whole and (told is None or partial):
            return await self._narrowed(part, round_, levels)
        if part.whole and part.strangers(answer) > len(part.queries):
            self._narrow[part.template] = NARROW_ROUNDS
        if told is None:
            round_.failed.add(part.template)
            return await self._halves(part, round_, levels)
        self._mark(part, whole=not partial)
        if partial and part.many and levels:
            return await self._halves(part, round_, levels - 1)
        return dict(told)

    async def _narrowed(self, part: Part, round_: _Round, levels: int) -> dict[str, Told]:
        """Ask for those of a part only: what was wrong may be somebody's who is nobody's here."""
        self._narrow[part.template] = NARROW_ROUNDS
        told: dict[str, Told] = {}
        smaller = parts(part.queries, {}, MOST)
        for answers in await asyncio.gather(*(self._part(each, round_, levels) for each in smaller)):
            told.update(answers)
        return told

    async def _halves(self, part: Part, round_: _Round, levels: int) -> dict[str, Told]:
        one, other = part.halves()
        if round_.heard:
            first, second = await asyncio.gather(self._part(one, round_, levels), self._part(other, round_, levels))
        else:  # one after the other, so that a server that answers nothing is left alone soon
            first = await self._part(one, round_, levels)
            second = await self._part(other, round_, levels)
        return first | second

    def _mark(self, part: Part, *, whole: bool) -> None:
        for query in part.queries:
            self._answered[query] = whole
        if whole:
            self._alone.difference_update(part.queries)

    def _in_vain(self, round_: _Round) -> bool:
        """True where splitting is of no use: no time is left, or the server answers nothing at all."""
        return _left(round_) <= LEAST_S or (not round_.heard and round_.vain >= MOST_VAIN)

    async def _ask(self, query: str, round_: _Round, *, many: bool) -> Answer:
        """The answer to one query; half of the time that is left is for parts of it where it is for many."""
        try:
            async with asyncio.timeout_at(round_.until):
                await self._slots.acquire()
        except TimeoutError:
            said = f"{self._client.url}: not asked within {self._deadline_s:g} s, others took too long"
            raise _NoTurn(said) from None
        try:
            return await self._client.instant(query, max(0.0, _left(round_)) / (2 if many else 1))
        finally:
            self._slots.release()


def _left(round_: _Round) -> float:
    return round_.until - asyncio.get_running_loop().time()
