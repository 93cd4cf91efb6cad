"""The text of a first policy and of its test: short, loads as it is meant, and passes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.backtest.differences import report
from autoscaler.backtest.scenario import judged
from autoscaler.backtest.scenario_load import suite
from autoscaler.errors import UsageError
from autoscaler.model.policy import Algorithm, Capacity, Mode, Policy
from autoscaler.model.target import WorkloadRef
from autoscaler.policy.lint import lint
from autoscaler.policy.load import load
from autoscaler.policy.nodes import documents
from autoscaler.start.choose import Told, by_cpu, by_requests, chosen_fit, file_name, nothing_fits, target
from autoscaler.start.fit import Fit, Series, Shape, fits
from autoscaler.start.found import Measured, Workload, parsed, shown
from autoscaler.start.past import Carried
from autoscaler.start.write import MOST_LINES, Chosen, beside, policy, quoted

WEB = WorkloadRef("compose", "shop", "service", "web")
CHECKOUT = WorkloadRef("kubernetes", "prod", "Deployment", "checkout")
HAPROXY = [
    Series("haproxy_backend_sessions_total", {"proxy": "web"}),
    Series("haproxy_backend_http_responses_total", {"proxy": "web"}),
    Series("haproxy_backend_active_servers", {"proxy": "web"}),
]
INGRESS = [Series("nginx_ingress_controller_requests", {"namespace": "prod", "service": "checkout"})]
CARRIED = Carried(per_replica=57.0, because="the most that one carried in the last 7d, 2026-11-20T14:05Z", needs=3)


def fit_of(ref: WorkloadRef, there: list[Series]) -> Fit:
    (fit,) = fits([ref], there)[ref.key]
    return fit


def made(
    ref: WorkloadRef = WEB, there: list[Series] = HAPROXY, carried: Carried | None = CARRIED, **told: object
) -> Chosen:
    measured = Measured(shape=Shape(changes=9, resets=0), window="1m", carried=carried)
    return by_requests(Workload(ref, 2), Told(**told), fit_of(ref, there), measured)  # type: ignore[arg-type]


def loaded(text: str) -> Policy:
    (placed,) = load([("web.yaml", text)], "r").placed
    return placed.policy


def failures(chosen: Chosen, folder: Path) -> list[str]:
    """What its own test finds wrong with it."""
    (folder / "web.yaml").write_text(policy(chosen))
    (folder / "web.test.yaml").write_text(beside(chosen, "web.yaml"))
    verdicts = judged(suite([folder / "web.test.yaml"], policies=[str(folder)], cycle_s=15.0))
    assert len(verdicts.tests) == 2
    return [line for each in verdicts.tests if not each.passed for line in report(each)]


def test_what_is_answered_beside_what_comes_makes_it_adaptive() -> None:
    text = policy(made())
    assert (
        text
        == """\
name: web  # written by autoscaler init, yours to edit: docs/policies.md
target: {compose: {project: shop, service: web}}
replicas: {min: 2, max: 6}
algorithm: adaptive  # the plain rule until it has seen what a replica carries
signals:
  - name: requests  # HAProxy: counted in front of it as requests come, so it goes on rising when replicas are full
    prometheus: sum(rate(haproxy_backend_sessions_total{proxy="web"}[1m]))
    per_replica: 57  # the most that one carried in the last 7d, 2026-11-20T14:05Z
    capacity: learn
    served: answered
  - {name: answered, prometheus: 'sum(rate(haproxy_backend_http_responses_total{proxy="web"}[1m]))'}
