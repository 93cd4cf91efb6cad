"""Where a rewrite of the HPA goes wrong in a whole pass, one sentence each."""

from __future__ import annotations

from autoscaler.decide.hpa import Behavior, Event, History, Recommendation, passes, several

NOW = 1000.0
NO_PAST = History(())
SPEC = passes.Spec(2, 10, Behavior(), (several.Metric(several.Kind.EXTERNAL, several.Goal.AVERAGE_VALUE, 1000),))
TOLD = {passes.LIMITED: passes.Condition(True, "ScaleUpLimit", 1.0)}


def one_pass(count: int, load: int, *, accepted: bool = True, history: History = NO_PAST) -> passes.Pass:
    look = passes.Look((count, count), (), (several.Reading(values=(load,)),))
    status = passes.Status(conditions=TOLD)
    made = passes.evaluate(SPEC, look, status, history, passes.Settings(), NOW)
    return passes.conclude(made, SPEC, passes.Settings(), NOW, accepted=accepted)


def test_a_correction_into_the_bounds_skips_metrics_and_is_recorded_as_a_change() -> None:
    made = one_pass(15, 4000)
    assert (made.desired, made.cause, made.proposals) == (10, passes.Cause.ABOVE_MAX, None)
    assert made.history == History((), (), (Event(5, NOW),))
    assert made.status.conditions[passes.LIMITED] == TOLD[passes.LIMITED]
    assert passes.ACTIVE not in made.status.conditions


def test_a_refused_write_leaves_the_wish_and_no_change() -> None:
    made = one_pass(4, 8000, accepted=False)
    assert made.problem is passes.Problem.UPDATE_SCALE
    assert made.history == History((Recommendation(8, NOW),))


def test_a_count_of_zero_means_switched_off_by_hand() -> None:
    made = one_pass(0, 8000)
    assert made.desired is None
    assert made.status.conditions[passes.ACTIVE].reason == "ScalingDisabled"


def test_the_past_is_seeded_even_where_the_metrics_then_fail() -> None:
    look = passes.Look((4, 4), (), (several.Reading(),))
    made = passes.evaluate(SPEC, look, passes.Status(), History(), passes.Settings(), NOW)
    assert made.problem is passes.Problem.COMPUTE
    assert made.history.recommendations == (Recommendation(4, NOW),)


def test_a_condition_is_as_old_as_its_status_and_not_its_reason() -> None:
    made = one_pass(4, 4000)
    assert made.status.conditions[passes.LIMITED] == passes.Condition(False, "DesiredWithinRange", NOW)
    again = passes.evaluate(SPEC, passes.Look((15, 15)), made.status, made.history, passes.Settings(), NOW + 15)
    assert again.status.conditions[passes.ABLE].since == NOW
