"""Lint: what smells is found, what is near it is not, and a silence needs a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoscaler.policy.lint import CODES, OF_SILENCES, lint
from autoscaler.store.policy_files import read

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "lint.md").read_text()
HEAD = "name: web\ntarget: {compose: {project: shop, service: web}}\nreplicas: {max: 9}\n"


def codes(text: str, *, scrape_s: float = 15.0, receives: bool = True) -> list[str]:
    return [each.code for each in lint([("web.yaml", text)], scrape_s=scrape_s, receives=receives)]


def of(signal: str) -> list[str]:
    return codes(f"{HEAD}signals:\n  - {{name: s, {signal}}}\n")


def examples(code: str) -> tuple[str, str]:
    section = PAGE.split(f"## {code}\n")[1].split("\n## ")[0]
    first, second = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    return first, second


def test_every_code_has_a_section_with_two_examples() -> None:
    assert tuple(re.findall(r"^## (.*)$", PAGE, re.MULTILINE)) == CODES
    for code in OF_SILENCES:
        assert f"`{code}`" in PAGE


@pytest.mark.parametrize("code", CODES)
def test_the_first_example_is_flagged_and_the_second_is_not(code: str) -> None:
    for flagged, example in zip((True, False), examples(code), strict=True):
        whole = f"{HEAD}signals: [{{name: s, prometheus: sum(x), per_replica: 1}}]\n---\n{example}"
        text = whole if code == "unused_defaults" else HEAD + example
        assert (code in codes(text, receives=False)) is flagged
        if not flagged:
            assert codes(text) == []


@pytest.mark.parametrize(
    ("signal", "found"),
    [
        # nan_unsaid
        ("prometheus: 'histogram_quantile(0.9, rate(a_bucket[5m]))', value: 1, at_most: 3", ["nan_unsaid"]),
        ("prometheus: sum(a) / 2, per_replica: 1", []),
        ("prometheus: sum(a) / (2), per_replica: 1", []),
        ("prometheus: sum(a) % sum(b), per_replica: 1", ["nan_unsaid"]),
        ("prometheus: sum(a) * sum(b), per_replica: 1", []),
        ("prometheus: sum(a) / sum(b), per_replica: 1, nan: ignore", ["doubt_waived"]),
        # short_window
        ("prometheus: 'sum(rate(a[59s]))', per_replica: 1", ["short_window"]),
        ("prometheus: 'max_over_time(sum(rate(a[1m]))[30s:15s])', per_replica: 1", []),
        ("prometheus: 'sum(rate(a[5m])) + sum(rate(b[15s]))', per_replica: 1", ["short_window"]),
        # value
        ("prometheus: 'avg(request_duration_seconds)', value: 300ms", ["value_on_latency"]),
        ("prometheus: 'sum(rate(http_seconds_sum[1m]))', value: 300ms", ["value_on_latency"]),
        ("prometheus: 'avg(queue_length)', value: 3", []),
        ("prometheus: 'avg(jvm_heap_used)', value: 3, at_most: 4", ["value_on_memory"]),
        ("prometheus: 'avg(jvm_heap_used)', utilization: 70%", []),
        ("scrape: {metric: process_resident_memory_bytes, as: gauge, port: 1}, value: 3", ["value_on_memory"]),
        ("resource: memory, utilization: 70%", []),
        # served_rate_only
        ("scrape: {metric: http_requests_total, as: rate, port: 1}, per_replica: 1", ["served_rate_only"]),
        ("scrape: {metric: http_requests, as: gauge, port: 1}, per_replica: 1", []),
        ("push: {match: http_requests_total, as: rate}, per_replica: 1", ["served_rate_only"]),
        ("push: {match: haproxy_http_requests_total, as: rate}, per_replica: 1", []),
        ("push: {match: queue_length, as: gauge}, per_replica: 1", []),
        ("push: {match: 'request_latency{a=\"b\"}', as: gauge}, value: 1", ["value_on_latency"]),
        ("prometheus: 'sum(rate(haproxy_http_requests_total[1m]))', per_replica: 1", []),
        ("prometheus: 'sum(increase(grpc_server_handled_total[1m]))', per_replica: 1", ["served_rate_only"]),
        ("prometheus: 'sum(rate(orders_total[1m]))', per_replica: 1", []),
        # doubt_waived
        ("prometheus: sum(a), per_replica: 1, empty: ignore", ["doubt_waived"]),
        ("prometheus: sum(a), per_replica: 1, empty: {zero_if: up}", ["doubt_waived"]),
        ("prometheus: sum(a), per_replica: 1, empty: 0, nan: 0", ["doubt_waived", "doubt_waived"]),
        ("prometheus: sum(a), per_replica: 1, empty: missing, nan: missing, at_most: 3", []),
        # ages
        ("prometheus: 'sum(', per_replica: 1", ["age_unknown", "promql_unparsable"]),
        ("prometheus: sum(a), per_replica: 1, empty: {zero_if: 'sum('}", ["doubt_waived", "promql_unparsable"]),
        ("prometheus: time(), per_replica: 1", ["age_unknown"]),
        ("prometheus: 'a{job=\"{service}\"}', per_replica: 1", []),
        # asked_alone
        ('prometheus: \'sum(a{job="{service}"}) / 2 + sum(b{job="{service}", c!="d"})\', per_replica: 1', []),
        ("prometheus: 'a{job=~\"{service}\"}', per_replica: 1", ["asked_alone"]),
        ('prometheus: \'a{job="k", pod=~"{service}.*"}\', per_replica: 1', ["asked_alone"]),
        ("prometheus: 'a{job=\"{service}\"} + sum(b)', per_replica: 1", ["asked_alone"]),
        ("prometheus: 'topk(1, a{job=\"{service}\"})', per_replica: 1", ["asked_alone"]),
        ("prometheus: 'topk(1, a{job=\"web\"})', per_replica: 1", []),
        (
            "prometheus: sum(a), per_replica: 1, empty: {zero_if: 'absent(b{job=\"{service}\"})'}",
            ["asked_alone", "doubt_waived"],
        ),
    ],
)
def test_what_smells_is_found_and_what_is_near_it_is_not(signal: str, found: list[str]) -> None:
    assert sorted(of(signal)) == found


def test_windows_are_measured_by_the_scrape_interval_of_the_settings() -> None:
    text = f"{HEAD}signals: [{{name: s, prometheus: 'sum(rate(a[1m]))', per_replica: 1}}]\n"
    assert codes(text, scrape_s=15.0) == []
    assert codes(text, scrape_s=30.0) == ["short_window"]


def test_a_finding_tells_its_place_and_a_way_out() -> None:
    (found,) = lint([("web.yaml", f"{HEAD}signals:\n  - {{name: s, prometheus: sum(a), per_replica: 1, empty: 0}}\n")])
    assert str(found) == (
        "web.yaml:5:58: signals[0].empty: empty: 0 waives doubt: a query that finds nothing counts as no load, so this "
        "may shrink [doubt_waived]\n  hint: keep it only where that is really what it means"
    )


def test_a_query_that_is_asked_alone_is_told_why() -> None:
    (found,) = lint([("web.yaml", f"{HEAD}signals: [{{name: s, prometheus: 'a{{j=~\"{{service}}\"}}', value: 1}}]\n")])
    assert (
        "each workload's query is asked by itself: no label is matched by = with the same value in every selector"
        in str(found)
    )
    half = 'a{j="k", i=~"{service}.*"}'
    (found,) = lint([("web.yaml", f"{HEAD}signals: [{{name: s, prometheus: '{half}', value: 1}}]\n")])
    assert "not all that stands for the workload is matched by = in every selector" in str(found)


def test_what_policies_inherit_is_found_once_where_it_stands() -> None:
    defaults = "kind: defaults\nsignals: [{name: s, prometheus: sum(a), per_replica: 1, empty: 0}]\n"
    second = HEAD.replace("name: web", "name: api").replace("service: web", "service: api")
    found = lint([("all.yaml", defaults), ("a.yaml", HEAD), ("b.yaml", second)])
    assert [(each.file, each.line, each.code) for each in found] == [("all.yaml", 2, "doubt_waived")]


SMELLS = "  - {name: s, prometheus: 'sum(rate(a[10s]))', per_replica: 1, empty: 0}"


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([f"{SMELLS}  # lint: ignore doubt_waived, short_window because it is a queue"], []),
        (["  # lint: ignore doubt_waived short_window because it is a queue", SMELLS], []),
        (["  # lint: ignore doubt_waived because it is", "  # lint: ignore short_window because so", SMELLS], []),
        (["  # lint: ignore doubt_waived because it is a queue", "  # that is all", SMELLS], ["short_window"]),
        (["  # lint: ignore doubt_waived", SMELLS], ["doubt_waived", "short_window", "silence_without_reason"]),
        (["  # lint: ignore doubt_waived because", SMELLS], ["doubt_waived", "short_window", "silence_without_reason"]),
        (["  # lint: ignore because I say so", SMELLS], ["doubt_waived", "short_window", "silence_of_unknown"]),
        (["  # lint: ignore nan_unsaid because no", SMELLS], ["doubt_waived", "short_window", "silence_unused"]),
        (["  # lint: ignore everything because no", SMELLS], ["doubt_waived", "short_window", "silence_of_unknown"]),
        (["  # lint: ignore silence_unused because x", SMELLS], ["doubt_waived", "short_window", "silence_of_unknown"]),
        (
            [SMELLS, "  # lint: ignore doubt_waived because too late"],
            ["doubt_waived", "short_window", "silence_unused"],
        ),
        (["  - {name: t, prometheus: b, per_replica: 1}  # lint: ignore doubt_waived because above", SMELLS],
         ["doubt_waived", "short_window", "silence_unused"]),
    ],
)  # fmt: skip
def test_a_silence_is_for_its_line_and_needs_a_reason(lines: list[str], found: list[str]) -> None:
    assert sorted(codes(HEAD + "signals:\n" + "\n".join(lines) + "\n")) == found


def test_the_policies_we_ship_do_not_smell() -> None:
    assert lint(read([ROOT / "policies"])) == []
    assert lint(read([ROOT / "docs" / "examples"])) == []
