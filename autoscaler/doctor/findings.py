"""What was found, and what to do about it. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping

import msgspec

from autoscaler.decide.explain import sentence, span
from autoscaler.errors import AutoscalerError
from autoscaler.model.decision import Reason, Step
from autoscaler.model.policy import Signal
from autoscaler.model.signal import Missing, MissingWhy, Reading

MISSING: Mapping[str, str] = {
    MissingWhy.EMPTY.value: "run the query in Prometheus: is the metric's name right, do its labels fit this workload? "
    "Where no series means no load, write `empty: 0`",
    MissingWhy.NAN.value: "a division by zero gives NaN: write `nan: 0` where that means no load, or `or vector(0)`",
    MissingWhy.STALE.value: "is the exporter scraped? Compare `max_age` with how often samples come",
    MissingWhy.FAILED.value: "run the query in Prometheus, and look at the server's log",
    MissingWhy.SEVERAL.value: "aggregate in the query, or write `reduce:`",
    MissingWhy.PARTIAL.value: "one of the stores behind the server does not answer: mend that one",
    MissingWhy.IMPLAUSIBLE.value: "is the query what it should be? Else widen `plausible`",
    MissingWhy.UNCOVERED.value: "some ready instances are not scraped: look at the targets' page of Prometheus",
}


class Verdict(enum.Enum):
    """How it stands. What could not be tried, or need not be there, is `none`."""

    FINE = "fine"
    NONE = "none"
    WARNING = "warning"
    FAILURE = "failure"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried: about what, what was seen, what to do; `place` is the policy's file:line."""

    about: str
    verdict: Verdict
    text: str
    fix: str = ""
    place: str = ""


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """All that was tried, in the order in which it is needed."""

    at: float
    release: str
    findings: tuple[Finding, ...]

    @property
    def fit(self) -> bool:
        """Whether nothing failed."""
        return all(each.verdict is not Verdict.FAILURE for each in self.findings)


def fine(about: str, text: str) -> Finding:
    """What works."""
    return Finding(about=about, verdict=Verdict.FINE, text=text)


def warning(about: str, text: str, fix: str) -> Finding:
    """What works and will hurt."""
    return Finding(about=about, verdict=Verdict.WARNING, text=text, fix=fix)


def failure(about: str, text: str, fix: str) -> Finding:
    """What does not work."""
    return Finding(about=about, verdict=Verdict.FAILURE, text=text, fix=fix)


def fault(about: str, error: AutoscalerError, fix: str = "") -> Finding:
    """An error, with what it says itself to do about it, or else this."""
    return failure(about, error.message, error.hint or fix)


def settled(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Each thing once, failures about the same first."""
    order = list(dict.fromkeys(findings))
    abouts = list(dict.fromkeys(each.about for each in order))
    places = {about: at for at, about in enumerate(abouts)}
    return tuple(sorted(order, key=lambda each: (places[each.about], each.verdict is not Verdict.FAILURE)))


def of_signal(about: str, place: str, signal: Signal, step: Step | None, reading: Reading) -> Finding:
    """What a signal's reading is worth, by the step that was decided from it (None: it was not asked for a vote)."""
    if step is not None and step.reason is Reason.SIGNAL_MISSING:
        why, detail = str(step.facts.get("why", MissingWhy.FAILED.value)), str(step.facts.get("detail", ""))
        return _missing(about, place, why, detail)
    if isinstance(reading, Missing):
        if step is None:
            return _missing(about, place, reading.why.value, reading.detail)
        return Finding(
            about=about, verdict=Verdict.FINE, text=sentence(step).removeprefix(f"{signal.name}: "), place=place
        )
    if signal.coverage is not None and signal.votes and not reading.found:
        said = "coverage is written, but no label of its series names an instance: it is not watched"
        fix = "query series with a label pod, container, name or instance, or leave coverage out"
        return Finding(about=about, verdict=Verdict.FAILURE, text=said, fix=fix, place=place)
    said = f"{len(reading.points)} values" if len(reading.points) != 1 else f"{reading.points[0].value:g}"
    said += f", {span(reading.age_s)} old" if reading.age_s is not None else ", of unknown age"
    if reading.found:
        said += f", names {len(reading.found)} of {max(len(reading.expected), len(reading.found))} ready instances"
    return Finding(about=about, verdict=Verdict.FINE, text=said, place=place)


def _missing(about: str, place: str, why: str, detail: str) -> Finding:
    said = f"{why}: {detail}" if detail else why
    return Finding(about=about, verdict=Verdict.FAILURE, text=said, fix=MISSING.get(why, ""), place=place)
