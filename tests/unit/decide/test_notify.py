"""Who is told of what, and when: as a person would want it, and what holds for every coming and going of problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.decide.notify import HOUR_S, LISTED, MOST_OPEN, Ledger, Route, due, follow, restored, told
from autoscaler.model.notice import Kind, Message, Problem, Status

ROUTE = Route(name="oncall", after_s=60.0, repeat_s=3600.0, most=10)
CYCLE_S = 15.0


def short(name: str, **labels: str) -> Problem:
    return Problem(kind=Kind.SHORT_AT_MAX, text="short at max 5, asks for 7", workload=name, policy=name, labels=labels)


def silent(name: str) -> Problem:
    return Problem(kind=Kind.DATA_MISSING, text="no data for load", workload=name)


class Play:
    """Cycles over a ledger; what was sent at which second."""

    def __init__(self, route: Route = ROUTE) -> None:
        self.route = route
        self.ledger = Ledger()
        self.now = 1000.0
        self.sent: list[tuple[float, Message]] = []

    def cycles(
        self, count: int, problems: Iterable[Problem], *, works: bool = True, unknown: tuple[str, ...] = ()
    ) -> Play:
        there = list(problems)
        for _ in range(count):
            self.ledger = follow(self.route, self.ledger, there, self.now, unknown=unknown)
            while works and (message := due(self.route, self.ledger, self.now)) is not None:
                self.sent.append((self.now - 1000.0, message))
                self.ledger = told(self.ledger, message, self.now, before=self.ledger)
            self.now += CYCLE_S
        return self

    def said(self) -> list[tuple[float, str, int]]:
        return [(at, each.status.value, each.count) for at, each in self.sent]


def test_a_problem_is_told_once_it_has_lasted_and_over_once_it_has_been_away_for_as_long() -> None:
    play = Play().cycles(9, [short("web")]).cycles(12, [])
    assert play.said() == [(60.0, "problem", 1), (180.0, "resolved", 1)]
    assert play.ledger.open == {}


def test_one_that_is_over_sooner_is_not_told_and_one_that_comes_and_goes_is_one() -> None:
    assert Play().cycles(3, [short("web")]).cycles(20, []).said() == []
    play = Play()
    for _ in range(40):
        play.cycles(1, [short("web")]).cycles(1, [])
    assert play.said() == [(60.0, "problem", 1)]


def test_one_that_stays_is_told_again() -> None:
    play = Play().cycles(500, [short("web")])
    assert play.said() == [(60.0, "problem", 1), (3660.0, "still", 1), (7260.0, "still", 1)]


def test_those_of_one_kind_are_told_together_the_most_urgent_kind_first() -> None:
    play = Play().cycles(5, [*(silent(f"s{n}") for n in range(3)), *(short(f"w{n}") for n in range(50))])
    assert [(each.kind, each.count, len(each.problems)) for _, each in play.sent] == [
        (Kind.SHORT_AT_MAX, 50, LISTED), (Kind.DATA_MISSING, 3, 3),
    ]  # fmt: skip


def test_what_comes_up_one_after_the_other_is_gathered_and_no_more_is_sent_than_wanted_and_none_is_lost() -> None:
    play = Play()
    there: list[Problem] = []
    for number in range(200):
        there.append(short(f"w{number}"))
        play.cycles(1, there)
    play.cycles(300, there)
    times = [at for at, each in play.sent]
    assert all(sum(start <= at < start + HOUR_S for at in times) <= ROUTE.most for start in times)
    new = [each for _, each in play.sent if each.status is Status.PROBLEM]
    assert sum(each.count for each in new) == 200
    assert len(new) == ROUTE.most + 1


def test_each_receiver_gets_what_it_wants() -> None:
    team = Route(name="shop", labels={"team": "shop"}, kinds=frozenset({Kind.SHORT_AT_MAX}))
    fleet = Problem(kind=Kind.FLEET_BRAKE, text="12 held")
    told = [short("a", team="shop"), short("b", team="mail"), silent("a"), fleet]
    assert [team.wants(each) for each in told] == [True, False, False, False]
    assert all(ROUTE.wants(each) for each in told)


def test_what_cannot_be_sent_is_sent_as_it_is_later_and_not_at_all_once_it_is_over() -> None:
    play = Play().cycles(10, [short("a"), short("b")], works=False).cycles(10, [short("b")], works=False)
    play.cycles(1, [short("b")])
    assert [(each.status, sorted(each.told)) for _, each in play.sent] == [(Status.PROBLEM, ["short_at_max b"])]


def test_the_same_message_has_the_same_id_until_it_was_sent() -> None:
    play = Play().cycles(6, [short("a")], works=False)
    first = due(ROUTE, play.ledger, play.now)
    second = due(ROUTE, play.cycles(3, [short("a")], works=False).ledger, play.now)
    assert first is not None
    assert second is not None
    assert first.id == second.id
    play.cycles(300, [short("a")])
    assert len({each.id for _, each in play.sent}) == len(play.sent) == 2


def test_a_restart_tells_nothing_again_and_what_is_not_known_yet_is_not_over() -> None:
    play = Play().cycles(6, [short("a"), short("b")])
    play.ledger = restored(msgspec.json.decode(msgspec.json.encode(play.ledger), type=Ledger), play.now + 600)
    play.now += 600
    play.cycles(30, [], unknown=("a",))
    assert [(each.status, sorted(each.told)) for _, each in play.sent[1:]] == [(Status.RESOLVED, ["short_at_max b"])]
    play.cycles(1, [short("a")]).cycles(30, [])
    assert [sorted(each.told) for _, each in play.sent[2:]] == [["short_at_max a"]]


def test_one_that_was_forgotten_while_it_was_being_told_is_over_later() -> None:
    play = Play().cycles(6, [short("a")], works=False)
    before = play.ledger
    message = due(ROUTE, before, play.now)
    assert message is not None
    play.cycles(20, [], works=False)
    assert play.ledger.open == {}
    play.ledger = told(play.ledger, message, play.now, before=before)
    assert play.cycles(2, []).said()[-1][1:] == ("resolved", 1)


def test_a_clock_that_is_set_back_loses_nothing() -> None:
    play = Play().cycles(6, [short("a")])
    play.now -= 7200
    play.cycles(30, [])
    assert [each.status for _, each in play.sent] == [Status.PROBLEM, Status.RESOLVED]


NAMES = ("a", "b", "c", "d", "e", "f")


@given(
    st.lists(st.tuples(st.frozensets(st.sampled_from(NAMES)), st.integers(1, 30), st.booleans()), max_size=25),
    st.sampled_from((0.0, 30.0, 120.0)),
    st.integers(1, 6),
)
def test_whatever_comes_and_goes_is_told_once_and_over_once_within_bounds(
    story: list[tuple[frozenset[str], int, bool]], after_s: float, most: int
) -> None:
    play = Play(Route(name="x", after_s=after_s, repeat_s=1800.0, most=most))
    for there, count, works in story:
        play.cycles(count, [silent(name) if name < "c" else short(name) for name in sorted(there)], works=works)
    play.cycles(int(20 * HOUR_S / CYCLE_S / most), [])
    open_: Counter[str] = Counter()
    for _, message in play.sent:
        for key in message.told:
            assert open_[key] == (message.status is not Status.PROBLEM), "told once, still or over only what was told"
            open_[key] = message.status is not Status.RESOLVED
        assert 0 < len(message.problems) <= LISTED
    assert not any(open_.values()), "what was told is over in the end"
    assert play.ledger.open == {}
    times = [at for at, _ in play.sent]
    assert all(sum(start <= at < start + HOUR_S for at in times) <= most for start in times)


def test_a_ledger_holds_so_many_problems_and_no_more() -> None:
    play = Play().cycles(6, [short(f"w{number}") for number in range(MOST_OPEN + 500)])
    assert len(play.ledger.open) == MOST_OPEN
    assert play.sent[0][1].count == MOST_OPEN


def test_where_there_are_too_many_the_first_are_kept_and_those_that_stay_count_once() -> None:
    brake = Problem(kind=Kind.FLEET_BRAKE, text="holds 600 back", workload="", policy="")
    crowd = [silent(f"w{number}") for number in range(MOST_OPEN * 6 // 10)]
    play = Play(msgspec.structs.replace(ROUTE, after_s=1e9)).cycles(2, crowd)
    play.cycles(1, [brake, *crowd, *(silent(f"x{number}") for number in range(MOST_OPEN))])
    assert len(play.ledger.open) == MOST_OPEN
    assert brake.id in play.ledger.open
