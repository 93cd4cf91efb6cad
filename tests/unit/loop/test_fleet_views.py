"""Pages of the fleet: states, what needs a person, search, order and paging."""

from __future__ import annotations

import asyncio

import pytest

from autoscaler.errors import UsageError
from autoscaler.loop.board import Board
from autoscaler.loop.fleet_views import Index
from autoscaler.loop.pages import Fleet
from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.observation import Pause
from autoscaler.model.signal import Missing, MissingWhy, Reading
from autoscaler.model.target import TargetState
from tests.support.nouns import decision, policy_set, ref, state, workload

NOW = 100_000.0


class Screen:
    """A board of workloads by name, and pages of it."""

    def __init__(self, *names: str) -> None:
        self.board = Board(cycle_s=15.0)
        workloads = [workload(name) for name in names]
        self.board.activated(policy_set(*workloads), workloads)
        self.index = Index(self.board)
        self.pauses: dict[str, Pause] = {}

    def put(self, name: str, made: Decision | None = None, seen: TargetState | Missing | None = None) -> None:
        self.board.show(made or decision(name, at=NOW), seen or state(name), ())

    def page(self, **asked: object) -> Fleet:
        return asyncio.run(self._page(**asked))

    async def _page(self, **asked: object) -> Fleet:
        return await self.index.page(NOW, pauses=self.pauses, overrides={}, fleet="fleet", **asked)  # type: ignore[arg-type]

    def names(self, **asked: object) -> list[str]:
        return [row.workload.policy for row in self.page(**asked).rows]


def capped(name: str) -> Decision:
    steps = (
        Step(Stage.SIGNAL, 8, 17, Reason.ABOVE_TARGET, {"signal": "requests", "load": 1700.0}),
        Step(Stage.BOUND, 17, 10, Reason.CAPPED_AT_MAXIMUM),
    )
    return Decision(
        ref=ref(name), policy=name, at=NOW, current=8, desired=10, reason=Reason.CAPPED_AT_MAXIMUM, steps=steps
    )


def silent(name: str) -> Decision:
    read: tuple[tuple[str, Reading], ...] = (("requests", Missing(MissingWhy.EMPTY, "no series")),)
    return decision(name, at=NOW, reason=Reason.NO_OPINION, readings=read)


def test_what_needs_a_person_comes_first_with_why() -> None:
    screen = Screen("calm", "full", "mute", "lost")
    screen.put("calm")
    screen.put("full", capped("full"))
    screen.put("mute", silent("mute"))
    screen.put("lost", decision("lost", at=NOW, reason=Reason.STATE_MISSING), Missing(MissingWhy.FAILED, "away"))
    page = screen.page()
    assert [(row.workload.policy, row.urgent) for row in page.rows] == [
        ("lost", "its state is not known, nothing is done"),
        ("full", "short at max 10, asks for 17"),
        ("mute", "no data for requests"),
        ("calm", ""),
    ]
    assert [row.workload.policy for row in page.urgent] == ["lost", "full", "mute"]
    assert page.counts["urgent"] == 3
    assert page.counts["missing"] == 2
    assert page.rows[0].workload.ready is None, "what is not known is not zero"
    assert page.rows[1].signal is not None
    assert (page.rows[1].signal.load, page.rows[1].signal.asks) == (1700.0, 17)


def test_chips_filter_and_a_reason_says_who_is_held_by_it() -> None:
    screen = Screen("calm", "full", "mute")
    screen.put("calm")
    screen.put("full", capped("full"))
    screen.put("mute", silent("mute"))
    assert screen.names(state="at_max") == ["full"]
    assert screen.names(state="held") == []
    guarded = Decision(
        ref=ref("calm"), policy="calm", at=NOW, current=2, desired=2, reason=Reason.SETTLING,
        steps=(Step(Stage.GUARD, 1, 2, Reason.SETTLING),),
    )  # fmt: skip
    screen.put("calm", guarded)
    assert screen.page().held == {"settling": 1}
    assert screen.names(state="held", reason="settling") == ["calm"]
    assert screen.names(state="held", reason="doubt") == []


def test_a_pause_shows_at_once_and_one_of_the_fleet_shows_everywhere() -> None:
    screen = Screen("a", "b")
    screen.put("a")
    screen.put("b")
    assert screen.names(state="paused") == []
    screen.pauses = {ref("a").key: Pause(since=NOW)}
    assert screen.names(state="paused") == ["a"]
    screen.pauses = {"fleet": Pause(since=NOW)}
    assert screen.names(state="paused") == ["a", "b"]
    assert screen.page().rows[0].workload.pause is not None


def test_search_wants_every_word_and_pages_are_cut_on_this_side() -> None:
    screen = Screen(*[f"web-{number:03}" for number in range(120)], "mailer")
    assert screen.names(search="MAIL shop") == ["mailer"]
    assert screen.names(search="mail 007") == []
    page = screen.page(search="web", sort="name", offset=100, limit=10)
    assert (page.total, page.matching, len(page.rows)) == (121, 120, 10)
    assert page.rows[0].workload.policy == "web-100"
    assert screen.page(offset=1000).rows == ()


def test_an_unsuccessful_question_says_what_is_expected() -> None:
    screen = Screen("web")
    for asked, said in (
        ({"state": "angry"}, "state: expected one of urgent"),
        ({"sort": "colour"}, "sort: expected one of urgent"),
        ({"limit": 0}, "limit must be between 1 and 500"),
        ({"offset": -1}, "offset cannot be negative"),
    ):
        with pytest.raises(UsageError, match=said):
            screen.page(**asked)


def test_the_trail_has_a_cell_for_each_ten_minutes_of_six_hours() -> None:
    screen = Screen("web")
    screen.put("web")
    trail = screen.page().rows[0].trail
    assert len(trail) == 37
    assert trail[-1] == 2
    assert trail[:-1] == (None,) * 36
