"""Notifications, beside the cycle: what needs a person goes to those who want to know it.

After each cycle the problems on the board are taken in; each receiver has a task of its own that sends what its ledger
says is due, one message at a time, and tries again ever later while that fails. Nobody waits for a receiver, and what
waits for one is no longer than its ledger.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence

import msgspec

from autoscaler import log
from autoscaler.decide.notify import Ledger, Route, due, follow, restored, told
from autoscaler.errors import NotifyError
from autoscaler.loop import problems
from autoscaler.loop.board import Board
from autoscaler.loop.keeper import Keeper
from autoscaler.loop.tenure import LEASE_LOST
from autoscaler.model.notice import Kind, Message, Problem, Status
from autoscaler.ports import Clock, Fact, FactKind, Messenger, Record, RecordKind

SLICE = 500  # workloads looked at before the event loop may breathe
AGAIN_S = (5.0, 10.0, 30.0, 60.0, 300.0)  # after so many failures in a row
SEND_S = 30.0  # the longest a messenger may take

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Ledger).decode


class Notifier:
    """A sink of records (it counts the losses of the lease) and a listener to cycles. `ours` says whether we act.

    `also` says why something beside the store cannot be written, empty while it can.
    """

    def __init__(
        self, receivers: Sequence[tuple[Route, Messenger]], board: Board, keeper: Keeper, clock: Clock,
        ours: Callable[[], bool], *, also: Callable[[], str] = str,
    ) -> None:  # fmt: skip
        self.counts: Counter[tuple[str, str]] = Counter()  # by receiver and how it ended
        self._mail = [_Mail(route, messenger) for route, messenger in receivers]
        self._board = board
        self._keeper = keeper
        self._clock = clock
        self._ours = ours
        self._also = also
        self._losses: deque[float] = deque(maxlen=problems.FLAPS)
        self._turned = asyncio.Event()
        board.turn_ended.append(self._turned.set)

    def accept(self, records: Sequence[Record]) -> None:
        """Count how often the lease was lost."""
        self._losses.extend(r.at for r in records if r.kind is RecordKind.FAULT and r.reason == LEASE_LOST)

    def restore(self, facts: Sequence[Fact]) -> None:
        """Go on from what was told before."""
        kept = {each.key: each.value for each in facts if each.kind is FactKind.NOTIFIED and each.value is not None}
        for mail in self._mail:
            mail.ledger = restored(_decode(kept[mail.name]), self._clock.now()) if mail.name in kept else Ledger()

    async def run(self) -> None:
        """Look after each cycle and have sent what is due; until cancelled."""
        async with asyncio.TaskGroup() as group:
            for mail in self._mail:
                group.create_task(self._deliver(mail), name=f"notify {mail.name}")
            while True:
                await self._turned.wait()
                self._turned.clear()
                if self._ours():
                    await self._look()

    async def close(self) -> None:
        """Let go of connections."""
        for mail in self._mail:
            await mail.messenger.close()

    async def _look(self) -> None:
        found: list[Problem] = []
        unknown: set[str] = set()
        held = 0
        entries = list(self._board.entries.items())
        for start in range(0, len(entries), SLICE):
            for key, entry in entries[start : start + SLICE]:
                if entry.decision is None and entry.state is None:
                    unknown.add(key)
                found += problems.told(entry)
                held += problems.braked(entry)
            await asyncio.sleep(0)
        now = self._clock.now()
        losses = sum(now - at < problems.FLAPS_S for at in self._losses)
        own = problems.of_daemon(self._board, held=held, losses=losses, store=self._keeper.failing or self._also())
        found = [*own, *found]  # where there are more than are kept, these are among them
        for mail in self._mail:
            mail.ledger = follow(mail.route, mail.ledger, found, now, unknown=unknown)
            mail.looked.set()
            await asyncio.sleep(0)

    async def _deliver(self, mail: _Mail) -> None:
        while True:
            await mail.looked.wait()
            mail.looked.clear()
            while (message := due(mail.route, mail.ledger, self._clock.now())) is not None and self._ours():
                before, trouble = mail.ledger, await self._sent(mail, message)
                if trouble:
                    self._failed(mail, trouble)
                    await self._clock.sleep(AGAIN_S[min(mail.failures, len(AGAIN_S)) - 1])
                    continue
                self._worked(mail)
                mail.ledger = told(mail.ledger, message, self._clock.now(), before=before)
                await self._keeper.put([Fact(FactKind.NOTIFIED, mail.name, _encode(mail.ledger))])

    async def _sent(self, mail: _Mail, message: Message) -> str:
        """Send it, without secrets; why it did not get there, empty where it did."""
        clean = tuple(msgspec.structs.replace(each, text=log.redact(each.text)) for each in message.problems)
        try:
            await asyncio.wait_for(mail.messenger.send(msgspec.structs.replace(message, problems=clean)), SEND_S)
        except NotifyError as error:
            return error.message
        except TimeoutError:
            return f"not sent within {SEND_S:g} s"
        except Exception as defect:  # who scales must not stop because of who tells of it
            return f"a defect of ours: {type(defect).__name__}: {defect}"
        return ""

    def _failed(self, mail: _Mail, trouble: str) -> None:
        self.counts[mail.name, "failed"] += 1
        mail.failures += 1
        if mail.failures == 1:
            self._keeper.fault(f"notify.{mail.name} cannot be told: {trouble}")

    def _worked(self, mail: _Mail) -> None:
        self.counts[mail.name, "sent"] += 1
        if mail.failures:
            self._keeper.fault(f"notify.{mail.name} is told again")
        mail.failures = 0


class _Mail:
    """One receiver: what it knows, and whether there is something new."""

    def __init__(self, route: Route, messenger: Messenger) -> None:
        self.route = route
        self.messenger = messenger
        self.ledger = Ledger()
        self.looked = asyncio.Event()
        self.failures = 0

    @property
    def name(self) -> str:
        """What the settings call it."""
        return self.route.name


def trial(now: float) -> Message:
    """A message that says that it is only one."""
    problem = Problem(kind=Kind.SHORT_AT_MAX, text="this is only a test: what needs you is told here", workload="test")
    kind, status = problem.kind, Status.PROBLEM
    return Message(id=f"test-{now:.3f}", at=now, status=status, kind=kind, count=1, problems=(problem,))
