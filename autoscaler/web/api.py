"""The daemon's API under /api/v1: the same endpoints on the unix socket and over TCP, in the words of the commands."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from autoscaler.clients.control import API
from autoscaler.loop import answers, pages
from autoscaler.loop.commit_words import Commits
from autoscaler.loop.desk import HISTORY_LIMIT, Desk, Word
from autoscaler.loop.fleet_views import LIMIT, ORDERS, STATES
from autoscaler.loop.gallery import MOST_TEXT, Gallery
from autoscaler.loop.recollect import Recollection
from autoscaler.web.caller import Caller
from autoscaler.web.endpoint import Asked, By, Endpoint, Param

PREFIX = API
LAST_TIME = 253_402_300_799  # of the year 9999

Text = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(le=100_000)]  # what else is wrong with a number the desk says in its own words


class PauseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long (seconds; null: until resumed), who and why."""

    for_s: float | None = None
    by: Text = ""
    why: Text = ""


class ResumeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who and why."""

    by: Text = ""
    why: Text = ""


class OverrideBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which count for how long (seconds), who and why; `force` allows more than the policy's max."""

    count: Count
    for_s: float
    force: bool = False
    by: Text = ""
    why: Text = ""


class RollbackBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which commit (empty: the one before today's) for how long (seconds; null: end the rollback), who and why."""

    to: Text = ""
    for_s: float | None = None
    by: Text = ""
    why: Text = ""


class SyncBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A commit that is held back and to be taken (empty: none), who and why."""

    accept: Text = ""
    by: Text = ""
    why: Text = ""


class WhatIfBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Policies as text, the file of the set they stand for, and a count to pretend (null: ask the platforms)."""

    policy: Annotated[str, Meta(max_length=MOST_TEXT)]
    file: Text = ""
    current: Count | None = None


class Who(msgspec.Struct, frozen=True):
    """Who asks: the token's name, and whether it may write."""

    name: str
    write: bool


def word(caller: Caller, body: PauseBody | ResumeBody | OverrideBody | RollbackBody | SyncBody) -> Word:
    """Who says it: a token's own name; only over the socket the name that is said."""
    return Word(caller.name or body.by, body.why)


def endpoints(desk: Desk, gallery: Gallery) -> tuple[Endpoint, ...]:
    """Every endpoint but the stream of events."""
    return (*_reads(desk, gallery), *_words(desk))


def _reads(desk: Desk, gallery: Gallery) -> tuple[Endpoint, ...]:
    async def whoami(asked: Asked) -> Who:
        return Who(asked.caller.name, asked.caller.write)

    async def what_if(asked: Asked) -> pages.WhatIf:
        body = asked.body
        return await gallery.what_if(body.policy, file=body.file, current=body.current)

    name = "any name of the workload: its key, its policy's, a short one that only it has"
    return (
        _get(
            "/head",
            "The daemon itself: cycle, policy set, faults.",
            answers.Head,
            lambda asked: desk.head(),
            by=By.ANYBODY,
        ),
        _get(
            "/status",
            "Everything at a glance, all workloads.",
            answers.Status,
            lambda asked: desk.status(),
            by=By.ANYBODY,
        ),
        _get("/whoami", "Who asks, and what that one may.", Who, whoami, by=By.ASKED),
        _get(
            "/workloads",
            "A page of workloads, filtered and sorted.",
            pages.Fleet,
            lambda asked: gallery.fleet(**asked.values),
            Param(name="search", about="words that the key, policy, labels or reason must contain", default=""),
            Param(name="state", about="only workloads in this state", default="", choices=("", *STATES)),
            Param(name="reason", about="only workloads whose count this reason settled", default=""),
            Param(name="sort", about="their order", default="urgent", choices=tuple(ORDERS)),
            Param(name="offset", about="how many to leave out", kind=int, default=0, least=0, most=10_000_000),
            Param(name="limit", about="how many to give", kind=int, default=50, least=1, most=LIMIT),
        ),
        _get(
            "/workloads/{name}",
            "One workload: counts, instances, signals, the steps of its last decision.",
            answers.WorkloadDetail,
            lambda asked: desk.workload(asked.name),
            named=name,
        ),
        _get(
            "/explain/{name}",
            "How the count came about, now or at a past time.",
            answers.Explanation,
            lambda asked: desk.explain(asked.name, asked.values["at"]),
            _time("at", "a past time"),
            named=name,
        ),
        _get(
            "/series/{name}",
            "Counts and signals of a workload over the last hours or days, in equal steps.",
            pages.Curves,
            lambda asked: gallery.series(asked.name, asked.values["since"]),
            _time("since", "from when, a week ago at most; an hour ago by default"),
            named=name,
        ),
        _get(
            "/history",
            "What happened, newest first.",
            answers.History,
            lambda asked: desk.history(
                asked.values["workload"], until=asked.values["until"], limit=asked.values["limit"]
            ),
            Param(name="workload", about="only of this workload, by any of its names"),
            _time("until", "not after this time"),
            Param(name="limit", about="how many lines", kind=int, default=50, least=1, most=HISTORY_LIMIT),
            by=By.ANYBODY,
        ),
        _get(
            "/memory",
            "What the daemon remembers, in the program's own form: what a dry run goes by.",
            Recollection,
            lambda asked: desk.recollect(),
        ),
        _get(
            "/policies",
            "The newest policy set: files, problems, what selects what, the windows of the next seven days.",
            pages.Policies,
            lambda asked: gallery.policies(asked.values["file"]),
            Param(name="file", about="this file only, with its text"),
        ),
        Endpoint(
            method="POST",
            path=f"{PREFIX}/what-if",
            about="What would be decided now if policies read like this: a dry run, nothing is changed.",
            answer=pages.WhatIf,
            handle=what_if,
            body=WhatIfBody,
        ),
    )


def _words(desk: Desk) -> tuple[Endpoint, ...]:
    async def pause(asked: Asked) -> answers.Done:
        return await desk.pause(asked.name, for_s=asked.body.for_s, word=word(asked.caller, asked.body))

    async def resume(asked: Asked) -> answers.Done:
        return await desk.resume(asked.name, word=word(asked.caller, asked.body))

    async def override(asked: Asked) -> answers.Done:
        body = asked.body
        said = word(asked.caller, body)
        return await desk.override(asked.name, body.count, for_s=body.for_s, force=body.force, word=said)

    commits = Commits(desk)

    async def rollback(asked: Asked) -> answers.Done:
        body, said = asked.body, word(asked.caller, asked.body)
        if body.for_s is None:
            return await commits.go_on(word=said)
        return await commits.roll_back(body.to, for_s=body.for_s, word=said)

    async def sync(asked: Asked) -> answers.Done:
        return await commits.sync(asked.body.accept, word=word(asked.caller, asked.body))

    fleet = "any name of the workload, or `fleet` for everything"
    told = (
        ("pause/{name}", "Take the hands off a workload.", PauseBody, pause, fleet),
        ("resume/{name}", "End the pause and the override of a workload.", ResumeBody, resume, fleet),
        ("override/{name}", "Set a count for a while.", OverrideBody, override, "any name of the workload"),
        ("rollback", "Put the policies of another commit in force for a while.", RollbackBody, rollback, ""),
        ("sync", "Look at the repository of policies now.", SyncBody, sync, ""),
    )
    return tuple(
        Endpoint(
            method="POST",
            path=f"{PREFIX}/{path}",
            about=about,
            answer=answers.Done,
            handle=handle,
            body=body,
            write=True,
            named=named,
        )
        for path, about, body, handle, named in told
    )


def _time(name: str, about: str) -> Param:
    return Param(name=name, about=f"{about}, seconds since the epoch", kind=float, least=0, most=LAST_TIME)


def _get(
    path: str, about: str, answer: type, handle: Any, *params: Param, named: str = "", by: By = By.HOLDER
) -> Endpoint:
    return Endpoint(
        method="GET", path=PREFIX + path, about=about, answer=answer, handle=handle, params=params, named=named, by=by
    )
