"""The whole of a review: what changes, what that does, what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from autoscaler.backtest.differences import Verdict
from autoscaler.backtest.scenario import judged
from autoscaler.backtest.scenario_load import load as load_tests
from autoscaler.clock import text as written
from autoscaler.errors import PolicyError
from autoscaler.policy.fit import misfits
from autoscaler.policy.lint import findings
from autoscaler.review.changes import Difference, Key, Kind, differences
from autoscaler.review.effect import Effect, Pasts
from autoscaler.review.sides import Side, absent, side
from autoscaler.settings import Settings, around

VERSION = 1
MOST_REPLAYED = 25  # policies: two replays of a month each take seconds
SCHEMA_ONLY = "schema only"

Told = Callable[[str], Callable[[int, int], None]]


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True):
    """One policy or clean-up that changes, and what that does on a recording; `why` says why that is not told."""

    name: str
    kind: Kind
    file: str
    line: int
    keys: tuple[Key, ...]
    effect: Effect | None
    why: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is wrong (`error`) or smells (not), where it stands; line 0 where that is not known."""

    error: bool
    file: str
    line: int
    column: int
    text: str


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of policies would do.

    `against` and `head` name the revisions, `head` is empty for the working tree. `evidence` says what it is judged by:
    `schema only`, or `recorded metrics` with their range. `changes` stand by weight, the heaviest first. Of warnings
    only those are told that were not there before.
    """

    version: int = VERSION
    against: str
    head: str
    title: str
    evidence: str
    changes: tuple[PolicyChange, ...]
    untouched: int
    errors: int
    troubles: tuple[Trouble, ...]
    tests: int
    failed: tuple[Verdict, ...]
    notes: tuple[str, ...]

    @property
    def quiet(self) -> bool:
        """True where there is nothing to tell anybody."""
        return not (self.changes or self.troubles or self.failed or self.notes)


def review(
    chosen: Settings, told_settings: bool, against: str, head: str | None, data: Sequence[Path], progress: Told
) -> Review:
    """Compare the policies of these settings with what they were. Asks no platform and no server.

    Where nobody wrote the settings (`told_settings`), what does not fit them is only a warning. Raises AutoscalerError
    for what cannot be had at all; what is wrong with the policies is in the review.
    """
    places = [Path(each) for each in chosen.policies]
    pasts = Pasts(data, chosen.cycle)
    sets = around(chosen)
    before, after = side(places, against, sets), side(places, head, sets)
    absent(places, before, after)
    troubles = [_trouble(each, after, error=True) for each in after.problems]
    notes, changes, untouched = [], list[Difference](), 0
    if before.problems:
        some = f"{len(before.problems)} problems, the first: {before.problems[0]}"
        notes.append(f"what stands in {against} does not load, so there is nothing to compare with ({some})")
    if not after.problems and not before.problems:
        changes, untouched = differences(before.read, after.read)
    tests, failed = 0, tuple[Verdict, ...]()
    if not after.problems:
        troubles += _fit(chosen, told_settings, after)
        troubles += _smells(chosen, before, after)
        try:
            verdicts = judged(
                load_tests(after.tests, [each.placed for each in after.read.loaded], cycle_s=chosen.cycle)
            )
            tests, failed = len(verdicts.tests), tuple(each for each in verdicts.tests if not each.passed)
        except PolicyError as error:
            troubles += [_trouble(each, after, error=True) for each in error.problems]
    made = sorted(_weighed(changes, pasts, progress), key=_weight)
    errors = sum(each.error for each in troubles) + len(failed)
    return Review(
        against=against,
        head=head or "",
        title=_title(made, errors),
        evidence=_evidence(made),
        changes=tuple(made),
        untouched=untouched,
        errors=errors,
        troubles=tuple(sorted(troubles, key=lambda each: not each.error)),
        tests=tests,
        failed=failed,
        notes=tuple(notes),
    )


def share(change: PolicyChange) -> float | None:
    """By how much replica-hours change, as a share of what they were; None where that is not known."""
    effect = change.effect
    if effect is None or effect.before is None or effect.after is None or not effect.before.replica_hours:
        return None
    return effect.after.replica_hours / effect.before.replica_hours - 1


def _weighed(changes: Sequence[Difference], pasts: Pasts, progress: Told) -> Iterator[PolicyChange]:
    for place, each in enumerate(changes):
        if place < MOST_REPLAYED:
            effect, why = pasts.effect(each, progress(f"replaying {place + 1} of {len(changes)}"))
        else:
            effect, why = None, f"not replayed: that is done for {MOST_REPLAYED} policies at once"
        yield PolicyChange(
            name=each.name, kind=each.kind, file=each.file, line=each.line, keys=each.keys, effect=effect, why=why
        )


def _weight(change: PolicyChange) -> tuple[float, str]:
    """The heaviest first: what takes more requests too long weighs more than what costs."""
    effect, part = change.effect, share(change)
    if effect is None or part is None or effect.before is None or effect.after is None:
        return 0.0, change.name
    return -abs(effect.after.over_percent - effect.before.over_percent) - abs(part), change.name


def _fit(chosen: Settings, told: bool, after: Side) -> Iterator[Trouble]:
    wrong = misfits(
        [each.placed for each in after.read.loaded], after.read.cleanups,
        cycle_s=chosen.cycle, servers=chosen.servers, engines=chosen.engines,
        strict_may_act=chosen.strict_may_act, receives=chosen.push.address is not None,
        processes=chosen.git.may_start,
    )  # fmt: skip
    return (_trouble(each, after, error=told) for each in wrong)


def _smells(chosen: Settings, before: Side, after: Side) -> Iterator[Trouble]:
    """Warnings that are new: whoever did not touch a policy is not told again."""
    known = {
        (each.file, each.code, each.sentence)
        for each in findings(before.read, before.texts, scrape_s=chosen.scrape_interval)
    }
    for each in findings(after.read, after.texts, scrape_s=chosen.scrape_interval):
        if (each.file, each.code, each.sentence) not in known:
            yield _trouble(str(each), after, error=False)


def _trouble(said: str, after: Side, *, error: bool) -> Trouble:
    """A sentence that begins with file:line:column, taken apart; files are told by their names, whatever is in them."""
    for file in sorted((name for name, _ in (*after.texts, *after.tests)), key=len, reverse=True):
        line, _, rest = said.removeprefix(f"{file}:").partition(":")
        column, _, text = rest.partition(":")
        if said.startswith(f"{file}:") and line.isdecimal() and column.isdecimal():
            return Trouble(error=error, file=file, line=int(line), column=int(column), text=text.strip())
    return Trouble(error=error, file="", line=0, column=0, text=said)


def _title(changes: Sequence[PolicyChange], errors: int) -> str:
    """The result in a line, made of our own words and numbers only.

    >>> _title([], 0), _title([], 1)
    ('no policy changes, 0 errors', 'no policy changes, 1 error')
    """
    number = len(changes)
    parts = ["no policy changes" if not number else "1 policy changes" if number == 1 else f"{number} policies change"]
    known = [each.effect for each in changes if share(each) is not None and each.effect is not None]
    if known:
        before = sum(each.before.replica_hours for each in known if each.before is not None)
        after = sum(each.after.replica_hours for each in known if each.after is not None)
        parts.append(f"{round(100 * (after / before - 1)):+d} % replica-hours")
    parts.append("1 error" if errors == 1 else f"{errors} errors")
    return ", ".join(parts)


def _evidence(changes: Sequence[PolicyChange]) -> str:
    told = [each.effect for each in changes if each.effect is not None]
    if not told:
        return SCHEMA_ONLY
    return f"recorded metrics {written(min(e.start for e in told))} to {written(max(e.end for e in told))}"
