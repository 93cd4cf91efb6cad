"""Callers that a cluster knows: how long an answer holds, how many are asked for, and that no answer is a no."""

from __future__ import annotations

import asyncio

from autoscaler.clients.kubernetes_reviews import Person
from autoscaler.errors import Unreachable
from autoscaler.web.caller import Caller, Refusal
from autoscaler.web.cluster_callers import AT_ONCE, HOLDS_S, KEPT, Callers

ALICE, BOB, CAROL = "alices-token", "bobs-token", "carols-token"


class Cluster:
    """Three people with and without rights; the API server may be away or slow."""

    def __init__(self) -> None:
        self.people = {
            ALICE: Person("alice", read=True, write=True),
            BOB: Person("bob", read=True, write=False),
            CAROL: Person("carol", read=False, write=False),
        }
        self.asked: list[str] = []
        self.told: list[str] = []
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()
        self.now = 100.0
        self.callers = Callers(self.review, lambda: self.now, self.told.append)

    async def review(self, token: str) -> Person | None:
        self.asked.append(token)
        await self.answers.wait()
        if self.away:
            raise Unreachable("https://10.0.0.1 did not answer")
        return self.people.get(token)

    async def status(self, token: str, *, write: bool) -> int | str:
        answer = await self.callers.judge(token, write=write)
        return answer.status if isinstance(answer, Refusal) else answer.name


async def test_the_matrix_of_rights() -> None:
    cluster = Cluster()
    matrix = {ALICE: ("alice", "alice"), BOB: ("bob", 403), CAROL: (403, 403), "wrong": (401, 401)}
    for token, (read, write) in matrix.items():
        assert await cluster.status(token, write=False) == read
        assert await cluster.status(token, write=True) == write
    assert await cluster.callers.judge(ALICE, write=False) == Caller("alice", write=True)


async def test_an_answer_holds_for_seconds_and_a_right_that_is_taken_away_is_gone_then() -> None:
    cluster = Cluster()
    assert await cluster.status(ALICE, write=True) == "alice"
    cluster.people[ALICE] = Person("alice", read=True, write=False)
    cluster.now += HOLDS_S - 1
    assert await cluster.status(ALICE, write=True) == "alice"
    cluster.now += 2
    assert await cluster.status(ALICE, write=True) == 403
    assert cluster.asked == [ALICE, ALICE]


async def test_while_the_api_server_is_away_nobody_is_let_in_and_that_is_told() -> None:
    cluster = Cluster()
    cluster.away = True
    assert await cluster.status(ALICE, write=False) == 503
    assert await cluster.status(ALICE, write=True) == 503
    assert cluster.told == ["the cluster does not say whose a token is: https://10.0.0.1 did not answer"], "once"
    cluster.away = False
    assert await cluster.status(ALICE, write=True) == "alice", "that nobody answered is not remembered"
    cluster.away = True
    assert await cluster.status(BOB, write=True) == 503
    assert len(cluster.told) == 2, "and the next time is told again"


async def test_strangers_cannot_make_the_daemon_ask_too_much_at_once() -> None:
    cluster = Cluster()
    cluster.answers.clear()
    waiting = [asyncio.create_task(cluster.status(f"guess {n}", write=True)) for n in range(AT_ONCE)]
    same = [asyncio.create_task(cluster.status("guess 0", write=True)) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await cluster.status("one more", write=True) == 503
    assert cluster.told == [], "strangers do not fill the record of faults"
    cluster.answers.set()
    assert set(await asyncio.gather(*waiting, *same)) == {401}
    assert len(cluster.asked) == AT_ONCE


async def test_one_who_gives_up_waiting_takes_the_answer_from_nobody_else() -> None:
    cluster = Cluster()
    cluster.answers.clear()
    first, second = (asyncio.create_task(cluster.status(ALICE, write=True)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    cluster.answers.set()
    assert await second == "alice"


async def test_what_is_kept_of_guesses_is_bounded() -> None:
    cluster = Cluster()
    for number in range(KEPT + 10):
        await cluster.status(f"guess {number}", write=True)
    assert await cluster.status(f"guess {KEPT}", write=True) == 401
    assert len(cluster.asked) == KEPT + 10, "the newest are known"
    await cluster.status("guess 0", write=True)
    assert len(cluster.asked) == KEPT + 11, "the oldest is forgotten"
