"""Messages in words, by whatever apprise can reach: mail, chats, pagers."""

from __future__ import annotations

from autoscaler.clients.apprise_sender import AppriseSender
from autoscaler.messengers.words import body, title
from autoscaler.model.notice import Message, Status

_MOODS = {Status.PROBLEM: "warning", Status.STILL: "warning", Status.RESOLVED: "success"}


class ChatMessenger:
    """Sends by apprise."""

    def __init__(self, sender: AppriseSender) -> None:
        self._sender = sender

    async def send(self, message: Message) -> None:
        """Send it. Raises NotifyError."""
        await self._sender.send(title(message), body(message), _MOODS[message.status])

    async def close(self) -> None:
        """Nothing is kept open."""
