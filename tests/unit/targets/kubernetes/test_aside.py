"""What is worth knowing and not needed: HPAs, ScaledObjects, quotas and limit ranges, where the API server falters."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.target import TargetState
from autoscaler.targets.kubernetes import KubernetesTarget
from autoscaler.targets.kubernetes.others import BROKEN_S
from tests.support.wait import auntil
from tests.unit.targets.kubernetes.fake_api import FakeApi, Handler, Skipping, status
from tests.unit.targets.kubernetes.records import REF, deployment
from tests.unit.targets.kubernetes.test_faults import look, missing, saying, scale

HPAS = "horizontalpodautoscalers"
DENIED = f'User "u" cannot watch resource "{HPAS}" in API group "autoscaling"'


def hpa() -> dict[str, Any]:
    meta = {"name": "web", "namespace": "shop", "uid": "uid-hpa", "resourceVersion": "8"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta,
        "spec": {"scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}, "maxReplicas": 9},
    }


@pytest.fixture
def api(api: FakeApi) -> FakeApi:
    api.objects[HPAS] = [hpa()]
    return api


def always(api: FakeApi, answer: Handler, *ends: str) -> None:
    """Answer every GET of these so, until the handlers are cleared."""

    def one(end: str) -> Handler:
        async def again(request: web.Request) -> web.StreamResponse:
            api.once("GET", end, again)
            return await answer(request)

        return again

    for end in ends:
        api.once("GET", end, one(end))


def said(target: KubernetesTarget) -> int:
    return target._notices.qsize()


async def test_what_one_refusal_made_unknown_is_told_again_and_the_next_one_is_said_anew(
    api: FakeApi, target: KubernetesTarget
) -> None:
    assert (await look(target)).steered_by == "HorizontalPodAutoscaler web"
    for times in (1, 2):
        api.once("GET", f"/{HPAS}", saying(403, DENIED, "Forbidden"))
        api.cut()
        await auntil(lambda times=times: said(target) == times, "the refusal is said")  # type: ignore[misc]

        async def known() -> bool:
            return (await look(target)).steered_by == "HorizontalPodAutoscaler web"

        await auntil(known, "the HPA, of which nothing has changed, is known again")


async def test_a_right_to_list_without_one_to_watch_is_said_once_and_tried_ever_more_seldom(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    async def unless_listed(request: web.Request) -> web.StreamResponse:
        api.once("GET", f"/{HPAS}", unless_listed)
        if request.query.get("watch") == "1":
            return status(403, DENIED, "Forbidden")
        api.lists.append(HPAS)
        return web.json_response({"metadata": {"resourceVersion": "10"}, "items": api.objects[HPAS]})

    api.once("GET", f"/{HPAS}", unless_listed)
    await look(target)
    await auntil(lambda: sum(clock.naps) > 100, "it is tried more and more seldom")
    assert len(api.lists) < 15
    assert said(target) == 1


async def test_there_is_no_state_until_it_was_read_once_who_else_sets_the_count(
    api: FakeApi, target: KubernetesTarget
) -> None:
    always(api, saying(503, "etcd has no leader"), f"/{HPAS}")
    found = await missing(target)
    assert found.detail.startswith("whether another autoscaler sets it is not known yet: watch horizontalpodautoscaler")
    assert "etcd has no leader" in found.detail
    api.handlers.clear()

    async def known() -> bool:
        (seen,) = await target.states([REF])
        return isinstance(seen, TargetState) and seen.steered_by == "HorizontalPodAutoscaler web"

    await auntil(known, "the HPA is known")


async def test_scaled_objects_that_cannot_be_listed_are_waited_for_but_not_for_ever_and_an_hpa_still_counts(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    always(api, saying(500, "conversion webhook failed"), "/scaledobjects")
    assert "conversion webhook failed" in (await missing(target)).detail
    clock.skipped += 45.0  # what is known is not stale by then
    assert "conversion webhook failed" in (await missing(target)).detail, "not yet"
    clock.skipped += BROKEN_S - 44.0
    api.cut()  # the watches confirm what they know by this clock

    async def known() -> bool:
        (seen,) = await target.states([REF])
        return isinstance(seen, TargetState) and seen.steered_by == "HorizontalPodAutoscaler web"

    await auntil(known, "the state is known without")
    await look(target)
    assert said(target) == 1, "it is said once"
    assert "we go on without" in target._notices.get_nowait()


@pytest.mark.parametrize("answer", [saying(403, DENIED, "Forbidden"), saying(404, "page not found")])
async def test_where_it_may_not_be_known_or_there_is_no_such_kind_there_is_nobody_else(
    api: FakeApi, target: KubernetesTarget, answer: Handler
) -> None:
    always(api, answer, f"/{HPAS}", "/scaledobjects")
    assert (await look(target)).steered_by == ""


WEB_HPA = f"/{HPAS}/web"


async def deletes_unheard(_: web.Request) -> web.StreamResponse:
    return status(504, "the API server took too long")


async def begun(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> Operation:
    """An adoption whose DELETE has landed and whose answer was lost."""

    async def whole(_: web.Request) -> web.StreamResponse:
        return web.json_response(hpa())

    await look(target)
    api.once("GET", WEB_HPA, whole)
    api.once("DELETE", WEB_HPA, deletes_unheard)
    begin = await target.advance(scale(clock, kind=OperationKind.ADOPT))
    assert isinstance(begin, Operation)
    after = await target.advance(begin)
    assert isinstance(after, Operation), after
    return after


async def test_an_hpa_whose_deletion_landed_unheard_is_adopted_with_what_it_was_on_record(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    ended = await target.advance(await begun(api, target, clock))
    assert isinstance(ended, Outcome)
    assert ended.kind is OutcomeKind.APPLIED
    assert json.loads(ended.detail.partition("it was ")[2])["spec"] == hpa()["spec"]
    assert (await look(target)).steered_by == ""


async def test_an_adoption_that_never_hears_an_answer_ends_with_what_the_hpa_was(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    after = await begun(api, target, clock)
    api.once("DELETE", WEB_HPA, deletes_unheard)
    clock.skipped += 100
    ended = await target.advance(after)
    assert isinstance(ended, Outcome)
    assert ended.kind is OutcomeKind.FAILED
    assert json.loads(ended.detail.partition("it was ")[2])["spec"] == hpa()["spec"]


async def test_a_quota_on_what_limit_ranges_may_fill_in_blocks_nothing_until_they_are_read(
    api: FakeApi, target: KubernetesTarget
) -> None:
    bare = deployment()
    bare["spec"]["template"]["spec"]["containers"] = [{"name": "web", "resources": {}}]
    api.objects["deployments"] = [bare]
    meta = {"name": "team", "namespace": "shop", "uid": "uid-team", "resourceVersion": "8"}
    hard = {"requests.cpu": "10"}
    api.objects["resourcequotas"] = [{"metadata": meta, "status": {"hard": hard, "used": {}}}]
    always(api, saying(403, DENIED.replace(HPAS, "limitranges"), "Forbidden"), "/limitranges")
    assert (await look(target)).pools == ()
    api.handlers.clear()

    async def full() -> bool:
        seen = await look(target)
        said = "ResourceQuota team (pods must say their requests.cpu)"
        return [(each.more, each.by) for each in seen.pools] == [(0, said)]

    await auntil(full, "no limit range says it: now that is known")
