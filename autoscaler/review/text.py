"""A review for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.review.figures import HEAD, figures, pictures, story
from autoscaler.review.figures import failure as failed
from autoscaler.review.review import PolicyChange, Review, Trouble
from autoscaler.review.strangers import lines, visible


def text(told: Review) -> str:
    """All of it, what is wrong first."""
    return "\n".join(_parts(told))


def _parts(told: Review) -> Iterator[str]:
    head = visible(told.head) or "the working tree"
    yield f"{told.title}"
    yield f"{head} against {visible(told.against)}, evidence: {told.evidence}"
    for note in told.notes:
        yield from ("", *lines(f"note: {note}"))
    for trouble in told.troubles:
        yield from ("", *lines(f"{'error' if trouble.error else 'warning'}: {place(trouble)}{trouble.text}"))
    for each in told.failed:
        yield from ("", visible(f"FAILED {each.file}:{each.line}: {each.name}"))
        yield from (f"  {visible(line)}" for line in failed(each))
    for change in told.changes:
        yield from ("", *_change(change))
    same = "1 policy is" if told.untouched == 1 else f"{told.untouched} policies are"
    passed = told.tests - len(told.failed)
    yield from ("", f"{same} as before; {passed} of {told.tests} policy tests pass")


def place(trouble: Trouble) -> str:
    """`file:line:column: `, as far as that is known."""
    return f"{trouble.file}:{trouble.line}:{trouble.column}: " if trouble.file else ""


def _change(change: PolicyChange) -> Iterator[str]:
    yield visible(f"{change.kind.value} {change.name} ({change.file}:{change.line})")
    for key in change.keys:
        was, now = key.before or "not set", key.after or "not set"
        yield f"  {visible(key.key)}: {visible(was)} → {visible(now)}"
    effect = change.effect
    if effect is None:
        yield visible(f"  effect not known: {change.why}".replace("\n", ";"))
        return
    yield f"  replicas       {pictures(effect)}"
    for name, cell in zip(HEAD, figures(change), strict=True):
        yield f"  {name.lower():<13}  {cell}"
    for line in story(effect):
        yield f"  {visible(line)}"
