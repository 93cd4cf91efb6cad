"""What a test of a policy says. Loader, JSON Schema and reference page are made from these structs, as for policies."""

import enum
from collections.abc import Callable, Iterator
from typing import Annotated

import msgspec
from msgspec import Meta

from autoscaler.backtest.notation import ANY, BadNotation, count, parsed, reading
from autoscaler.model.decision import Reason
from autoscaler.model.policy import DURATION, Name, Node
from autoscaler.policy.convert import Fault
from autoscaler.policy.words import nearest

AWAY = "daemon_away"  # in the place of a reason while nobody decides
LONGEST_S = 31 * 86400.0


class Rollout(enum.Enum):
    """A rollout begins or ends."""

    START = "start"
    END = "end"


class Event(Node, frozen=True, kw_only=True):
    """Something that happens just before a cycle, beside the load; several keys happen together."""

    at: Annotated[str, Meta(min_length=1, description="when: 5m after the start, 08:00, or a date and time")]
    sick: Annotated[int, Meta(ge=1, le=100_000, description="so many instances run on and are not ready")] | None = None
    crash: Annotated[int, Meta(ge=1, le=100_000, description="so many instances end by themselves")] | None = None
    recover: Annotated[int, Meta(ge=1, le=100_000, description="so many sick instances are well again")] | None = None
    replicas: Annotated[int, Meta(ge=0, le=100_000, description="somebody else sets this count")] | None = None
    by: Annotated[str, Meta(min_length=1, description="beside replicas: who does")] | None = None
    rollout: Annotated[Rollout, Meta(description="a rollout starts or ends")] | None = None
    surplus: (
        Annotated[int, Meta(ge=0, le=100_000, description="instances that a rollout runs beside the count")] | None
    ) = None
    limit: (
        Annotated[int, Meta(ge=0, le=100_000, description="the platform gives no more instances than this")] | None
    ) = None
    broken: Annotated[bool, Meta(description="true: new instances never become ready; false: they do again")] | None = (
        None
    )
    pause: Annotated[float, Meta(gt=0, le=LONGEST_S, description="paused for so long", extra=DURATION)] | None = None
    override: Annotated[int, Meta(ge=0, le=100_000, description="a person sets this count")] | None = None
    lasts: (
        Annotated[float, Meta(gt=0, le=LONGEST_S, description="beside override: for so long", extra=DURATION)] | None
    ) = msgspec.field(name="for", default=None)
    resume: Annotated[bool, Meta(description="true: pause, override and an owner's zero end")] | None = None
    restart: (
        Annotated[
            float, Meta(ge=0, le=LONGEST_S, description="the daemon stops cleanly, and is back then", extra=DURATION)
        ]
        | None
    ) = None
    kill: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=LONGEST_S,
                description="it is killed, loses a minute's memory, and is back then",
                extra=DURATION,
            ),
        ]
        | None
    ) = None
    unreachable: (
        Annotated[
            float, Meta(gt=0, le=LONGEST_S, description="no answer from the platform for so long", extra=DURATION)
        ]
        | None
    ) = None


class Checkpoint(Node, frozen=True, kw_only=True):
    """What must hold in one cycle: the last one that is not later than `at`."""

    at: Annotated[str, Meta(min_length=1, description="when: 5m after the start, 08:00, or a date and time")]
    replicas: Annotated[int, Meta(ge=0, le=100_000, description="the count that is decided")] | None = None
    reason: Annotated[str, Meta(min_length=1, description="the code of the reason that settles it")] | None = None
    says: Annotated[str, Meta(min_length=1, description="words that stand in what explain says of it")] | None = None
    replaced: (
        Annotated[int, Meta(ge=0, le=100_000, description="replacements of sick instances begun by then")] | None
    ) = None


