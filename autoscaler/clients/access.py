"""How to get in at a server over HTTP: who asks, by which certificates, through which proxy.

Secrets in files are read again when the file changes, so a token that is rotated is the next one sent. A secret is sent
to its server only, and taken out of whatever anybody says.
"""

from __future__ import annotations

import base64
import os
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar
from urllib.parse import quote, unquote, urlsplit, urlunsplit

import msgspec

from autoscaler.errors import SettingsError, SourceError
from autoscaler.log import HIDDEN, redact

LEAST = 4  # a shorter secret is in too many words to be taken out of them

T = TypeVar("T")
Stamp = tuple[tuple[int, int, int], ...]

_SECRET_HEADER = re.compile(r"auth|cookie|credential|key|pass|secret|token", re.IGNORECASE)


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where a server is and how to get in. Files are paths; an empty text says nothing.

    A user and password may stand in `url` and in `proxy`. `name` is what the owner calls it in the settings.
    """

    url: str
    name: str = "prometheus"
    user: str = ""
    password: str = ""
    password_file: str = ""
    bearer_file: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""
    headers: dict[str, str] = {}
    proxy: str = ""


class Way:
    """An access in use: what to send and by which certificates. Never raises anything but SourceError."""

    def __init__(self, access: Access) -> None:
        parts = urlsplit(access.url)
        self.url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])).rstrip("/")
        self.access = access
        self._user = access.user or unquote(parts.username or "")
        self._password = access.password or unquote(parts.password or "")
        self._secret = Kept[str]((access.password_file or access.bearer_file,))
        self._tls = Kept[ssl.SSLContext]((access.ca, access.cert, access.key))

    def headers(self) -> dict[str, str]:
        """What goes with every query. Raises SourceError where a file with a secret cannot be read."""
        access = self.access
        if access.bearer_file:
            return {**access.headers, "Authorization": f"Bearer {self._read('bearer_file', access.bearer_file)}"}
        password = self._read("password_file", access.password_file) if access.password_file else self._password
        if not self._user and not password:
            return dict(access.headers)
        return {**access.headers, "Authorization": f"Basic {_basic(self._user, password)}"}

    def tls(self) -> ssl.SSLContext | None:
        """The certificates to trust and to show, as the files are now; None for the usual ones. Raises SourceError."""
        if not (self.access.ca or self.access.cert):
            return None
        try:
            return self._tls.now(lambda: _context(self.access))
        except SettingsError as error:
            raise SourceError(f"{self.url}: {error.message}") from None

    def redact(self, text: str) -> str:
        """The text without secrets: those of this access, and what looks like one."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        return redact(text)

    def _secrets(self) -> set[str]:
        access = self.access
        proxy = unquote(urlsplit(access.proxy).password or "")
        said = {self._password, self._secret.value or "", proxy}
        said |= {quote(each, safe="") for each in said}
        said |= {value for name, value in access.headers.items() if _SECRET_HEADER.search(name)}
        said |= {_basic(self._user, each) for each in (self._password, self._secret.value or "") if each}
        return {each for each in said if len(each) >= LEAST}

    def _read(self, key: str, file: str) -> str:
        try:
            return self._secret.now(lambda: word(file))
        except SourceError as error:
            raise SourceError(f"{self.url}: {key} {error.message}") from None
        except OSError as error:
            raise SourceError(f"{self.url}: {key} {file} cannot be read: {error.strerror}") from None


class Kept(Generic[T]):
    """What was made from files, made again once one of them is another."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self.value: T | None = None
        self._files = [file for file in files if file]
        self._stamp: Stamp | None = None

    def now(self, make: Callable[[], T]) -> T:
        """The value by the files as they are now."""
        stamp = self._stamped()
        if self.value is None or stamp is None or stamp != self._stamp:
            self.value, self._stamp = make(), stamp
        return self.value

    def _stamped(self) -> Stamp | None:
        try:
            found = [os.stat(file) for file in self._files]
        except OSError:
            return None  # making the value says what is wrong
        return tuple((each.st_mtime_ns, each.st_size, each.st_ino) for each in found)


def check(access: Access) -> None:
    """Raises SettingsError with one sentence where certificates cannot be used.

    A password or token may come later, as a side container writes it; a certificate that is not there is a mistake.
    """
    if access.ca or access.cert:
        _context(access)


def _context(access: Access) -> ssl.SSLContext:
    for key, file in (("ca", access.ca), ("cert", access.cert), ("key", access.key)):
        if file:
            _readable(f"{access.name}.{key}", file)
    try:
        context = ssl.create_default_context(cafile=access.ca or None)
    except (OSError, ValueError):
        raise SettingsError(f"{access.name}.ca: {access.ca} holds no certificate", hint="PEM is expected") from None
    if access.cert:
        certify(context, access.name, access.cert, access.key)
    return context


def certify(context: ssl.SSLContext, name: str, cert: str, key: str | None) -> None:
    """Give a context its certificate, as the settings called `name` have it. Raises SettingsError."""
    try:
        context.load_cert_chain(cert, key, password="")  # nobody is there to be asked for one
    except (OSError, ValueError):
        said = f"{name}.cert: {cert} and {key} are no certificate and its key"
        raise SettingsError(said, hint="PEM is expected, the key without a password") from None


def _readable(name: str, file: str) -> None:
    try:
        Path(file).open("rb").close()
    except OSError as error:
        raise SettingsError(f"{name}: {file} cannot be read: {error.strerror}", hint="correct the settings") from None


def word(file: str) -> str:
    """The one word in a file with a secret. Raises OSError, and SourceError where there is none or more."""
    word = Path(file).read_text(encoding="utf-8", errors="replace").strip()
    if not word:
        raise SourceError(f"{file} is empty")
    if not word.isprintable():
        raise SourceError(f"{file} holds more than one line")
    return word


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()
