"""One instance and one workload of the simulated platform, as plain data."""

from __future__ import annotations

import math

import msgspec

from autoscaler.model.target import Instance, WorkloadRef


class Unit(msgspec.Struct, kw_only=True):
    """One instance. Times are seconds since the epoch; infinite for what has not happened.

    It is ready from `ready_at` (infinite: never) until it is sick or has ended.
    """

    id: str
    name: str
    number: int
    created: float
    draining: bool = False
    operation: str = ""  # which operation made it; empty for one that was there or that other hands made
    replaces: str = ""  # the id of the one it is made to take the place of
    started: float = math.inf
    ready_at: float = math.inf
    well_since: float = -math.inf  # got well again at this time
    sick_since: float = math.inf
    ended: float = math.inf
    exit_code: int | None = None
    off: bool = False  # stopped by a person
    leaving: bool = False  # makes room for its successor, and stands for both
    restarts: int = 0
    ooms: tuple[float, ...] = ()
    newer_image: str = ""
    newer_config: str = ""
    known: tuple[object, ...] = ()  # what `seen` was made of
    seen: Instance | None = None

    def running(self) -> bool:
        """True once started, until it ends."""
        return self.started < math.inf and self.ended == math.inf

    def ready(self, now: float) -> bool:
        """True while it serves."""
        return self.running() and self.ready_at <= now and self.sick_since > now

    def instance(self, now: float) -> Instance:
        """It as everybody else knows it; made anew only when something about it has changed."""
        known = (
            self.draining, self.started, self.ready_at, self.ready_at <= now, self.well_since, self.sick_since,
            self.ended, self.exit_code, self.restarts, self.ooms, self.newer_image, self.newer_config,
        )  # fmt: skip
        if self.seen is None or self.known != known:
            self.known, self.seen = known, self._instance(now)
        return self.seen

    def _instance(self, now: float) -> Instance:
        return Instance(
            id=self.id,
            name=self.name,
            created=self.created,
            ready=self.ready(now),
            since=self._since(now),
            was_ready=min(now, self.ended, self.sick_since) >= self.ready_at or self.well_since > self.ready_at,
            draining=self.draining,
            running=self.running(),
            exit_code=self.exit_code,
            restarts=self.restarts,
            ooms=self.ooms,
            newer_image=self.newer_image,
            newer_config=self.newer_config,
        )

    def _since(self, now: float) -> float:
        if self.ready(now):
            return max(self.ready_at, self.well_since)
        turned = min(self.ended, self.sick_since)
        return turned if turned <= now else self.created


class Simulated(msgspec.Struct, kw_only=True):
    """One workload: its units by id, and how the platform treats new ones. Change the settings at any time.

    `start_s` is the time from start to ready (infinite: never ready); `crash` the exit code with which new ones end at
    once; `limit` how many there may be, with `limit_reason` for more. `alone` says why no two of a place can
    run side by side (empty: they can). `version` moves when another writer has set
    the count, `writer` is who; `foreign_at` is when other hands made or took away instances last.
    """

    ref: WorkloadRef
    start_s: float = 0.0
    crash: int | None = None
    limit: int | None = None
    alone: str = ""
    limit_reason: str = "quota exceeded"
    version: int = 1
    writer: str = ""
    foreign_at: float | None = None
    rollout: bool = False
    units: dict[str, Unit] = {}
    serial: int = 0  # numbers ids, so that none comes twice

    def counted(self) -> list[Unit]:
        """The units that are the count, the longest there first.

        Not counted are those on their way out, those a person stopped, and those that stand in beside the one they
        will replace, for as long as that one stays.
        """
        return [
            each
            for each in self.units.values()
            if not (each.draining or each.off or (each.replaces and self._beside(each)))
        ]

    def _beside(self, unit: Unit) -> bool:
        old = self.units.get(unit.replaces)
        return old is not None and not old.draining

    def made_by(self, operation: str) -> Unit | None:
        """The unit that an operation has made."""
        return next((each for each in self.units.values() if each.operation == operation), None)

    def free(self, many: int) -> list[int]:
        """The lowest numbers that no unit has."""
        taken = {each.number for each in self.units.values()}
        return [number for number in range(1, len(taken) + many + 1) if number not in taken][:many]

    def add(self, number: int, now: float, *, operation: str = "", replaces: str = "") -> Unit:
        """One more unit, not started yet."""
        self.serial += 1
        unit = Unit(
            id=f"{self.ref.name}.{self.serial}",
            name=f"{self.ref.name}-{number}",
            number=number,
            created=now,
            operation=operation,
            replaces=replaces,
        )
        self.units[unit.id] = unit
        return unit

    def start(self, unit: Unit, now: float) -> None:
        """Start a unit; one that was started stays as it is."""
        if unit.started < math.inf:
            return
        unit.started, unit.ready_at = now, now + self.start_s
        if self.crash is not None:
            unit.ended, unit.exit_code = now, self.crash

    def leaving(self, many: int, sick: tuple[str, ...], now: float) -> list[Unit]:
        """Who goes: the sick, then who is not ready, then the highest number."""
        order = sorted(self.counted(), key=lambda each: (each.id not in sick, each.ready(now), -each.number))
        return order[:many]
