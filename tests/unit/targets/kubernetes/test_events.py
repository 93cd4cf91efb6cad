"""Events on workloads: which are told, counted and written, and what a bad API server does to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.clock import SystemClock
from autoscaler.model.decision import Decision, Reason, Stage, Step
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import WorkloadRef
from autoscaler.targets.kubernetes.events import SERIES_S, WAITING, Events, Regarding, body
from autoscaler.targets.kubernetes.tidings import WARNING, Tiding, of_decision, of_outcome
from tests.support.wait import auntil
from tests.unit.targets.kubernetes.fake_api import FakeApi, status

REF = WorkloadRef("kubernetes", "shop", "Deployment", "web")
WEB = Regarding("apps/v1", "Deployment", "shop", "web", "uid-web")


class Skipping(SystemClock):
    """Sleeps at once, and is as much later."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.ahead += max(seconds, 0.0)
        await asyncio.sleep(0)


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    made = FakeApi()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def clock() -> Skipping:
    return Skipping()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
async def events(api: FakeApi, clock: Skipping, said: list[str], tmp_path: Path) -> AsyncIterator[Events]:
    wire = KubernetesApi(clock, kubeconfig=str(api.kubeconfig(tmp_path)))
    made = Events(wire, clock, said.append)
    yield made
    task = made.stop()
    if task is not None:
        await asyncio.gather(task, return_exceptions=True)
    await wire.close()


async def taken(_: web.Request) -> web.StreamResponse:
    return web.json_response({"metadata": {"name": "e"}}, status=201)


def tiding(clock: SystemClock, note: str = "the shop is full") -> Tiding:
    return Tiding(REF, WARNING, "Scale", "ScaleRefused", note, clock.now())


def written(api: FakeApi, method: str) -> list[Any]:
    return [body for how, path, body in api.calls if how == method and "/events" in path]


async def test_the_same_again_is_counted_in_one_event_and_written_once_a_minute_at_most(
    api: FakeApi, clock: Skipping, events: Events
) -> None:
    api.once("POST", "/events", taken)
    for _ in range(3):
        events.tell(WEB, tiding(clock))
    await auntil(lambda: events.counts["written"] == 1, "one is written")
    name = written(api, "POST")[0]["metadata"]["name"]
    began = clock.now()
    for _ in range(2):
        api.once("PATCH", f"/events/{name}", taken)
    events.tell(WEB, tiding(clock))
    events.tell(WEB, tiding(clock))
    await auntil(lambda: events.counts["written"] == 2, "its series is written")
    assert clock.now() - began >= 58
    (series,) = written(api, "PATCH")
    assert series["series"]["count"] == 5
    assert len(written(api, "POST")) == 1


async def test_the_same_after_ten_minutes_or_an_event_that_is_gone_makes_a_new_one(
    api: FakeApi, clock: Skipping, events: Events
) -> None:
    for _ in range(3):
        api.once("POST", "/events", taken)
    events.tell(WEB, tiding(clock))
    await auntil(lambda: events.counts["written"] == 1, "one is written")
    events.tell(WEB, tiding(clock))  # its PATCH is a 404: the server has forgotten the first
    await auntil(lambda: events.counts["written"] == 2, "written anew")
    assert len(written(api, "POST")) == 2
    clock.ahead += SERIES_S
    events.tell(WEB, tiding(clock))
    await auntil(lambda: len(written(api, "POST")) == 3, "and again")


async def test_whoever_tells_never_waits_and_what_is_too_much_is_counted(
    api: FakeApi, clock: Skipping, events: Events
) -> None:
    api.away = True
    for number in range(WAITING + 20):
        events.tell(WEB, tiding(clock, f"note {number}"))
    assert events.counts["dropped"] == 20


async def test_the_same_again_after_ten_minutes_of_a_server_away_takes_the_place_of_what_waits(
    api: FakeApi, clock: Skipping, events: Events, said: list[str]
) -> None:
    api.away = True
    for number in range(WAITING):
        events.tell(WEB, tiding(clock, f"note {number}"))
    for ahead, number in ((SERIES_S, 3), (0.0, WAITING), (SERIES_S, 3)):
        clock.ahead += ahead
        events.tell(WEB, tiding(clock, f"note {number}"))
    assert events.counts["dropped"] == 1, "the one that is new"

    async def takes(_: web.Request) -> web.StreamResponse:
        api.once("POST", "/events", takes)
        return await taken(_)

    api.once("POST", "/events", takes)
    api.away = False
    await auntil(lambda: events.counts["written"] == WAITING or said, "all that waited are written")
    assert not said


