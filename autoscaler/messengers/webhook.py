"""Messages as CloudEvents 1.0 (structured JSON), posted to a URL."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from autoscaler.clients.webhook import Webhook
from autoscaler.messengers.words import body, title
from autoscaler.model.notice import Message

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"

_encode = msgspec.json.Encoder().encode


class WebhookMessenger:
    """Sends by a webhook."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._source = f"/autoscaler/{quote(socket.gethostname())}"

    async def send(self, message: Message) -> None:
        """Post it. Raises NotifyError."""
        await self._webhook.post(_encode(event(message, self._source)), CONTENT_TYPE)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._webhook.close()


def event(message: Message, source: str) -> dict[str, Any]:
    """The CloudEvent."""
    only = message.problems[0].workload if message.count == 1 else ""
    return {
        "specversion": "1.0",
        "id": message.id,
        "source": source,
        "type": f"autoscaler.{message.status.value}.{message.kind.value}",
        "time": datetime.fromtimestamp(message.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **({"subject": only} if only else {}),
        "datacontenttype": "application/json",
        "data": {
            "status": message.status.value,
            "kind": message.kind.value,
            "title": title(message),
            "text": body(message),
            "count": message.count,
            "problems": [
                {"workload": each.workload, "policy": each.policy, "labels": each.labels, "text": each.text}
                for each in message.problems
            ],
        },
    }
