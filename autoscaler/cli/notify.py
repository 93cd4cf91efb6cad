"""`autoscaler notify`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from autoscaler import settings
from autoscaler.cli.root import config
from autoscaler.cli.say import say
from autoscaler.errors import UsageError


@click.command("notify")
@click.argument("receivers", nargs=-1)
@config
def command(receivers: tuple[str, ...], config: Path | None) -> None:
    """Send a test message to those who are notified.

    RECEIVERS are names below `notify` in the settings; all of them by default. Each is told that this is only a test,
    whatever it wants to know otherwise. Ends with exit status 1 where a message did not get there. No daemon is needed.
    """
    chosen = settings.load(config, os.environ)
    unknown = [name for name in receivers if name not in chosen.notify]
    if unknown:
        known = ", ".join(chosen.notify) or "none"
        raise UsageError(f"the settings have no receiver {unknown[0]}", hint=f"those below notify: {known}")
    if not chosen.notify:
        raise UsageError("nobody is notified by these settings", hint="see docs/notifications.md for the key notify")
    if not asyncio.run(_told(chosen, set(receivers or chosen.notify))):
        sys.exit(1)


async def _told(chosen: settings.Settings, names: set[str]) -> bool:
    """Tell each, one after the other, and print how that went; whether all were told."""
    from autoscaler.clock import SystemClock
    from autoscaler.errors import NotifyError
    from autoscaler.loop.notifier import trial
    from autoscaler.wiring import receivers_of

    worked = True
    for route, messenger in receivers_of(chosen):
        if route.name not in names:
            continue
        try:
            await messenger.send(trial(SystemClock().now()))
            say(f"✓ {route.name}: told")
        except NotifyError as error:
            worked = False
            say(f"✗ {route.name}: {error.message}")
        finally:
            await messenger.close()
    return worked
