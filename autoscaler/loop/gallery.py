"""The gallery: what is shown on pages, beside the desk's answers. Nothing here changes anything."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Sequence

from autoscaler.errors import PolicyError, StoreError, UsageError, parted
from autoscaler.loop import views
from autoscaler.loop.answers import WindowStatus
from autoscaler.loop.board import Board, Entry
from autoscaler.loop.desk import FLEET, HISTORY_LIMIT, Desk
from autoscaler.loop.fleet_views import Index
from autoscaler.loop.pages import Curves, Fleet, Policies, PolicyFile, PolicyPlace, PolicyProblem, WhatIf
from autoscaler.loop.recorded import RECORDED, recorded, remembered_from, widened
from autoscaler.loop.rehearse import Foresight
from autoscaler.ports import Clock, Record

WEEK_S = 7 * 86_400.0
HOUR_S = 3600.0
MOST_WINDOWS = 2000
MOST_TEXT = 200_000  # characters of a policy file that is tried out
TRY_S = 20.0
NEW_FILE = "what-if.yaml"

_PLACE = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+): (?P<rest>.*)", re.DOTALL)

# Texts of policy files, the one to decide by, and the count to pretend: a dry run of the policies in that file.
Try = Callable[[Sequence[tuple[str, str]], str, int | None], Awaitable[Foresight]]


class Gallery:
    """Answers from the board; `attempt` is how a dry run is made."""

    def __init__(self, board: Board, desk: Desk, clock: Clock, attempt: Try) -> None:
        self._board = board
        self._desk = desk
        self._clock = clock
        self._attempt = attempt
        self._index = Index(board)
        self._one_try = asyncio.Lock()

    async def fleet(self, *, search: str, state: str, reason: str, sort: str, offset: int, limit: int) -> Fleet:
        """A page of workloads. Raises UsageError."""
        said = await self._desk.said(lenient=True)
        return await self._index.page(
            self._clock.now(),
            pauses=said.pauses,
            overrides=said.overrides,
            fleet=FLEET,
            search=search,
            state=state,
            reason=reason,
            sort=sort,
            offset=offset,
            limit=limit,
        )

    async def series(self, name: str, since: float | None) -> Curves:
        """Counts and signals of a workload since a time (an hour ago by default), and its windows in that time.

        A week at most. Of before what this process remembers there are counts from history. Raises UsageError.
        """
        entry, now = self._desk.entry(name), self._clock.now()
        since = now - HOUR_S if since is None else since
        if not math.isfinite(since) or since > now:
            raise UsageError(f"since: expected a time that is past, got {since:g}")
        since = max(since, now - WEEK_S)
        key = entry.workload.ref.key
        told = widened(self._board.trails[key].read(since, now), since)
        values, until = dict(told.values), remembered_from(told, now)
        if until - told.start >= told.every_s:
            records = await self._lines(key, until)
            values[RECORDED] = recorded(told, records, until)
        windows = tuple(views.windows(entry, since, now))
        return Curves(key=key, start=told.start, every_s=told.every_s, values=values, windows=windows)

    async def _lines(self, key: str, until: float) -> Sequence[Record]:
        """What is on record of a workload; nothing where the store does not tell."""
        try:
            return await self._desk.keeper.store.history(key, until=until, limit=HISTORY_LIMIT)
        except StoreError:
            return ()  # it is told as a fault, and the chart says that nothing is known

    async def policies(self, file: str | None) -> Policies:
        """The newest policy set; the text of one of its files where it is named. Raises UsageError."""
        board = self._board
        problems = tuple(map(problem, board.problems))
        steers: dict[str, list[str]] = {}
        places: dict[str, dict[str, int]] = {}
        for key, entry in board.entries.items():
            steers.setdefault(entry.workload.policy.name, []).append(key)
            places.setdefault(entry.file, {})[entry.workload.policy.name] = entry.line
        files = [
            PolicyFile(
                name=name,
                lines=text.count("\n") + 1,
                problems=tuple(each for each in problems if each.file == name),
                policies=tuple(
                    PolicyPlace(name=policy, file=name, line=line, workloads=tuple(sorted(steers[policy])))
                    for policy, line in sorted(places.get(name, {}).items(), key=lambda each: each[1])
                ),
                text=text if name == file else "",
            )
            for name, text in board.texts
            if file is None or name == file
        ]
        if file is not None and not files:
            raise UsageError(f"the policy set has no file {file}", hint="leave file out to see which there are")
        return Policies(
            revision=board.revision,
            rejected=board.rejected_revision,
            problems=problems,
            files=tuple(files),
            windows=self._ahead([each for each in board.entries.values() if file is None or each.file == file]),
        )

    async def what_if(self, text: str, *, file: str, current: int | None) -> WhatIf:
        """A dry run of the policies in this text, as if it were the file's; nothing is saved and nothing is changed.

        Defaults of the set's other files hold for it. Raises UsageError, and what a dry run does.
        """
        if len(text) > MOST_TEXT:
            raise UsageError(f"the text has more than {MOST_TEXT} characters", hint="try one policy at a time")
        if current is not None and current < 0:
            raise UsageError(f"a count cannot be negative, got {current}", hint="leave it empty to ask the platform")
        name = file or NEW_FILE
        others = [each for each in self._board.texts if each[0] != name and "kind: defaults" in each[1]]
        async with self._one_try:
            try:
                seen = await asyncio.wait_for(self._attempt([*others, (name, text)], name, current), TRY_S)
            except PolicyError as error:
                return WhatIf(problems=tuple(map(problem, error.problems)))
            except TimeoutError:
                raise UsageError(
                    f"the dry run was not over within {TRY_S:.0f} s",
                    hint="a server or platform is slow: `autoscaler doctor` tells which",
                ) from None
        return WhatIf(foresight=seen)

    def _ahead(self, entries: Sequence[Entry]) -> tuple[WindowStatus, ...]:
        """The openings of the next seven days, those that are open now first."""
        now = self._clock.now()
        found: list[WindowStatus] = []
        for entry in entries:
            found += views.windows(entry, now, now + WEEK_S)
            if len(found) > MOST_WINDOWS:
                break
        return tuple(sorted(found, key=lambda each: (each.start, each.workload))[:MOST_WINDOWS])


def problem(said: str) -> PolicyProblem:
    """A sentence that begins with its place, taken apart.

    >>> problem("web.yaml:6:17: replicas.max: must be at least 2\\n  hint: raise max")
    PolicyProblem(file='web.yaml', line=6, column=17, sentence='replicas.max: must be at least 2', hint='raise max')
    """
    text, hint = parted(said)
    found = _PLACE.fullmatch(text)
    if found is None:
        return PolicyProblem(file="", sentence=text, hint=hint)
    line, column = int(found["line"]), int(found["column"])
    return PolicyProblem(file=found["file"], line=line, column=column, sentence=found["rest"], hint=hint)
