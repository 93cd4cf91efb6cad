"""The apprise library: one URL each for a hundred kinds of mail, chat and pager. Its own words never leave this file:
they may hold the secrets of its URLs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from pathlib import Path

import apprise

from autoscaler.errors import NotifyError, SettingsError

PATIENCE_S = 20.0  # for all of one receiver's URLs

logging.getLogger("apprise").propagate = False


class AppriseSender:
    """One receiver with one or more URLs: `urls` tells them anew for each message, as a file may have changed.

    A thread of its own sends, one message at a time: libraries below wait as they like, and nobody waits for them.
    """

    def __init__(self, urls: Callable[[], list[str]]) -> None:
        self._urls = urls
        self._busy = False

    async def send(self, title: str, body: str, mood: str) -> None:
        """Send it everywhere; all got it within twenty seconds. Raises NotifyError."""
        if self._busy:
            raise NotifyError("the message before this one is still on its way")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[str] = loop.create_future()

        def run() -> None:
            trouble = self._sent(title, body, mood)
            self._busy = False
            if not loop.is_closed():
                loop.call_soon_threadsafe(_settle, done, trouble)

        self._busy = True
        threading.Thread(target=run, name="notify", daemon=True).start()
        try:
            trouble = await asyncio.wait_for(done, PATIENCE_S)
        except TimeoutError:
            raise NotifyError(f"not sent within {PATIENCE_S:g} s") from None
        if trouble:
            raise NotifyError(trouble)

    def _sent(self, title: str, body: str, mood: str) -> str:
        """Why it did not get everywhere; empty where it did."""
        try:
            urls = self._urls()
            sender = loaded(urls)
            delivered = sender.notify(body, title, apprise.NotifyType(mood), body_format=apprise.NotifyFormat.TEXT)
        except OSError as error:
            return f"its file cannot be read: {error.strerror}"
        except SettingsError as error:
            return error.message
        except Exception as error:  # a plugin of a hundred; what it says may hold a secret
            return f"apprise failed ({type(error).__name__})"
        return "" if delivered else f"{' and '.join(sorted(set(map(_schema, urls))))} did not take it"


def loaded(urls: list[str]) -> apprise.Apprise:
    """What sends to these URLs. Raises SettingsError for one that apprise does not know, without telling it."""
    sender = apprise.Apprise()
    for number, url in enumerate(urls, start=1):
        if not sender.add(url):
            raise SettingsError(f"URL {number} of {len(urls)} ({_schema(url)}) is none that apprise knows")
    if not urls:
        raise SettingsError("there is no URL in it")
    return sender


def urls_in(file: str) -> list[str]:
    """The URLs in a file, one a line; lines that begin with # say nothing. Raises OSError."""
    lines = [line.strip() for line in Path(file).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _schema(url: str) -> str:
    """The kind of a URL, which is no secret.

    >>> _schema("slack://a/b/c"), _schema("secret")
    ('slack', 'without ://')
    """
    kind, there, _ = url.partition("://")
    return kind if there else "without ://"


def _settle(done: asyncio.Future[str], trouble: str) -> None:
    if not done.done():
        done.set_result(trouble)