async def test_a_task_that_dies_of_a_defect_says_so(api: FakeApi, said: list[str], tmp_path: Path) -> None:
    class Broken(Skipping):
        async def sleep(self, seconds: float) -> None:
            raise KeyError("a defect")

    clock = Broken()
    wire = KubernetesApi(clock, kubeconfig=str(api.kubeconfig(tmp_path)))
    events = Events(wire, clock, said.append)
    api.once("POST", "/events", taken)
    events.tell(WEB, tiding(clock))
    await auntil(lambda: said, "it is said")
    await wire.close()
    assert said == ["no Events are written on workloads any more: their task has died of KeyError('a defect')"]


async def test_a_server_that_is_away_gets_them_once_it_is_back(api: FakeApi, clock: Skipping, events: Events) -> None:
    api.away = True
    events.tell(WEB, tiding(clock))
    await auntil(lambda: len(written(api, "POST")) >= 3, "it is tried")
    api.once("POST", "/events", taken)
    api.away = False
    await auntil(lambda: events.counts["written"] == 1, "it is written")


async def test_a_missing_right_is_said_once_and_nothing_is_asked_for_a_while(
    api: FakeApi, clock: Skipping, events: Events, said: list[str]
) -> None:
    async def no(_: web.Request) -> web.StreamResponse:
        text = 'cannot create resource "events" in API group "events.k8s.io" in the namespace "shop"'
        return status(403, text, "Forbidden")

    for number in range(3):
        api.once("POST", "/events", no)
        events.tell(WEB, tiding(clock, f"note {number}"))
        await auntil(lambda: not api.handlers["POST", "/events"] or events.counts["refused"] > 1, "it was refused")
    assert len(written(api, "POST")) == 1
    assert events.counts["refused"] == 3
    (sentence,) = said
    assert 'resources: ["events"]\n    verbs: ["create"]' in sentence


def test_an_event_says_what_it_is_about_and_no_more_than_the_api_takes() -> None:
    made = body("web.1", WEB, Tiding(REF, WARNING, "Scale", "ScaleRefused", "→" * 2000, 1.5))
    assert made["eventTime"] == "1970-01-01T00:00:01.500000Z"
    assert made["regarding"]["uid"] == "uid-web"
    assert len(made["note"].encode()) <= 1000


def ended(kind: OutcomeKind, of: OperationKind = OperationKind.SCALE, **fields: Any) -> Outcome:
    operation = Operation(id="o", kind=of, ref=REF, started=0.0, deadline=9.0, before=2, count=5, **fields)
    return Outcome(operation, kind, 3.0, "what the platform said")


@pytest.mark.parametrize(("outcome", "reason", "note"), [
    (ended(OutcomeKind.APPLIED), "ScaledUp", "2 → 5: too busy"),
    (ended(OutcomeKind.REFUSED), "ScaleRefused", "2 → 5: what the platform said"),
    (ended(OutcomeKind.CONFLICT), "ScaleConflict", "2 → 5: what the platform said"),
    (ended(OutcomeKind.APPLIED, OperationKind.REPLACE, reason="unhealthy"), "Replaced",
     "what the platform said (unhealthy)"),
    (ended(OutcomeKind.FAILED, OperationKind.REPLACE), "ReplaceFailed", "what the platform said"),
    (ended(OutcomeKind.CONFLICT, OperationKind.REPLACE), None, None),
    (ended(OutcomeKind.WITHHELD), None, None),
    (ended(OutcomeKind.GONE), None, None),
])  # fmt: skip
def test_what_became_of_an_operation_is_told_in_the_platforms_words(
    outcome: Outcome, reason: str | None, note: str | None
) -> None:
    made = of_outcome(outcome, "too busy")
    assert (made and made.reason, made and made.note) == (reason, note)


def test_refusals_to_act_that_somebody_should_see_to_are_told_and_others_are_not() -> None:
    def made(reason: Reason, *, act: bool = True) -> Decision:
        steps = (Step(Stage.CONTROL, 2, 2, reason),)
        return Decision(
            ref=REF, policy="web", at=1.0, current=2, desired=2, reason=reason, steps=steps, act=act
        )  # fmt: skip

    told = of_decision(made(Reason.OTHER_AUTOSCALER), "an HPA sets this count")
    assert told is not None
    assert (told.reason, told.note, told.type) == ("OtherAutoscaler", "an HPA sets this count", WARNING)
    assert of_decision(made(Reason.OTHER_AUTOSCALER, act=False), "") is None
    assert of_decision(made(Reason.WITHIN_TOLERANCE), "") is None
