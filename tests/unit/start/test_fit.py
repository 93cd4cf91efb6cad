"""Which counters fit which workloads: by name, by labels and by how they move."""

from __future__ import annotations

import re

import pytest

from autoscaler.model.target import WorkloadRef
from autoscaler.policy.promql import Facts, facts
from autoscaler.start.fit import Fit, Series, Shape, fits, labels, names, replicas
from autoscaler.start.table import KNOWN, Where

WEB = WorkloadRef("compose", "shop", "service", "web")
LAB = WorkloadRef("compose", "lab", "service", "web")
API = WorkloadRef("compose", "shop", "service", "web-api")
CHECKOUT = WorkloadRef("kubernetes", "prod", "Deployment", "checkout")
POD = "checkout-7d9f8b6c5-x2k4p"


def series(metric: str, **labels: str) -> Series:
    return Series(metric, labels)


def found(ref: WorkloadRef, *there: Series) -> list[Fit]:
    return list(fits([ref], there)[ref.key])


FITTING = [
    (WEB, series("haproxy_backend_sessions_total", proxy="web"), 'proxy="web"'),
    (WEB, series("haproxy_backend_sessions_total", proxy="shop_web"), 'proxy="shop_web"'),
    (WEB, series("traefik_service_requests_total", service="web@docker"), 'service="web@docker"'),
    (WEB, series("traefik_service_requests_total", service="web-shop@docker"), 'service="web-shop@docker"'),
    (WEB, series("envoy_cluster_upstream_rq_total", envoy_cluster_name="web"), 'envoy_cluster_name="web"'),
    (WEB, series("nginxplus_upstream_server_requests", upstream="web"), 'upstream="web"'),
    (WEB, series("http_requests_total", job="web", instance="a:80"), 'job="web"'),
    (WEB, series("http_server_requests_seconds_count", service="web"), 'service="web"'),
    (WEB, series("gunicorn_requests", job="shop-web"), 'job="shop-web"'),
    (WEB, series("shop_gunicorn_requests", app="web"), 'app="web"'),
    (WEB, series("acme_http_requests_total", job="web"), 'job="web"'),
    (
        CHECKOUT,
        series("nginx_ingress_controller_requests", exported_namespace="prod", exported_service="checkout"),
        'exported_namespace="prod", exported_service="checkout"',
    ),
    (
        CHECKOUT,
        series("nginx_ingress_controller_requests", namespace="prod", ingress="checkout"),
        'namespace="prod", ingress="checkout"',
    ),
    (
        CHECKOUT,
        series(
            "istio_requests_total",
            destination_workload_namespace="prod",
            destination_workload="checkout",
            reporter="destination",
        ),
        'destination_workload_namespace="prod", destination_workload="checkout", reporter="destination"',
    ),
    (
        CHECKOUT,
        series("request_total", namespace="prod", deployment="checkout", direction="inbound"),
        'namespace="prod", deployment="checkout", direction="inbound"',
    ),
    (
        CHECKOUT,
        series("traefik_service_requests_total", service="prod-checkout-80@kubernetes"),
        'service="prod-checkout-80@kubernetes"',
    ),
    (
        CHECKOUT,
        series("envoy_cluster_upstream_rq_total", envoy_cluster_name="outbound|80||checkout.prod.svc.cluster.local"),
        'envoy_cluster_name="outbound|80||checkout.prod.svc.cluster.local"',
    ),
    (CHECKOUT, series("http_requests_total", namespace="prod", app="checkout"), 'namespace="prod", app="checkout"'),
    (CHECKOUT, series("http_requests_total", job="prod/checkout"), 'job="prod/checkout"'),
]


@pytest.mark.parametrize(("ref", "there", "matchers"), FITTING)
def test_a_well_known_counter_whose_labels_name_the_workload_fits(
    ref: WorkloadRef, there: Series, matchers: str
) -> None:
    (fit,) = found(ref, there)
    assert fit.rate("1m") == f"sum(rate({there.metric}{{{matchers}}}[1m]))"
    assert isinstance(facts(fit.rate("1m")), Facts)
    assert fit.known.where.why in fit.because


@pytest.mark.parametrize(
    ("ref", "there"),
    [
        (WEB, series("haproxy_backend_sessions_total", proxy="web-api")),
        (WEB, series("haproxy_backend_sessions_total")),
        (WEB, series("haproxy_backend_current_sessions", proxy="web")),  # a gauge
        (WEB, series("http_requests_total", job="front")),
        (WEB, series("http_requests_in_flight", job="web")),
        (WEB, series("prometheus_http_requests_total", job="web")),
        (WEB, series("http_client_requests_total", job="web")),
        (WEB, series("autoscaler_http_requests_total", job="web")),
        (CHECKOUT, series("http_requests_total", job="checkout")),  # of which namespace?
        (CHECKOUT, series("http_requests_total", namespace="test", app="checkout")),
        (CHECKOUT, series("http_requests_total", namespace="prod", pod="checkout-api-7d9f8b6c5-x2k4p")),
        (
            CHECKOUT,
            series(
                "istio_requests_total",
                destination_workload_namespace="prod",
                destination_workload="checkout",
                reporter="source",
            ),
        ),
        (CHECKOUT, series("traefik_service_requests_total", service="prod-checkout-api-80@kubernetes")),
    ],
)
def test_what_does_not_name_the_workload_or_counts_something_else_does_not_fit(ref: WorkloadRef, there: Series) -> None:
    assert found(ref, there) == []


