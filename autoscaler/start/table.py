"""Counters of requests that are well known: names, where they are counted, and the labels by which they name whom.

Plain data. A pattern is a regular expression in which `{name}` and `{namespace}` (the compose project, too) stand for
the workload; ways come in the order of trust. What is not here is not looked for.
"""

from __future__ import annotations

import enum
import re

import msgspec

from autoscaler.policy.importers.queries import POD_NAMES


class Where(enum.IntEnum):
    """Where requests are counted; the lower the better a load it is."""

    FRONT_COMING = 0
    COMING = 1
    FRONT_ANSWERED = 2
    ANSWERED = 3
    BY_NAME = 4

    @property
    def why(self) -> str:
        """What that means, in words."""
        return _WHY[self]


_WHY = {
    Where.FRONT_COMING: "counted in front of it as requests come, so it goes on rising when replicas are full",
    Where.COMING: "counted by itself as requests come, so it goes on rising while it can take them",
    Where.FRONT_ANSWERED: "counted in front of it once they are answered",
    Where.ANSWERED: "counted by itself once they are answered, so it stops rising when replicas are full",
    Where.BY_NAME: "known by the shape of its name only, taken for what it has answered",
}


class Label(msgspec.Struct, frozen=True):
    """A label and what it must be. One that is `passing` has another value with each instance."""

    name: str
    pattern: str
    passing: bool = False