"""
    )
    policy_of = loaded(text)
    assert policy_of.algorithm is Algorithm.ADAPTIVE
    assert isinstance(policy_of.signals[0].capacity, Capacity)


def test_a_counter_alone_is_followed_by_the_plain_rule() -> None:
    text = policy(made(CHECKOUT, INGRESS))
    told = loaded(text)
    assert told.algorithm is Algorithm.HPA
    assert len(text.splitlines()) == 7
    assert (
        told.signals[0].asks == 'sum(rate(nginx_ingress_controller_requests{namespace="prod", service="checkout"}[1m]))'
    )


def test_a_capacity_that_was_seen_or_is_said_is_written_and_never_below_the_target() -> None:
    seen = Carried(per_replica=35.0, because="70% of 50", capacity=50.0)
    assert loaded(policy(made(carried=seen))).signals[0].capacity == 50.0
    said = loaded(policy(made(CHECKOUT, INGRESS, capacity=40.0)))
    assert (said.algorithm, said.signals[0].capacity, said.signals[0].per_replica) == (Algorithm.ADAPTIVE, 40.0, 28.0)
    with pytest.raises(UsageError, match="at least --per-replica"):
        made(capacity=40.0, per_replica=50.0)


def test_what_little_is_known_of_is_only_watched() -> None:
    thin = Carried(per_replica=5.0, because="the most that one carried", thin="only 6m of it are known")
    assert loaded(policy(made(carried=thin))).mode is Mode.OBSERVE
    assert loaded(policy(made(carried=thin, per_replica=9.0))).mode is Mode.ACT
    assert loaded(policy(made(observe=True))).mode is Mode.OBSERVE
    assert loaded(policy(made())).mode is Mode.ACT


def test_no_policy_is_longer_than_a_new_user_will_read() -> None:
    thin = Carried(per_replica=5.0, because="the most that one carried", capacity=9.0, thin="only 6m of it are known")
    assert len(policy(made(carried=thin)).splitlines()) == MOST_LINES


@pytest.mark.parametrize(
    "chosen",
    [
        made(),
        made(CHECKOUT, INGRESS),
        made(observe=True),
        made(capacity=90.0),
        made(min=3, max=3),
        made(min=20, max=21),
        made(min=20, max=60),
        by_cpu(Workload(CHECKOUT, 1), Told()),
        by_cpu(Workload(WEB, 4), Told(min=4, max=5)),
        by_cpu(Workload(WEB, 4), Told(min=20, max=80)),
        by_cpu(Workload(WEB, 4), Told(min=80, max=800)),
    ],
    ids=lambda chosen: f"{chosen.min}-{chosen.max}-{bool(chosen.query)}",
)
def test_the_test_beside_it_passes(chosen: Chosen, tmp_path: Path) -> None:
    assert failures(chosen, tmp_path) == []


def test_the_test_beside_it_fails_where_the_policy_is_another(tmp_path: Path) -> None:
    chosen = made()
    (tmp_path / "web.yaml").write_text(policy(chosen).replace("per_replica: 57", "per_replica: 30"))
    (tmp_path / "web.test.yaml").write_text(beside(chosen, "web.yaml"))
    verdicts = judged(suite([tmp_path / "web.test.yaml"], policies=[str(tmp_path)], cycle_s=15.0))
    assert verdicts.failed


@settings(max_examples=25, deadline=None)
@given(
    per_replica=st.floats(0.001, 1e6).map(lambda value: float(f"{value:.1e}")),
    least=st.integers(1, 60),
    more=st.integers(0, 60),
)
def test_the_test_beside_it_passes_whatever_the_numbers(
    tmp_path_factory: pytest.TempPathFactory, per_replica: float, least: int, more: int
) -> None:
    chosen = made(per_replica=per_replica, min=least, max=least + more)
    assert failures(chosen, tmp_path_factory.mktemp("numbers")) == []


def test_it_smells_of_nothing_but_a_served_rate_alone() -> None:
    front = lint([("web.yaml", policy(made()))])
    assert front == []
    served = [Series("http_requests_total", {"job": "web"})]
    assert [each.code for each in lint([("web.yaml", policy(made(WEB, served)))])] == ["served_rate_only"]


@pytest.mark.parametrize("name", ["web", "7", "on", "null", "1e3", "a.b", "x: y", "it's", "Überall"])
def test_a_name_is_just_itself_whatever_it_means_in_yaml(name: str) -> None:
    ref = WorkloadRef("compose", name, "service", name)
    chosen = by_cpu(Workload(ref, 1), Told())
    told = loaded(policy(chosen))
    assert told.target.compose is not None
    assert (told.name, told.target.compose.project, told.target.compose.service) == (name, name, name)


def test_a_query_is_just_itself_whatever_is_in_it() -> None:
    for query in ('x{a="b: c"}', 'x{a="b #c"}', 'x{a="it\'s"}', '{a="b"}', "sum(x)"):
        for text in (f"a: {quoted(query)}\n", f"{{a: {quoted(query, flow=True)}}}\n"):
            (node,) = documents("f", text, [])
            assert node.value["a"].value == query  # type: ignore[index,call-overload]


def test_nothing_is_begun_with_where_nothing_came() -> None:
    with pytest.raises(UsageError, match="nothing came that is known for long enough") as error:
        made(carried=None)
    assert "--per-replica" in error.value.hint
    assert loaded(policy(made(carried=None, per_replica=5.0))).signals[0].per_replica == 5.0


@pytest.mark.parametrize(("told", "label"), [("", "../../escaped/x"), ("", "/etc/x"), ("../x", "web"), ("a\0", "web")])
def test_no_name_leads_out_of_the_folder(told: str, label: str) -> None:
    with pytest.raises(UsageError, match="--name: expected a name that a file can have"):
        file_name(told, Workload(WorkloadRef("compose", "shop", "service", label), 2))


def test_files_are_called_as_somebody_says_or_as_the_workload_is() -> None:
    assert (file_name("front", Workload(WEB, 2)), file_name("", Workload(WEB, 2))) == ("front", "web")


def test_where_nothing_fits_it_says_what_was_near_and_what_to_do() -> None:
    lab = WorkloadRef("compose", "lab", "service", "web")
    near = fits([WEB, lab], HAPROXY)[WEB.key]
    said = nothing_fits(WEB, near, "http://prometheus:9090")
    assert "compose/shop/web" in said.message
    assert "haproxy_backend_sessions_total" in said.message
    assert "--metric cpu" in said.hint
    assert "a CPU limit" in said.hint
    nothing = nothing_fits(CHECKOUT, (), "x").hint
    assert "metrics-server" in nothing
    assert "above" not in nothing


def test_a_counter_that_does_not_name_it_is_refused_with_those_that_do() -> None:
    fit = fit_of(WEB, HAPROXY)
    assert chosen_fit("haproxy_backend_sessions_total", WEB, [fit]) is fit
    with pytest.raises(UsageError, match="haproxy_backend_sessions_total"):
        chosen_fit("http_requests_total", WEB, [fit])


def test_bounds_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="--max"):
        made(min=5, max=4)
    assert made(min=50).max == 50
    assert (made(max=1).min, made(max=1).max) == (1, 1)


def test_cpu_has_no_load_of_its_own() -> None:
    with pytest.raises(UsageError, match="--per-replica"):
        by_cpu(Workload(WEB, 1), Told(per_replica=3.0))
    assert policy(by_cpu(Workload(CHECKOUT, 1), Told())).splitlines()[-1].startswith("  - {name: cpu, resource: cpu")


def test_what_somebody_says_of_a_replica_goes_before_the_past() -> None:
    assert target(Told(), CARRIED) is CARRIED
    told = target(Told(per_replica=10.0), CARRIED)
    assert told is not None
    assert (told.per_replica, told.needs, told.thin) == (10.0, 18, "")


@pytest.mark.parametrize("ref", [WEB, CHECKOUT, WorkloadRef("kubernetes", "prod", "StatefulSet", "db")])
def test_a_workload_is_named_as_it_is_shown(ref: WorkloadRef) -> None:
    assert parsed(shown(ref), ()) == ref


def test_a_workload_that_is_there_needs_no_platform_in_its_name() -> None:
    there = [Workload(WEB, 1), Workload(CHECKOUT, 1)]
    assert parsed("shop/web", there) == WEB
    with pytest.raises(UsageError, match="is not there; found: compose/shop/web, kubernetes/prod/checkout"):
        parsed("shop/wep", there)
