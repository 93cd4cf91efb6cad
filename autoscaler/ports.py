"""The promises between the rooms. Adapters keep them; `tests/contracts` proves it for each."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from autoscaler.model.cleanup import Freed, Item, Stock, Use
from autoscaler.model.commits import Said
from autoscaler.model.decision import Decision
from autoscaler.model.notice import Message
from autoscaler.model.observation import Ask
from autoscaler.model.operation import Advanced, Operation, Outcome
from autoscaler.model.policy import Policy
from autoscaler.model.signal import Missing, Reading
from autoscaler.model.target import TargetState, WorkloadRef


class Clock(Protocol):
    """Time as an argument."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class Source(Protocol):
    """Where readings come from."""

    async def read(self, asks: Sequence[Ask], now: float) -> Sequence[Reading]:
        """One reading per ask, in the same order. Never raises: a bad answer is a Missing for the asks it concerns."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Target(Protocol):
    """The platform side of workloads: state in, operations out.

    Counts are never guessed: what cannot be told is a Missing. Every stage of an operation may be done twice without
    harm, because a daemon may die right after it. Adapters raise nothing of a library's.
    """

    def discover(self, policies: Sequence[Policy]) -> Sequence[tuple[WorkloadRef, Policy]]:
        """The workloads these policies steer on this platform; explicit ones even if absent. Others' are left out.

        Where a platform finds workloads by selectors it also has `survey(policies)`, which looks for them and says
        whether discovering would now give others than the last time; this then tells what the last look found.
        """
        ...

    async def states(self, refs: Sequence[WorkloadRef]) -> Sequence[TargetState | Missing]:
        """One state per ref, in the same order. Never raises for one that is absent or unreadable."""
        ...

    async def advance(self, operation: Operation) -> Advanced:
        """Make ONE platform call and say what comes next: the operation at its next stage, its parts, or its outcome.

        Never raises: a conflict, a refusal and a dead platform are outcomes (or the same stage again, later).
        """
        ...

    def wakes(self) -> AsyncIterator[WorkloadRef]:
        """Workloads about which something just happened, for as long as the daemon lives (reconnects by itself).

        A platform that is known only in part, for want of a right, has `notices()` too: sentences that say so, once.
        One that tells of decisions at the workloads themselves is a Sink as well.
        """
        ...

    async def close(self) -> None:
        """Let go of connections and helpers; what is scaled goes on running."""
        ...


class Revision(msgspec.Struct, frozen=True):
    """One whole state of a policy source: texts with their names.

    `tests` are texts of policy tests, which must pass before it is in force. `problems` say why it cannot be at all.
    """

    id: str
    texts: tuple[tuple[str, str], ...]
    tests: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()


class PolicySource(Protocol):
    """Where policies come from: a folder, a ConfigMap, a git ref."""

    def revisions(self) -> AsyncIterator[Revision]:
        """The revision that is there now, then every later one."""
        ...


@runtime_checkable
class Repository(PolicySource, Protocol):
    """A policy source whose revisions are commits: people may say which one, and it keeps the one in force."""

    fault: Callable[[str], None]  # handed sentences about what goes wrong; the policies in force stay

    def heed(self, said: Said) -> None:
        """What people said of its commits, as of now. Where that is news it looks again at once."""
        ...

    async def keep(self, revision: str) -> None:
        """This revision is in force now: the one to start from, should the repository be away. Never raises."""
        ...


class Live(enum.Enum):
    """How a commit's policies fare here."""

    ACTIVE = "active"
    REJECTED = "rejected"


class Forge(Protocol):
    """Where the repository of policies lives, and people read which commit is live where. Raises GitHubError."""

    @property
    def remaining(self) -> int | None:
        """How many requests are left of this hour, as far as it was told."""
        ...

    async def report(self, commit: str, live: Live, text: str) -> None:
        """Say how a commit fares, if it is not said there already; one that was active before is not any more."""
        ...

    async def pull_of(self, commit: str) -> int | None:
        """The number of the pull request that brought a commit; None where there is none, or we may not know."""
        ...


class RecordKind(enum.Enum):
    """What a line of history is about."""

    DECISION = "decision"
    OUTCOME = "outcome"
    CONTROL = "control"
    POLICIES = "policies"
    FAULT = "fault"
    CLEANUP = "cleanup"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One line of history: a decision whose count or reason changed, an outcome, or a person's word."""

    at: float
    kind: RecordKind
    workload: str = ""  # the workload's key; empty for the daemon's own
    policy: str = ""
    revision: str = ""
    place: str = ""  # file and line of the policy in that revision
    repository: str = ""  # the URL that the revision is of
    before: int | None = None
    after: int | None = None
    reason: str = ""
    text: str = ""  # one sentence for people
    by: str = ""  # who said so, for a person's word
    decision: Decision | None = None  # all steps and readings, for explain
    outcome: Outcome | None = None


class FactKind(enum.Enum):
    """The durable facts a daemon starts again from."""

    MEMORY = "memory"
    LEARNED = "learned"
    OPERATION = "operation"
    INTENT = "intent"
    PAUSE = "pause"
    OVERRIDE = "override"
    RESUME = "resume"
    SIGHTINGS = "sightings"
    SPENT = "spent"
    COMMITS = "commits"
    NOTIFIED = "notified"


class Fact(msgspec.Struct, frozen=True):
    """One durable fact, as encoded by its owner; `value` None takes it away."""

    kind: FactKind
    key: str
    value: bytes | None


class Store(Protocol):
    """What outlives the process. Raises StoreError when it cannot be read or written."""

    async def append(self, records: Sequence[Record]) -> None:
        """Add lines of history."""
        ...

    async def history(self, workload: str | None, *, until: float, limit: int) -> Sequence[Record]:
        """The newest `limit` lines not after `until`, newest first; of all workloads for None."""
        ...

    async def put(self, facts: Sequence[Fact]) -> None:
        """Keep these facts; durable and as a whole when it returns."""
        ...

    async def facts(self) -> Sequence[Fact]:
        """Everything kept."""
        ...

    async def close(self) -> None:
        """Let go of files and connections."""
        ...


class Lease(Protocol):
    """Who may act. Only the holder calls a platform's writing side."""

    async def hold(self) -> bool:
        """Take or renew it; False where somebody else has it."""
        ...

    def holder(self) -> str | None:
        """Who has it, as far as known."""
        ...

    def address(self) -> str:
        """The URL of the holder's API, as far as known; empty where it says none."""
        ...

    def remaining(self) -> float:
        """Seconds for which it is surely ours still (infinite where the kernel keeps it); 0 where it is not."""
        ...

    async def release(self) -> None:
        """Give it up at once."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Sink(Protocol):
    """Where records go besides the store: log, metrics, events."""

    def accept(self, records: Sequence[Record]) -> None:
        """Take them. Never raises, never blocks; drops with a counter."""
        ...


class Messenger(Protocol):
    """A way to one receiver of notifications."""

    async def send(self, message: Message) -> None:
        """Send one message; it got there when this returns. Raises NotifyError, without secrets, within half a
        minute.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Stockroom(Protocol):
    """What lies about on one engine: it is looked at as a whole, and taken away one thing at a time."""

    async def uses(self) -> Sequence[Use]:
        """What every container on the engine, in any state, holds on to. Raises TargetError."""
        ...

    async def stock(self, project: str) -> Stock:
        """Everything that could go, sized; ended containers of this project only. Raises TargetError."""
        ...

    async def remove(self, item: Item) -> Freed:
        """Take one thing away, unless anybody uses it by now. Never raises: what is gone already is gone."""
        ...
