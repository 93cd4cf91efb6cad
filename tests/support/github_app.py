"""An App's key, and a client of ours at the stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from autoscaler.clients.github import GitHub
from autoscaler.clients.github_wire import Host
from tests.parts.require import shared_path
from tests.support.github import REPOSITORY, StandIn, description

START = 1_790_000_000.0


class QuickClock:
    """A clock on which a sleep takes no time, and is written down."""

    def __init__(self) -> None:
        self.at = START
        self.slept: list[float] = []

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@cache
def key_pair() -> tuple[bytes, bytes]:
    """A private key and its public one, as PEM; made once, for it takes a while."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private, public


def key_file(folder: Path) -> Path:
    """The private key in a file of its own."""
    file = folder / "app.pem"
    file.write_bytes(key_pair()[0])
    file.chmod(0o600)
    return file


@asynccontextmanager
async def github_of(folder: Path, *, app: bool = True) -> AsyncIterator[tuple[GitHub, StandIn, QuickClock]]:
    """A client, the GitHub it asks and the clock of both. At the end nothing may be wrong with what they said."""
    clock = QuickClock()
    there = StandIn(description(shared_path("github", "openapi-subset.json")), clock.now, key_pair()[1])
    there.static.add("ghp_somebodys_token_0123456789")
    async with there.serving() as url:
        how = (
            {"app": "12345", "key_file": str(key_file(folder))} if app else {"token": "ghp_somebodys_token_0123456789"}
        )
        client = GitHub(Host(url=url), REPOSITORY, clock, **how)
        try:
            yield client, there, clock
        finally:
            await client.close()
    assert not there.violations, "\n".join(dict.fromkeys(there.violations))
