"""A review as Markdown: the body of a comment, and of a job's summary.

All from a pull request is a stranger's word and goes through `strangers`. A body that is too long loses details first,
then rows, never its head.
"""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.review.figures import HEAD, LEGEND, failure, figures, pictures, story
from autoscaler.review.review import PolicyChange, Review
from autoscaler.review.strangers import chart, code, lines, pre
from autoscaler.review.text import place

MOST = 60_000  # characters; GitHub takes 65,536
MOST_TROUBLES = 50
MOST_KEYS = 20  # of one policy


def markdown(told: Review, most: int = MOST) -> str:
    """The body, at most so many characters."""
    details, rows = len(told.changes), len(told.changes)
    troubles = min(MOST_TROUBLES, len(told.troubles) + len(told.failed))
    while True:
        body = "\n".join(_body(told, rows, details, troubles)) + "\n"
        if len(body) <= most or not (details or rows or troubles):
            return body
        if details:
            details //= 2
        elif rows > 1 or not troubles:
            rows //= 2
        else:
            troubles //= 2


def _body(told: Review, rows: int, details: int, troubles: int) -> Iterator[str]:
    yield f"### Autoscaler: {told.title}"
    yield ""
    head = code(told.head) if told.head else "the working tree"
    yield f"Evidence: **{told.evidence}**. Compared: {head} against {code(told.against)}."
    for note in told.notes:
        yield f"\n> [!WARNING]\n> {code(note)}"
    yield from _troubles(told, troubles)
    shown = told.changes[:rows]
    if shown:
        yield from ("", *_table(shown))
    if len(told.changes) > rows:
        yield f"\nand {len(told.changes) - rows} more policies"
    if details:
        yield from _chart(told.changes[0])
        for change in told.changes[:details]:
            yield from _details(change)
    if any(each.effect is not None for each in shown):
        yield f"\n<sub>{LEGEND}</sub>"
    same = "1 policy is" if told.untouched == 1 else f"{told.untouched} policies are"
    passed = told.tests - len(told.failed)
    yield f"\n{same} as before; {passed} of {told.tests} policy tests pass."


def _troubles(told: Review, most: int) -> Iterator[str]:
    """Failed tests and errors, then warnings."""
    said = [
        f"- ❌ {code(f'{each.file}:{each.line}')} policy test failed: {code(each.name)}\n\n{_indented(failure(each))}"
        for each in told.failed
    ]
    said += [
        f"- {'❌' if each.error else '⚠️'} {code(place(each).rstrip(': '))} " + "<br>".join(map(code, lines(each.text)))
        for each in told.troubles
    ]
    if said:
        yield from ("", *said[:most])
    if len(said) > most:
        yield f"- and {len(said) - most} more problems"


def _indented(text: list[str]) -> str:
    return "\n".join(f"  {line}" for line in pre(text).split("\n"))


def _table(changes: tuple[PolicyChange, ...]) -> Iterator[str]:
    yield f"| policy | | replicas | {' | '.join(name.lower() for name in HEAD)} |"
    yield f"| --- | --- | --- |{' --- |' * len(HEAD)}"
    for change in changes:
        picture = "" if change.effect is None else pictures(change.effect)
        yield f"| {code(change.name)} | {change.kind.value} | {picture} | {' | '.join(figures(change))} |"


def _chart(change: PolicyChange) -> Iterator[str]:
    """Counts of the policy that changes most; in addition to the pictures, as not every renderer draws it."""
    effect = change.effect
    if effect is None or effect.before is None or effect.after is None:
        return
    hours = (effect.end - effect.start) / 3600
    high = max(1, *effect.before.desired, *effect.after.desired)
    yield from (
        "",
        f"Replicas of {code(change.name)}, the one that changes most, on the recording: first before, then after.",
        "",
        "```mermaid",
        "xychart-beta",
        f'  title "{chart(change.name)} before and after"',
        f'  x-axis "hours" 0 --> {hours:.1f}',
        f'  y-axis "replicas" 0 --> {high}',
        f"  line [{', '.join(map(str, effect.before.desired))}]",
        f"  line [{', '.join(map(str, effect.after.desired))}]",
        "```",
    )


def _details(change: PolicyChange) -> Iterator[str]:
    effect = change.effect
    yield from ("", "<details>", f"<summary>{code(change.name)}: what changes, and its worst moment</summary>", "")
    yield f"{change.kind.value} in {code(f'{change.file}:{change.line}')}"
    if change.keys:
        yield from ("", "| key | before | after | where |", "| --- | --- | --- | --- |")
    for key in change.keys[:MOST_KEYS]:
        was, now = (code(each) if each is not None else "not set" for each in (key.before, key.after))
        yield f"| {code(key.key)} | {was} | {now} | {code(key.place)} |"
    if len(change.keys) > MOST_KEYS:
        yield f"\nand {len(change.keys) - MOST_KEYS} more keys"
    yield ""
    if effect is None:
        yield f"Effect not known: {code(change.why)}"
    else:
        yield pre([*story(effect), "", *effect.assumed])
    yield from ("", "</details>")
