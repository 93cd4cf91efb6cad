"""Each real part really starts and answers."""

from __future__ import annotations

import time

import pytest

from tests.parts.cluster import CORE, Answered, Hand
from tests.parts.fixtures import ComposeStack
from tests.parts.kubernetes import ControlPlane
from tests.parts.prometheus import PrometheusMaker
from tests.support.load import SteadyLoad, wrk
from tests.support.wait import until


@pytest.mark.docker
@pytest.mark.parametrize("compose", ["v2", "v1"], indirect=True)
def test_the_stack_serves_and_leaves_nothing(compose_stack: ComposeStack) -> None:
    stack = compose_stack()
    stack.begin(replicas=1)
    assert stack.replicas() == 1
    assert stack.containers("app")[0] in stack.ps()

    stack.up("--scale", "app=2", "--no-recreate")
    stack.settled(2)
    assert stack.replicas() == 2

    stack.down()
    assert stack.leavings() == []


@pytest.mark.docker
def test_a_second_copy_doubles_what_gets_through(compose_stack: ComposeStack) -> None:
    stack = compose_stack()
    stack.begin(replicas=1)
    one = wrk(stack.lb_url, seconds=4)
    stack.up("--scale", "app=2", "--no-recreate")
    stack.settled(2)
    two = wrk(stack.lb_url, seconds=4)
    print(f"one copy {one.rps:.0f} requests/s, two {two.rps:.0f}")
    assert (one.failed, two.failed) == (0, 0)
    assert two.rps > 1.5 * one.rps
    until(lambda: (stack.query('sum(http_requests_total{job="app"})') or 0) >= two.requests, "requests are counted")


@pytest.mark.docker
def test_a_sick_copy_is_seen_and_a_stop_loses_nothing(compose_stack: ComposeStack) -> None:
    stack = compose_stack()
    stack.begin(replicas=2)
    first, second = stack.containers("app")
    with SteadyLoad(stack.lb_url, clients=4, every=0.01) as load:
        stack.engine.docker("exec", first, "wget", "-q", "-O", "-", "http://127.0.0.1:8000/sick")
        health = ("inspect", "--format", "{{.State.Health.Status}}", first)
        until(lambda: stack.engine.docker(*health) == "unhealthy", "the engine calls it unhealthy")
        stack.engine.docker("stop", first)
        until(lambda: load.sent > 50, "load goes through")
    assert load.failed == {}
    assert stack.containers("app") == [second]


@pytest.mark.prometheus
def test_prometheus_scrapes_and_keeps_its_data_over_a_restart(prometheus_server: PrometheusMaker) -> None:
    watched = prometheus_server()
    server = prometheus_server(scrape={"other": [watched.url.removeprefix("http://")]})
    up = 'up{job="other"}'
    until(lambda: server.value(up) == 1, "the target is scraped")
    began = time.time()

    watched.stop()
    until(lambda: server.value(up) == 0, "the target is gone")
    server.stop()
    server.start()
    assert server.value(up, at=began) == 1


@pytest.mark.prometheus
def test_prometheus_serves_recorded_samples(prometheus_server: PrometheusMaker) -> None:
    samples = "".join(f"requests_total {10 * n} {1_700_000_000 + 15 * n}\n" for n in range(40))
    server = prometheus_server(openmetrics=f"# TYPE requests counter\n{samples}# EOF\n")
    rate = server.value("rate(requests_total[1m])", at=1_700_000_300)
    assert rate == pytest.approx(10 / 15)


@pytest.mark.kubernetes
def test_the_control_plane_runs_a_deployment_and_keeps_it_over_a_restart(control_plane: ControlPlane) -> None:
    control_plane.namespace("parts")
    with control_plane.node.away():
        control_plane.deployment("parts", "web", 2)
        until(lambda: len(control_plane.pods("parts", "web")) == 2, "two pods exist")
        assert control_plane.ready("parts", "web") == 0
    until(lambda: control_plane.ready("parts", "web") == 2, "both are ready")
    control_plane.restart_api()
    control_plane.scale("parts", "web", 3)
    until(lambda: control_plane.ready("parts", "web") == 3, "a third one is ready")
    assert control_plane.replicas("parts", "web") == 3


@pytest.mark.kubernetes
def test_a_service_account_has_exactly_its_rights(control_plane: ControlPlane) -> None:
    control_plane.namespace("rights")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    token = control_plane.granted("rights", "reader", rules)
    reader = Hand(control_plane.url, control_plane.ca, token)
    assert reader("GET", f"{CORE}/rights/pods")["items"] == []
    with pytest.raises(Answered, match="forbidden"):
        reader("GET", f"{CORE}/rights/serviceaccounts")
    assert control_plane.refused("rights", "reader") == ["list /api/v1/namespaces/rights/serviceaccounts"]
