"""What runs by the clock on the wall: cron lines on APScheduler, on the daemon's own event loop.

A time that passed while the daemon was away is not made up for; several that came due at once are one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from autoscaler.decide.calendar import weekdays

Work = Callable[[str], Awaitable[None]]


class Timetable:
    """Jobs by name; `start` and `stop` inside of a running event loop."""

    def __init__(self) -> None:
        from apscheduler.schedulers.asyncio import AsyncIOScheduler  # only a daemon needs it

        words = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        self._scheduler: Any = AsyncIOScheduler(timezone="UTC", job_defaults=words)

    def set(self, lines: Mapping[str, tuple[str, str]], work: Work) -> None:
        """Exactly these jobs from now on: cron line and time zone by name. `work` is told the name that is due."""
        for job in self._scheduler.get_jobs():
            if job.id not in lines:
                job.remove()
        for name, (cron, timezone) in lines.items():
            trigger = _trigger(cron, timezone)
            self._scheduler.add_job(work, trigger, args=[name], id=name, replace_existing=True)

    def next(self, name: str) -> float | None:
        """When a job is due next, in seconds since the epoch; None for one that is not there or not started."""
        job = self._scheduler.get_job(name)
        at = getattr(job, "next_run_time", None)
        return None if at is None else float(at.timestamp())

    def start(self) -> None:
        """Begin to run what is due."""
        self._scheduler.start()

    def stop(self) -> None:
        """Run nothing more; what runs is its caller's to end."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def _trigger(cron: str, timezone: str) -> Any:
    from apscheduler.triggers.cron import CronTrigger

    minute, hour, day, month, weekday = cron.split()
    return CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=weekdays(weekday), timezone=ZoneInfo(timezone)
    )
