"""What an API server can do to us on the wire: each fault is a state that is not there or an outcome, never a raise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from autoscaler.clients.kubernetes_api import KubernetesApi
from autoscaler.model.operation import Operation, OperationKind, Outcome, OutcomeKind
from autoscaler.model.policy import KubernetesTarget as Named
from autoscaler.model.policy import Policy, TargetSpec
from autoscaler.model.signal import Missing, MissingWhy
from autoscaler.model.target import TargetState, WorkloadRef
from autoscaler.targets.kubernetes import KubernetesTarget
from autoscaler.targets.kubernetes.tidings import of_outcome
from tests.support.wait import auntil
from tests.unit.targets.kubernetes.fake_api import TOKEN, FakeApi, Handler, Skipping, status
from tests.unit.targets.kubernetes.records import CREATED, POLICY, REF, deployment, pod

SCALE = "/deployments/web/scale"


def saying(*args: Any, **more: Any) -> Handler:
    async def answer(_: web.Request) -> web.StreamResponse:
        return status(*args, **more)

    return answer


async def scaled(request: web.Request) -> web.StreamResponse:
    count = (await request.json())[1]["value"]
    return web.json_response({"metadata": {"name": "web", "resourceVersion": "11"}, "spec": {"replicas": count}})


def scale(clock: Skipping, before: int = 2, count: int = 4, **fields: Any) -> Operation:
    now = clock.now()
    fields = {"kind": OperationKind.SCALE, "deadline": now + 60, **fields}
    return Operation(id="o", ref=REF, started=now, before=before, count=count, **fields)


async def look(target: KubernetesTarget) -> TargetState:
    (seen,) = await target.states([REF])
    assert isinstance(seen, TargetState), seen
    return seen


async def missing(target: KubernetesTarget, ref: WorkloadRef = REF) -> Missing:
    (seen,) = await target.states([ref])
    assert isinstance(seen, Missing), seen
    return seen


async def outcome(target: KubernetesTarget, operation: Operation) -> Outcome:
    after = await target.advance(operation)
    while isinstance(after, Operation) and after.stage != operation.stage:
        operation, after = after, await target.advance(after)
    assert isinstance(after, Outcome), after
    return after


async def test_a_scale_is_one_compare_and_set_and_is_known_at_once(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    await look(target)
    api.once("PATCH", SCALE, scaled)
    ended = await outcome(target, scale(clock))
    assert (ended.kind, ended.count) == (OutcomeKind.APPLIED, 4)
    patch = [
        {"op": "test", "path": "/spec/replicas", "value": 2},
        {"op": "replace", "path": "/spec/replicas", "value": 4},
    ]
    assert api.calls == [("PATCH", f"/apis/apps/v1/namespaces/shop{SCALE}", patch)]
    assert (await look(target)).desired == 4
    # An event from before our write, still on its way, must not take it back; a later one counts.
    api.tell("deployments", "MODIFIED", deployment(version=9, readyReplicas=1))
    api.tell("deployments", "MODIFIED", deployment("other", version=12))
    await auntil(lambda: names(target, "other"), "the later event is in")
    assert (await look(target)).desired == 4


async def test_a_zero_of_ours_is_ours_although_the_watch_was_quicker_than_the_answer(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    await look(target)

    async def slow(_: web.Request) -> web.StreamResponse:
        api.tell("deployments", "MODIFIED", deployment(desired=0, version=11))
        api.tell("deployments", "MODIFIED", deployment(desired=0, version=12))

        async def told() -> bool:
            return (await look(target)).version == "12"

        await auntil(told, "the watch has told")
        meta = {"name": "web", "uid": "uid-web", "resourceVersion": "11"}
        return web.json_response({"metadata": meta, "spec": {}})

    api.once("PATCH", SCALE, slow)
    assert (await outcome(target, scale(clock, 2, 0))).kind is OutcomeKind.APPLIED
    assert not (await look(target)).off_by_owner
    api.tell("deployments", "MODIFIED", deployment(desired=1, version=13))
    api.tell("deployments", "MODIFIED", deployment(desired=0, version=14))

    async def off() -> bool:
        return (await look(target)).off_by_owner

    await auntil(off, "a zero after somebody's raise is not ours")


async def names(target: KubernetesTarget, name: str) -> bool:
    return not isinstance((await target.states([WorkloadRef("kubernetes", "shop", "Deployment", name)]))[0], Missing)


async def test_429_waits_as_long_as_the_server_says(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> None:
    api.once("PATCH", SCALE, saying(429, "too many", headers={"Retry-After": "7"}))
    api.once("PATCH", SCALE, scaled)
    asked = clock.now()
    after = await target.advance(scale(clock))
    assert isinstance(after, Operation)
    assert round(after.wait_until - asked) == 7
    assert after.held is not None
    assert after.held.busy
    assert after.held.until == after.wait_until
    assert (await outcome(target, after)).kind is OutcomeKind.APPLIED


@pytest.mark.parametrize("code", [429, 503])
async def test_an_order_told_to_come_back_after_its_time_is_deferred_and_no_failure(
    code: int, api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    api.once("PATCH", SCALE, saying(code, "too many", headers={"Retry-After": "90"}))
    asked = clock.now()
    ended = await target.advance(scale(clock))
    assert isinstance(ended, Outcome)
    assert ended.kind is OutcomeKind.DEFERRED
    assert of_outcome(ended, "load") is None  # nothing is wrong with the workload: no Event on it
    assert ended.operation.held is not None
    assert round(ended.operation.held.until - asked) == 90


async def test_a_503_without_a_time_is_a_server_away_and_not_a_busy_one(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    api.once("PATCH", SCALE, saying(503, "shutting down"))
    after = await target.advance(scale(clock))
    assert isinstance(after, Operation)
    assert after.held is not None
    assert (after.held.busy, after.held.until) == (False, 0.0)


async def test_a_server_that_fails_is_asked_again_ever_more_slowly_until_the_deadline(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    api.away = True
    operation: Any = scale(clock)
    pauses = []
    while isinstance(operation, Operation):
        clock.skipped += max(0.0, operation.wait_until - clock.now())
        asked = clock.now()
        operation = await target.advance(operation)
        pauses += [round(operation.wait_until - asked)] if isinstance(operation, Operation) else []
    assert pauses == [1, 2, 4, 8, 15, 15]
    assert operation.kind is OutcomeKind.FAILED
    assert "shutting down" in operation.detail


async def test_a_lost_answer_to_an_order_that_landed_is_applied(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    async def lands_and_is_lost(request: web.Request) -> web.StreamResponse:
        api.objects["deployments"] = [deployment(desired=4, version=11)]
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    api.once("PATCH", SCALE, lands_and_is_lost)
    api.once("PATCH", SCALE, saying(422, "the server rejected our request", "Invalid"))
    after = await target.advance(scale(clock))
    assert isinstance(after, Operation)
    clock.skipped += 2
    ended = await outcome(target, after)
    assert (ended.kind, ended.count) == (OutcomeKind.APPLIED, 4)


async def test_a_failed_test_is_a_conflict_that_names_the_writer(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    managed = [{"manager": "argocd", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
    api.objects["deployments"] = [deployment(desired=7, managed=managed)]
    api.once("PATCH", SCALE, saying(422, "the server rejected our request", "Invalid", details={}))
    ended = await outcome(target, scale(clock))
    assert ended.kind is OutcomeKind.CONFLICT
    assert ended.detail == "argocd set 7 while 2 → 4 was on its way; nothing changed"


async def test_from_zero_a_moved_version_is_taken_again_while_the_count_is_still_zero(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    api.objects["deployments"] = [deployment(desired=0, version=33)]

    async def merged(request: web.Request) -> web.StreamResponse:
        patch = await request.json()
        assert request.headers["Content-Type"] == "application/merge-patch+json"
        if patch["metadata"]["resourceVersion"] != "33":
            return status(409, "the object has been modified", "Conflict")
        return web.json_response({"metadata": {"resourceVersion": "34"}, "spec": patch["spec"]})

    api.once("PATCH", SCALE, merged)
    api.once("PATCH", SCALE, merged)
    ended = await outcome(target, scale(clock, before=0, count=3, version="31"))
    assert (ended.kind, ended.count) == (OutcomeKind.APPLIED, 3)


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (saying(404, "deployments.apps not found"), OutcomeKind.GONE, "not found"),
        (saying(403, 'admission webhook "limits" denied the request: over budget'), OutcomeKind.REFUSED, "over budget"),
        (
            saying(422, "is invalid", details={"causes": [{"field": "spec.replicas"}]}),
            OutcomeKind.REFUSED,
            "is invalid",
        ),
        (saying(401, "Unauthorized"), OutcomeKind.REFUSED, "does not accept our credentials"),
    ],
)
async def test_what_asking_again_does_not_mend_is_an_outcome_at_once(
    api: FakeApi, target: KubernetesTarget, clock: Skipping, answer: Handler, kind: OutcomeKind, words: str
) -> None:
    api.once("PATCH", SCALE, answer)
    api.once("PATCH", SCALE, answer)
    ended = await outcome(target, scale(clock))
    assert ended.kind is kind
    assert words in ended.detail


async def test_garbage_is_no_success(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> None:
    async def garbage(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>log in first</html>")

    api.once("PATCH", SCALE, garbage)
    ended = await outcome(target, scale(clock, deadline=0.0))
    assert ended.kind is OutcomeKind.FAILED
    assert "not one of a Kubernetes API server" in ended.detail


async def test_a_secret_in_an_answer_is_not_repeated(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> None:
    api.once("PATCH", SCALE, saying(400, f"cannot parse header Bearer {TOKEN}"))
    ended = await outcome(target, scale(clock))
    assert "cannot parse header Bearer ***" in ended.detail
    assert TOKEN not in repr(ended)
    assert f"Bearer {TOKEN}" in api.tokens  # it did go where it belongs


async def test_an_expired_token_is_read_again_once(
    api: FakeApi, target: KubernetesTarget, clock: Skipping, tmp_path: Path
) -> None:
    await look(target)
    api.kubeconfig(tmp_path, token="renewed")
    api.once("PATCH", SCALE, saying(401, "Unauthorized"))
    api.once("PATCH", SCALE, scaled)
    assert (await outcome(target, scale(clock))).kind is OutcomeKind.APPLIED
    assert api.tokens[-1] == "Bearer renewed"


async def test_a_cut_watch_goes_on_where_it_was(api: FakeApi, target: KubernetesTarget) -> None:
    await look(target)
    api.tell("pods", "MODIFIED", {**pod("web-a", ready=False, turned=CREATED + 90)})
    await auntil(lambda: unready(target), "the pod is seen unready")
    api.cut()
    await auntil(lambda: ("deployments", "10") in api.watches, "the watch is taken up again from the bookmark")
    await auntil(lambda: ("pods", "7") in api.watches, "the watch is taken up again from the last event")
    assert api.lists == []
    assert len((await look(target)).instances) == 2


async def unready(target: KubernetesTarget) -> list[str]:
    return [each.name for each in (await look(target)).instances if not each.ready]


async def test_410_lists_again_and_forgets_what_went_unseen(api: FakeApi, target: KubernetesTarget) -> None:
    assert len((await look(target)).instances) == 2
    api.objects["pods"] = [pod("web-b"), pod("web-c")]
    api.tell(
        "pods", "ERROR", {"kind": "Status", "code": 410, "message": "too old resource version", "reason": "Expired"}
    )

    async def names() -> bool:
        return [each.name for each in (await look(target)).instances] == ["web-b", "web-c"]

    await auntil(names, "web-a is gone and web-c is there")


async def test_a_server_that_does_not_stream_lists_is_read_by_pages(api: FakeApi, target: KubernetesTarget) -> None:
    api.streams = False
    assert len((await look(target)).instances) == 2
    assert sorted(api.lists) == sorted(set(api.objects) - {"statefulsets"})
    await auntil(lambda: len(api.live) == 7, "and watched from there")
    assert {version for _, version in api.watches} == {"10"}


async def test_a_server_that_is_away_is_not_hammered(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> None:
    """The official informer reconnected ten thousand times in ten seconds."""
    await look(target)
    api.away = True
    before = len(api.tokens)
    api.cut()
    await auntil(lambda: len(clock.naps) >= 7 * 9, "each watch was tried nine times")
    assert len(api.tokens) - before <= len(clock.naps) + 7, "a pause before each try"
    assert sum(clock.naps) > 60
    assert max(clock.naps) <= 15
    assert (await look(target)).ready == 2  # known for less than a minute: still a state
    api.away = False
    await auntil(lambda: len(api.live) == 7, "all watches are back")


async def test_watches_that_end_at_once_meet_pauses(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> None:
    await look(target)

    async def ends(_: web.Request) -> web.StreamResponse:
        return web.Response()

    for _ in range(9):
        api.once("GET", "/pods", ends)
    api.cut()
    await auntil(lambda: not api.handlers["GET", "/pods"], "nine watches ended at once")
    assert max(clock.naps) > 7


async def test_a_minute_without_a_word_is_no_state(api: FakeApi, target: KubernetesTarget, clock: Skipping) -> None:
    await look(target)
    clock.skipped = 59
    assert clock.now() - (await look(target)).at >= 59
    clock.skipped = 61
    stale = await missing(target)
    assert stale.why is MissingWhy.STALE
    assert "not confirmed for 61 s" in stale.detail
    for plural in api.objects:
        api.tell(plural, "BOOKMARK", {"metadata": {"resourceVersion": "12"}})
    await auntil(lambda: fresh(target), "bookmarks confirm the cache")


async def fresh(target: KubernetesTarget) -> bool:
    return not isinstance((await target.states([REF]))[0], Missing)


async def test_a_refused_watch_says_which_rule_is_missing(api: FakeApi, target: KubernetesTarget) -> None:
    said = 'deployments.apps is forbidden: User "u" cannot watch resource "deployments" in API group "apps"'
    for _ in range(50):
        api.once("GET", "/deployments", saying(403, said, "Forbidden"))
    found = await missing(target)
    assert found.why is MissingWhy.FAILED
    assert '- apiGroups: ["apps"]\n    resources: ["deployments"]\n    verbs: ["list", "watch"]' in found.detail


async def test_nobody_listening_is_a_state_that_is_not_there(
    api: FakeApi, target: KubernetesTarget, clock: Skipping
) -> None:
    await api.stop()
    found = await missing(target)
    assert found.why is MissingWhy.FAILED
    assert "did not answer" in found.detail
    after = await target.advance(scale(clock))
    assert isinstance(after, Operation)
    assert after.wait_until > clock.now()


@pytest.mark.parametrize("context", ["nowhere", None])
async def test_a_wrong_context_or_file_is_said(
    api: FakeApi, clock: Skipping, tmp_path: Path, context: str | None
) -> None:
    path = api.kubeconfig(tmp_path)
    if context is None:
        path = tmp_path / "absent"
    target = KubernetesTarget(KubernetesApi(clock, kubeconfig=str(path), context=context), clock)
    found = await missing(target)
    assert f"no usable cluster configuration in {path}" in found.detail
    await target.close()


async def test_an_absent_workload_is_named_with_what_is_there(target: KubernetesTarget) -> None:
    found = await missing(target, WorkloadRef("kubernetes", "shop", "Deployment", "wep"))
    assert found.detail == "Deployment shop/wep does not exist; did you mean web? shop has: web"


async def test_a_pod_turning_unready_wakes_its_workload(api: FakeApi, target: KubernetesTarget) -> None:
    await look(target)
    wakes = target.wakes()
    assert await asyncio.wait_for(anext(wakes), 5) == REF  # first sight
    api.tell("pods", "MODIFIED", pod("web-b", turned=CREATED + 4))  # still ready: nothing to wake for
    api.tell("pods", "MODIFIED", pod("web-a", ready=False))
    assert await asyncio.wait_for(anext(wakes), 5) == REF
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(wakes), 0.2)


async def test_close_leaves_no_task_behind(target: KubernetesTarget) -> None:
    before = asyncio.all_tasks()
    await look(target)
    assert len([task for task in asyncio.all_tasks() if task.get_name().startswith("watch ")]) == 7
    await target.close()
    assert {task for task in asyncio.all_tasks() - before if task.get_name().startswith("watch ")} == set()


async def test_a_namespace_no_policy_names_is_not_watched_any_more(api: FakeApi, target: KubernetesTarget) -> None:
    await look(target)
    target.discover([])
    await auntil(lambda: not [t for t in asyncio.all_tasks() if t.get_name().startswith("watch ")], "no watch runs")


async def test_what_stands_between_is_watched_only_as_long_as_a_policy_needs_it(
    api: FakeApi, target: KubernetesTarget
) -> None:
    def watched() -> set[str]:
        return {task.get_name().removeprefix("watch ") for task in asyncio.all_tasks()} & {"replicasets", "pods"}

    await look(target)
    db = WorkloadRef("kubernetes", "shop", "StatefulSet", "db")
    sets = Policy(name="db", target=TargetSpec(kubernetes=Named(namespace="shop", name="db", kind="StatefulSet")))
    target.discover([POLICY, sets])
    await target.states([REF, db])
    assert watched() == {"replicasets", "pods"}
    target.discover([sets])
    await auntil(lambda: watched() == {"pods"}, "no ReplicaSet is watched")
    target.discover([POLICY, sets])
    assert [each.name for each in (await look(target)).instances] == ["web-a", "web-b"], "and its pods are known again"
