"""Where a rewrite of the HPA goes wrong between a metric and its proposal, one sentence each."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from autoscaler.decide.hpa import average_value, cut, metric, milli, pods, several, value
from autoscaler.decide.hpa.quantity import fraction, within
from autoscaler.model.pod import Container

NOW = 1000.0
BAND = (0.1, 0.1)
NONE = (0.0, 0.0)


def pod(name: str, **fields: object) -> pods.Pod:
    return msgspec.structs.replace(
        pods.Pod(name=name, ready_since=NOW - 3600, started=NOW - 3600, containers=(Container("c", {"cpu": 100}),)),
        **fields,
    )


def sampled(**values: int) -> dict[str, pods.Sample]:
    return {name: pods.Sample(each, NOW) for name, each in values.items()}


def asks(
    samples: Mapping[str, pods.Sample], *listed: pods.Pod, target: int = 100, current: int = 2, **options: object
) -> int:
    made = metric.per_pod(samples, listed, target, current, BAND, NOW, **options)  # type: ignore[arg-type]
    assert isinstance(made, metric.Proposal)
    return made.replicas


# numbers


def test_doubles_are_used_and_not_exact_fractions() -> None:
    assert value(11, 5, 1, 25, NONE) == 56  # 11 / 5 * 25 is 55.00000000000001


def test_both_sides_become_doubles_before_they_are_divided() -> None:
    assert average_value(2**53 + 1, 2**53, 5, NONE) == 1  # the exact quotient would ask for 2


def test_integer_division_cuts_towards_zero() -> None:
    assert [cut(-7, 2), cut(7, 2), cut(7, -2), cut(-7, -2)] == [-3, 3, -3, 3]


def test_a_quantity_finer_than_a_thousandth_is_rounded_away_from_zero() -> None:
    assert [milli(0.0001), milli(-0.0001), milli(1.0001)] == [1, -1, 1001]


def test_noise_of_binary_fractions_is_not_taken_for_something_finer() -> None:
    assert [milli(0.1 + 0.2), milli(1.1 * 3), milli(1e9 + 0.1), milli(5e-17)] == [300, 3300, 1_000_000_000_100, 0]


def test_a_reading_beyond_64_bits_is_the_most_there_is() -> None:
    assert milli(1e300) == 2**63 - 1
    assert value(milli(1e300), 1, 1, 1, NONE) == 2**31 - 1


def test_a_tolerance_in_thousandths_is_multiplied_and_not_divided() -> None:
    assert fraction(9) != 9 / 1000
    assert within(1.0 + fraction(9), (0.0, fraction(9)))


def test_both_edges_of_the_tolerance_are_inside() -> None:
    assert within(0.9, BAND)
    assert within(1.1, BAND)
    assert not within(0.8999999, BAND)


# which count is multiplied


def test_a_total_is_multiplied_by_the_ready_count_and_not_the_current() -> None:
    assert value(200, 100, 10, 3, BAND) == 6


def test_a_total_within_tolerance_keeps_the_current_count_whatever_is_ready() -> None:
    assert value(105, 100, 10, 0, BAND) == 10


def test_no_ready_pod_among_some_asks_for_zero() -> None:
    assert metric.object_value(500, 100, 4, [pod("a", ready="False")], BAND) == metric.Proposal(0, 500)


def test_no_pod_at_all_is_a_failure_unless_the_ratio_is_within_tolerance() -> None:
    assert metric.object_value(500, 100, 4, [], BAND) is pods.Failure.NO_PODS
    assert metric.object_value(105, 100, 4, [], BAND) == metric.Proposal(4, 105)


def test_a_pod_being_deleted_still_counts_as_ready_for_a_total() -> None:
    assert metric.object_value(200, 100, 2, [pod("a"), pod("b", deleting=True)], BAND) == metric.Proposal(4, 200)


def test_an_average_within_tolerance_gives_the_count_that_exists() -> None:
    assert average_value(1000, 100, 10, BAND) == 10
    assert average_value(1050, 100, 10, BAND) == 10
    assert average_value(1200, 100, 10, BAND) == 12


def test_from_zero_there_is_no_tolerance_and_no_pod_is_needed() -> None:
    assert value(105, 100, 0, 0, BAND) == 2
    assert average_value(105, 100, 0, BAND) == 2


def test_ready_pods_are_multiplied_where_every_pod_is_sampled() -> None:
    assert asks(sampled(a=200, b=200, c=200), pod("a"), pod("b"), pod("c"), current=2) == 6


# per pod


def test_the_percentage_is_cut_before_it_is_compared() -> None:
    usage, requested = {"a": 549, "b": 549}, {"a": 1000, "b": 1000}
    assert metric.utilization_ratio(usage, requested, 50) == metric.Ratio(54 / 50, 549, 54)


def test_the_average_is_cut_before_it_is_compared() -> None:
    assert metric.usage_ratio({"a": 100, "b": 101}, 100) == metric.Ratio(1.0, 100)


def test_strangers_count_in_plain_averages_and_not_in_utilizations() -> None:
    assert metric.usage_ratio({"a": 100, "stranger": 300}, 100).average == 200
    ratio = metric.utilization_ratio({"a": 100, "stranger": 300}, {"a": 100}, 100)
    assert isinstance(ratio, metric.Ratio)
    assert ratio.average == 100


def test_readiness_plays_a_part_for_cpu_only() -> None:
    starting = pod("a", ready="False", started=NOW - 10, ready_since=NOW - 10)
    timing = pods.Timing()
    assert pods.groups([starting], sampled(a=1), "cpu", timing, NOW).unready == ("a",)
    assert pods.groups([starting], sampled(a=1), "memory", timing, NOW).ready_count == 1


def test_an_unknown_readiness_is_not_unready() -> None:
    unknown = pod("a", ready="Unknown")
    assert pods.groups([unknown], sampled(a=1), "cpu", pods.Timing(), NOW).ready_count == 1


def test_starting_pods_count_as_idle_upwards_and_are_absent_downwards() -> None:
    starting = pod("b", ready="False", started=NOW - 10, ready_since=NOW - 10)
    assert asks(sampled(a=300, b=900), pod("a"), starting, resource="cpu") == 3
    assert asks(sampled(a=50, b=900), pod("a"), starting, resource="cpu") == 1


def test_a_missing_sample_counts_as_loaded_downwards_and_as_idle_upwards() -> None:
    assert asks(sampled(a=40), pod("a"), pod("b")) == 2  # 40 and 100 on 2 pods
    assert asks(sampled(a=300), pod("a"), pod("b"), current=2) == 3  # 300 and 0


def test_filling_in_never_turns_the_direction_round() -> None:
    assert asks(sampled(a=150), pod("a"), pod("b"), pod("c"), current=3) == 3  # 150, 0, 0 would shrink
    assert asks(sampled(a=300), pod("a"), pod("b"), current=4) == 4  # 3 is up by ratio and down by count


def test_one_dying_pod_without_a_request_fails_a_utilization() -> None:
    dying = pod("b", deleting=True, containers=(Container("c"),))
    made = metric.per_pod(sampled(a=50), [pod("a"), dying], 50, 2, BAND, NOW, resource="cpu", utilization=True)
    assert made is pods.Failure.MISSING_REQUEST


def test_a_source_that_failed_is_not_a_load_of_zero() -> None:
    assert metric.per_pod(None, [pod("a")], 100, 1, BAND, NOW) is pods.Failure.FETCH_FAILED


def test_a_negative_external_average_is_taken_for_an_overflow() -> None:
    assert metric.external_average([-5], 1000, 3, BAND) == metric.Proposal(2**31 - 1, 2**63 - 1)
    assert metric.object_average(-5000, 1000, 3, BAND).replicas == -5


# several metrics


def failing(*replicas: int | None) -> list[metric.Proposal | pods.Failure]:
    return [pods.Failure.FETCH_FAILED if count is None else metric.Proposal(count, 0) for count in replicas]


@pytest.mark.parametrize(
    ("proposals", "desired", "winner"),
    [
        ((3, 5, 5), 5, 1),
        ((0, 0), 0, 1),
        ((0, -4), 0, 1),
        ((None, 4), 4, 1),
        ((None, 5), 5, 1),
        ((None, 3), None, None),
        ((None, None), None, None),
    ],
)
def test_one_failing_metric_blocks_only_the_way_down(
    proposals: tuple[int | None, ...], desired: int | None, winner: int | None
) -> None:
    made = several.largest(failing(*proposals), 4)
    assert (made.desired, made.winner) == (desired, winner)
