"""What is wrong with a kubeconfig or a token, in words that help."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from autoscaler.errors import Refused


class _Claims(msgspec.Struct, frozen=True):
    """What a service account's token says of itself."""

    exp: int


def unusable(kubeconfig: str | None, context: str | None, error: Exception, contexts: Sequence[str]) -> Refused:
    """The error that a kubeconfig which cannot be used is; `contexts` are those in it, as far as they can be read."""
    where = kubeconfig or "the default place (KUBECONFIG, ~/.kube/config)"
    said = f"no usable cluster configuration in {where}"
    if kubeconfig is not None and not Path(kubeconfig).is_file():
        return Refused(f"{said}: there is no such file", hint="name a kubeconfig file")
    if context is not None and contexts and context not in contexts:
        return Refused(f"{said}: it has no context {context}", hint=f"its contexts are: {', '.join(sorted(contexts))}")
    why = str(error).strip().splitlines()
    told = why[0] if why and not isinstance(error, TypeError | AttributeError | KeyError) else "it is not a kubeconfig"
    return Refused(f"{said}: {told}", hint="name a kubeconfig file and a context that is in it")


def refused_credentials(what: str, tokens: Iterable[str]) -> Refused:
    """The error that an answer of 401 to `what` is, with what the tokens say of themselves."""
    until = next((told for told in map(_valid_until, tokens) if told), "")
    told = f"its token is good until {until} by its own account" if until else "the token may have expired"
    return Refused(
        f"{what}: the API server does not accept our credentials (401)",
        hint=f"{told}: renew the kubeconfig, or check the service account",
    )


def _valid_until(token: str) -> str:
    """Until when a token is good; empty where it does not say.

    >>> claims = base64.urlsafe_b64encode(b'{"exp":1766595600}').decode().rstrip("=")
    >>> _valid_until(f"e30.{claims}.c2ln"), _valid_until("sesame")
    ('2025-12-24T17:00:00Z', '')
    """
    parts = token.split(".")
    if len(parts) != 3:
        return ""
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        until = msgspec.json.decode(claims, type=_Claims).exp
        return datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError, OSError):
        return ""
