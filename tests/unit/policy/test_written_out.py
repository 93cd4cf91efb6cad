"""What a policy means, written out, is the same policy again."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.model.policy import HPA_BEHAVIOR, Behavior, Direction, Legacy, Policy, Rate, Reversals, Select
from autoscaler.policy.defaults import as_yaml, resolved
from autoscaler.policy.load import load
from autoscaler.policy.units import duration, fraction, percent, quantity, seconds
from tests.support.policies import policies
from tests.unit.policy.test_load import SMALLEST, one


def again(policy: Policy) -> Policy:
    (loaded,) = load([("again.yaml", as_yaml(policy))], "r").policies
    return loaded


@given(policies())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_every_policy_survives_being_written_out_and_read_again(policy: Policy) -> None:
    assert again(policy) == policy
    assert again(resolved(policy)) == resolved(policy)
    assert resolved(resolved(policy)) == resolved(policy)


def test_resolved_writes_out_what_the_policy_really_does() -> None:
    written = as_yaml(resolved(one(SMALLEST)))
    for part in (
        "mode: act",
        "combine: max",
        "parity: guarded",
        "stabilization: 5m",
        "tolerance: 10%",
        "empty: missing",
    ):
        assert part in written
    assert resolved(one(SMALLEST)).behavior == HPA_BEHAVIOR


def test_what_is_said_of_speed_is_kept_beside_the_defaults() -> None:
    said = Behavior(up=Direction(select=Select.DISABLED), reversals=Reversals(count=6, per=3600.0))
    policy = one(SMALLEST + "behavior: {up: {select: disabled}, reversals: {count: 6, per: 1h}}\n")
    assert policy.behavior == said
    whole = resolved(policy).behavior
    assert isinstance(whole, Behavior)
    assert whole.reversals == said.reversals
    assert whole.up == Direction(stabilization=0.0, tolerance=0.1, select=Select.DISABLED)
    assert whole.down.rates == (Rate(percent=100, per=15.0),)


def test_legacy_stays_that_word() -> None:
    policy = one(SMALLEST + "behavior: legacy\n")
    assert policy.behavior is Legacy.LEGACY
    assert "behavior: legacy" in as_yaml(resolved(policy))


@settings(deadline=None)
@given(st.floats(min_value=0, max_value=1e12))
def test_units_are_read_back_exactly(number: float) -> None:
    assert seconds(duration(number)) == number
    assert fraction(percent(number)) == number


@settings(deadline=None)
@given(st.integers(0, 10**9), st.sampled_from(["", "m", "k", "Ki", "M", "Mi", "G", "Gi"]))
def test_quantities_are_what_kubernetes_says(count: int, suffix: str) -> None:
    sizes = {"": 1, "k": 1000, "Ki": 1024, "M": 1000**2, "Mi": 1024**2, "G": 1000**3, "Gi": 1024**3}
    expected = count / 1000 if suffix == "m" else count * sizes[suffix]
    assert quantity(f"{count}{suffix}") == float(expected)