class PolicyTest(Node, frozen=True, kw_only=True):
    """One test: what a policy is given, and what must come out. The file stands beside the policy: `web.test.yaml`."""

    name: Annotated[Name, Meta(description="what is tested, unique in the file")]
    load: Annotated[
        str | dict[str, str],
        Meta(description="what the signals give: of the only one, or by their names"),
    ] = msgspec.field(default_factory=dict)
    replicas: Annotated[str, Meta(min_length=1, description="the count after each cycle")] | None = None
    reasons: Annotated[str, Meta(min_length=1, description="the reason code of each cycle")] | None = None
    expect: Annotated[tuple[Checkpoint, ...], Meta(min_length=1, description="what must hold at some points")] = ()
    events: Annotated[tuple[Event, ...], Meta(description="what happens beside the load")] = ()
    start: (
        Annotated[int, Meta(ge=0, le=100_000, description="ready instances at the start; replicas.min by default")]
        | None
    ) = None
    time: (
        Annotated[
            str, Meta(min_length=1, description="when it starts, with a time zone or in UTC; a Monday noon by default")
        ]
        | None
    ) = None
    lasts: (
        Annotated[
            float,
            Meta(gt=0, le=LONGEST_S, description="how long; as long as the longest load by default", extra=DURATION),
        ]
        | None
    ) = None
    ready_after: (
        Annotated[
            float,
            Meta(
                ge=0,
                le=86400,
                description="from an order until an instance is ready; a cycle by default",
                extra=DURATION,
            ),
        ]
        | None
    ) = None
    zero_if: Annotated[
        dict[str, str], Meta(description="what the queries of `zero_if` give, by the signal's name")
    ] = {}
    policy: Annotated[Name, Meta(description="which policy; the one in the file beside by default")] | None = None


def faults(struct: object) -> Iterator[Fault]:
    """What is wrong with one struct of a test on its own."""
    if isinstance(struct, PolicyTest):
        yield from _texts(struct)
    elif isinstance(struct, Event):
        yield from _event(struct)
    elif isinstance(struct, Checkpoint):
        yield from _checkpoint(struct)


def _texts(test: PolicyTest) -> Iterator[Fault]:
    loads = test.load if isinstance(test.load, dict) else {}
    if isinstance(test.load, str):
        yield from _words(("load",), test.load, reading)
    for key, texts in (("load", loads), ("zero_if", test.zero_if)):
        for name, text in texts.items():
            yield from _words((key, name), text, reading)
    if test.replicas is not None:
        yield from _words(("replicas",), test.replicas, count)
    if test.reasons is not None:
        yield from _words(("reasons",), test.reasons, reason)


def _words(path: tuple[str, ...], text: str, check: Callable[[str], object]) -> Iterator[Fault]:
    """Each thing that is wrong with a text, once."""
    try:
        words = dict.fromkeys(each.word for each in parsed(text))
    except BadNotation as bad:
        yield path, str(bad), bad.hint
        return
    for word in words:
        yield from _word(path, word, check)


def _word(path: tuple[str, ...], word: str, check: Callable[[str], object]) -> Iterator[Fault]:
    try:
        check(word)
    except BadNotation as bad:
        yield path, str(bad), bad.hint


def reason(word: str) -> str | None:
    """One word of expected reasons; None for `_`. Raises BadNotation."""
    known = (*(each.value for each in Reason), AWAY)
    if word in known:
        return word
    if word == ANY:
        return None
    near = nearest(word, known)
    raise BadNotation(f"expected a reason code, got {word}", f"did you mean {near}?" if near else "see docs/reasons.md")


def _checkpoint(check: Checkpoint) -> Iterator[Fault]:
    if not _written(check, ("replicas", "reason", "says", "replaced")):
        yield (), "expects nothing", "add replicas, reason, says or replaced"
    if check.reason is not None:
        yield from _word(("reason",), check.reason, reason)


def _event(event: Event) -> Iterator[Fault]:
    told = [name for name in event.__struct_fields__ if name not in ("at", "by", "lasts")]
    if not _written(event, tuple(told)):
        yield (), "nothing happens", "add sick: 1, replicas: 7, restart: 0s, or another key"
    if event.by is not None and event.replicas is None:
        yield ("by",), "says who, but not what", "add replicas: the count that is set"
    if (event.lasts is None) != (event.override is None):
        yield (), "override and for go together", "override: 8, for: 10m"
    if event.resume is False:
        yield ("resume",), "expected true, got false", "remove the key"
    if len(_written(event, ("restart", "kill"))) > 1:
        yield ("kill",), "the daemon stops or is killed, not both", "keep one of them"


def _written(struct: object, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if getattr(struct, name) is not None]
