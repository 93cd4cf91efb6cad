"""A backtest in words and columns: the same figures for the terminal and the page."""

from __future__ import annotations

from autoscaler.backtest.compare import Backtest, Trial
from autoscaler.backtest.honesty import How
from autoscaler.clock import text as written
from autoscaler.decide.explain import number, span

HEAD = ("POLICY", "OVER", "SHORT", "REPLICA-HOURS", "× CLAIRVOYANT", "COUNTS", "CHANGES", "REVERSALS", "AT MAX")

LEGEND = (
    "Over: share of requests that took longer than the objective. Short: how long fewer were ready than needed. "
    "× clairvoyant: replica-hours beside those of the cheapest plan that knows the load ahead and is never short. "
    "Reversals: changes in the other direction than the one before."
)

HOW = {
    How.HONEST: "honest",
    How.AS_RECORDED: "as recorded",
    How.MODELLED: "modelled",
    How.LEFT_OUT: "left out",
}


def headline(told: Backtest) -> list[str]:
    """What was replayed, and what of it is scored."""
    length = span(told.end - told.start + told.cycle_s)
    return [
        f"Backtest on {told.data}: {written(told.start)} to {written(told.end)}, {length}, "
        f"a decision every {span(told.cycle_s)}.",
        f"Scored from {written(told.scored_from)} on: the time before it only fills the policies' windows.",
    ]


def row(trial: Trial) -> tuple[str, ...]:
    """A scorecard under `HEAD`."""
    card = trial.card
    cost = "-" if card.cost is None else f"{card.cost:.2f}"
    return (
        trial.name,
        percent(card.over_percent),
        minutes(card.short_minutes),
        f"{card.replica_hours:.1f}",
        cost,
        f"{card.least}..{card.most}",
        f"{card.changes} ({card.changes_per_day:.0f}/day)",
        str(card.reversals),
        percent(card.at_max_percent),
    )


def worst(trial: Trial) -> list[str]:
    """The worst moment, and how its count came about."""
    found = trial.worst
    if found is None:
        return ["no request took longer than the objective"]
    share = f"{number(float(round(found.over)))} requests took too long within ten minutes"
    ready = f"{found.ready} of {found.ordered} ready, {found.needed} needed at a load of {number(found.load)}"
    told = [f"worst at {written(found.at)}: {share}; {ready}"]
    if found.decided != found.at:
        told.append(f"decided {span(found.at - found.decided)} before, the same count and reason since:")
    return [*told, *found.lines]


def replayed(trial: Trial) -> list[str]:
    """How signals, load and service were treated."""
    signals = [f"{each.signal}: {HOW[each.how]}, {each.because}" for each in trial.signals]
    return [*signals, f"load: {trial.load}", *trial.service.said]


def percent(share: float) -> str:
    """A share that is not nothing is never shown as nothing.

    >>> percent(0.0), percent(0.0004), percent(0.6963), percent(12.34)
    ('0 %', '<0.01 %', '0.70 %', '12.3 %')
    """
    if share <= 0:
        return "0 %"
    if share < 0.01:
        return "<0.01 %"
    return f"{share:.2f} %" if share < 10 else f"{share:.1f} %"


def minutes(count: float) -> str:
    """Minutes as a span."""
    return span(60 * count)