Way = tuple[Label, ...]


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """One counter. `metric` is its name, or a pattern of names.

    `compose` and `kubernetes` are the ways in which its series name a workload there, `beside` further matchers.
    `served` is a counter with the same labels of what is answered, errors included; `ready` a gauge with the same
    labels of how many instances serve; `each` says that every instance has series of its own.
    """

    what: str
    metric: str
    where: Where
    compose: tuple[Way, ...] = ()
    kubernetes: tuple[Way, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    served: str = ""
    ready: str = ""
    each: bool = False


def _one(label: str, pattern: str) -> Way:
    return (Label(label, pattern),)


NAMESPACES = ("namespace", "kubernetes_namespace", "exported_namespace")
POD = POD_NAMES["Deployment"]

_COMPOSE: tuple[Way, ...] = (
    (
        Label("container_label_com_docker_compose_project", "{namespace}"),
        Label("container_label_com_docker_compose_service", "{name}"),
    ),
    (Label("compose_project", "{namespace}"), Label("compose_service", "{name}")),
    (Label("project", "{namespace}"), Label("service", "{name}")),
    _one("compose_service", "{name}"),
    _one("service", "{name}"),
    _one("job", "(?:{namespace}[-_/])?{name}"),
    _one("app", "{name}"),
)
_KUBERNETES: tuple[Way, ...] = (
    *(
        (Label(namespace, "{namespace}"), Label(label, "{name}"))
        for label in ("deployment", "workload", "app", "app_kubernetes_io_name", "service", "job")
        for namespace in NAMESPACES
    ),
    _one("job", "{namespace}/{name}"),
    *((Label(namespace, "{namespace}"), Label("pod", POD, passing=True)) for namespace in NAMESPACES),
)


def _itself(what: str, metric: str, where: Where = Where.ANSWERED, *, served: str = "", each: bool = True) -> Known:
    """A counter of the service itself."""
    return Known(
        what=what, metric=metric, where=where, compose=_COMPOSE, kubernetes=_KUBERNETES, served=served, each=each
    )


KNOWN: tuple[Known, ...] = (
    Known(
        what="HAProxy",
        # A backend's http_requests_total is counted with the answer; its sessions are when a request is given to it.
        metric="haproxy_backend_sessions_total",
        where=Where.FRONT_COMING,
        compose=(_one("proxy", "(?:{namespace}[-_])?{name}"),),
        kubernetes=(_one("proxy", "{namespace}[-_/](?:svc[-_])?{name}(?:[-_](?:[0-9]+|https?))?"),),
        served="haproxy_backend_http_responses_total",
        ready="haproxy_backend_active_servers",
    ),
    Known(
        what="Envoy",
        metric="envoy_cluster_upstream_rq_total",
        where=Where.FRONT_COMING,
        compose=(_one("envoy_cluster_name", "(?:{namespace}[-_])?{name}"),),
        kubernetes=(
            _one("envoy_cluster_name", "{namespace}[-_/]{name}(?:[-_/][0-9]+)?"),
            _one("envoy_cluster_name", r"outbound\|[0-9]+\|[^|]*\|{name}\.{namespace}\.svc\.cluster\.local"),
        ),
        served="envoy_cluster_upstream_rq_completed",
        ready="envoy_cluster_membership_healthy",
    ),
    Known(
        what="Linkerd",
        metric="request_total",
        where=Where.FRONT_COMING,
        kubernetes=((Label("namespace", "{namespace}"), Label("deployment", "{name}")),),
        beside=(("direction", "inbound"),),
        served="response_total",
        each=True,
    ),
    Known(
        what="Istio",
        metric="istio_requests_total",
        where=Where.FRONT_ANSWERED,
        kubernetes=((Label("destination_workload_namespace", "{namespace}"), Label("destination_workload", "{name}")),),
        beside=(("reporter", "destination"),),
    ),
    Known(
        what="Traefik",
        metric="traefik_service_requests_total",
        where=Where.FRONT_ANSWERED,
        compose=(_one("service", "{name}(?:-{namespace})?@(?:docker|file)"),),
        kubernetes=(_one("service", "{namespace}-{name}-(?:[0-9]+|https?|web)@kubernetes"),),
    ),
    Known(
        what="ingress-nginx",
        metric="nginx_ingress_controller_requests",
        where=Where.FRONT_ANSWERED,
        kubernetes=tuple(
            (Label(f"{exported}namespace", "{namespace}"), Label(f"{named}", "{name}"))
            for exported, named in (
                ("exported_", "exported_service"),
                ("", "service"),
                ("exported_", "ingress"),
                ("", "ingress"),
            )
        ),
    ),
    Known(
        what="NGINX Plus",
        metric="nginxplus_upstream_server_requests",
        where=Where.FRONT_COMING,
        compose=(_one("upstream", "(?:{namespace}[-_])?{name}"),),
        kubernetes=(_one("upstream", "{namespace}-{name}(?:-[0-9]+)?"),),
    ),
    _itself("gRPC", "grpc_server_started_total", Where.COMING, served="grpc_server_handled_total"),
    _itself(
        "Django",
        "django_http_requests_before_middlewares_total",
        Where.COMING,
        served="django_http_responses_before_middlewares_total",
    ),
    _itself("nginx", "nginx_http_requests_total", Where.COMING, each=False),
    _itself("gunicorn", "(?:[a-z0-9]+_)?gunicorn_requests(?:_total)?", each=False),  # by a statsd exporter
    _itself("Spring", "http_server_requests_seconds_count"),
    _itself("OpenTelemetry", "http_server_request_duration_seconds_count"),
    _itself("OpenTelemetry", "http_server_duration_milliseconds_count"),
    _itself("Flask", "flask_http_request_total"),
    _itself("Starlette", "starlette_requests_total"),
    _itself("its own", "http_requests_total"),
    _itself("its own", "http_request_duration_seconds_count"),
    _itself("its own", "[a-z0-9_]+_requests_total", Where.BY_NAME),
    _itself("its own", "[a-z0-9_]+_request_duration_seconds_count", Where.BY_NAME),
)

# Names that end like a counter of requests and count something else: calls that a service makes, and Prometheus' own.
OTHERS = re.compile(
    r"(^|_)(client|outgoing|upstream|apiserver|prometheus|promhttp|alertmanager|grafana|autoscaler|haproxy|envoy)(_|$)"
)

# How many replicas there were, as kube-state-metrics tells it, by kind: the gauge and the label with the name.
READY = {
    "Deployment": ("kube_deployment_status_replicas_ready", "deployment"),
    "StatefulSet": ("kube_statefulset_status_replicas_ready", "statefulset"),
}