def test_pods_that_come_and_go_are_matched_by_their_names_and_not_listed() -> None:
    (fit,) = found(CHECKOUT, series("http_requests_total", namespace="prod", pod=POD))
    label, operator, pattern = fit.matchers[1]
    assert (label, operator) == ("pod", "=~")
    assert re.fullmatch(pattern, "checkout-6c5d4f7b8c-zz9kp")
    assert not re.fullmatch(pattern, "checkout-api-7d9f8b6c5-x2k4p")


def test_several_values_of_a_label_that_lasts_are_all_meant() -> None:
    there = [
        series("traefik_service_requests_total", service=f"prod-checkout-{port}@kubernetes") for port in ("80", "81")
    ]
    (fit,) = found(CHECKOUT, *there)
    ((label, operator, pattern),) = fit.matchers
    assert (label, operator) == ("service", "=~")
    assert all(re.fullmatch(pattern, each.labels["service"]) for each in there)
    assert isinstance(facts(fit.rate("1m")), Facts)


def test_what_is_counted_in_front_as_it_comes_is_best_and_what_is_known_by_name_only_is_last() -> None:
    there = [
        series("acme_requests_total", job="web"),
        series("http_requests_total", job="web"),
        series("traefik_service_requests_total", service="web@docker"),
        series("grpc_server_started_total", job="web"),
        series("haproxy_backend_sessions_total", proxy="web"),
    ]
    told = found(WEB, *there)
    assert [each.metric for each in told] == [each.metric for each in reversed(there)]
    assert [each.known.where for each in told] == sorted(each.known.where for each in told)


def test_the_way_that_names_the_project_too_goes_before_one_that_does_not() -> None:
    vague = series("http_requests_total", job="web")
    exact = series("http_requests_total", job="x", compose_project="shop", compose_service="web")
    (fit,) = found(WEB, vague, exact)
    assert fit.matchers == (("compose_project", "=", "shop"), ("compose_service", "=", "web"))


def test_labels_that_name_two_workloads_are_said_to_and_come_last() -> None:
    there = [
        series("haproxy_backend_sessions_total", proxy="web"),
        series("http_requests_total", project="shop", service="web"),
    ]
    told = fits([WEB, LAB, API], there)
    assert [(each.metric, each.also) for each in told[WEB.key]] == [
        ("http_requests_total", ()),
        ("haproxy_backend_sessions_total", (LAB.key,)),
    ]
    assert LAB.key in told[WEB.key][1].because
    assert told[API.key] == ()


def test_what_is_answered_and_who_serves_is_found_beside_it_where_it_is_there() -> None:
    load = series("haproxy_backend_sessions_total", proxy="web")
    (alone,) = found(WEB, load)
    assert (alone.served, alone.counted()) == ("", "")
    others = [
        series("haproxy_backend_http_responses_total", proxy="web"),
        series("haproxy_backend_active_servers", proxy="other"),
    ]
    (fit,) = found(WEB, load, *others)
    assert fit.rate("1m", fit.served) == 'sum(rate(haproxy_backend_http_responses_total{proxy="web"}[1m]))'
    assert fit.counted() == ""
    (fit,) = found(WEB, load, *others, series("haproxy_backend_active_servers", proxy="web"))
    assert fit.counted() == 'max(haproxy_backend_active_servers{proxy="web"})'


def test_instances_that_each_have_their_series_are_counted_by_them() -> None:
    (fit,) = found(WEB, series("http_requests_total", job="web"))
    assert fit.counted() == 'count(count by (instance) (http_requests_total{job="web"}))'


def test_the_counts_of_a_cluster_are_those_of_this_very_deployment() -> None:
    gauge = "kube_deployment_status_replicas_ready"
    other = series(gauge, namespace="test", deployment="checkout")
    assert replicas(CHECKOUT, [other]) == ""
    told = replicas(CHECKOUT, [other, series(gauge, namespace="prod", deployment="checkout")])
    assert told == f'max({gauge}{{namespace="prod", deployment="checkout"}})'
    assert replicas(WEB, [series(gauge, namespace="shop", deployment="web")]) == ""


@pytest.mark.parametrize(
    ("shape", "wrong"),
    [
        (Shape(changes=0, resets=0), False),  # nothing happens: it may be one
        (Shape(changes=240, resets=1), False),  # a restart
        (Shape(changes=240, resets=120), True),  # as often down as up: a gauge
        (Shape(changes=120, resets=17), True),  # a gauge that falls to zero every few minutes
        (Shape(changes=4, resets=2), False),  # hardly used, and deployed twice
    ],
)
def test_what_falls_as_often_as_it_rises_is_no_counter(shape: Shape, wrong: bool) -> None:
    assert bool(shape.wrong) is wrong


@pytest.mark.parametrize(("interval", "window"), [(None, 60), (1, 60), (15.2, 60), (20, 90), (30, 120), (60, 240)])
def test_the_window_holds_four_scrapes_and_is_no_shorter_than_a_minute(interval: float | None, window: float) -> None:
    assert Shape(changes=1, resets=0, interval_s=interval).window_s == window


def test_every_counter_of_the_table_can_be_found_and_says_where_it_is_counted() -> None:
    asked = re.compile(names())
    for known in KNOWN:
        assert known.compose or known.kubernetes
        assert known.where.why
        for way in (*known.compose, *known.kubernetes):
            assert {label.name for label in way} <= set(labels())
        for name in filter(None, (known.served, known.ready)):
            assert asked.fullmatch(name)
    assert all(each.why for each in Where)
