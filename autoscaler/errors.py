"""Every exception of ours, as one tree; each speaks to the reader.

AutoscalerError
├── PolicyError        a policy set does not load; carries every problem with its place
├── SettingsError      the daemon's own settings are wrong
├── UsageError         a command was asked for something it cannot do
├── SourceError        a source of readings did not answer usably (ends as a Missing)
├── TargetError        a platform did not answer usably
│   ├── Unreachable    nobody answered: socket away, connection refused, time out
│   │   └── Busy       somebody did, and has no time for us now
│   ├── Refused        the platform understood and said no; asking again does not help
│   ├── Conflict       somebody else was faster; the next cycle decides afresh
│   └── Gone           the thing is not there (any more)
├── StoreError         the daemon's memory cannot be read or written
├── NotifyError        a message did not get to a receiver
├── GitHubError        GitHub did not answer usably; its status, and what right it wants
│   └── GitHubBusy     we ask too much of it; when to come back
└── LeaseError         another daemon holds the lease, or it cannot be told

Expected absence is a value (`Missing`, `Outcome`), not an exception. A library's own exceptions end in
`clients/`, where secrets are redacted too.
"""

from __future__ import annotations

import errno

_HINT = "\n  hint: "


class AutoscalerError(Exception):
    """A sentence for the reader, a hint what to do next and the exit code a command ends with."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}{_HINT}{self.hint}" if self.hint else self.message


_WAYS = {
    errno.ENOENT: "look at the path: one that begins with no / starts in the folder that the command runs in",
    errno.ENOTDIR: "a part of the path is a file: look at it",
    errno.EISDIR: "this is a folder: name a file in it",
    errno.EACCES: "whoever runs this needs the right to: see `ls -ld` of it and of the folders above",
    errno.EROFS: "that disk may only be read: name another place",
    errno.ENOSPC: "make room on that disk, or name another place",
    errno.EDQUOT: "make room on that disk, or name another place",
}


def way_out(error: Exception) -> str:
    """The hint for a file that cannot be read or written."""
    if isinstance(error, UnicodeDecodeError):
        return "save it as UTF-8"
    return _WAYS.get(getattr(error, "errno", None) or 0, "see that it is a plain file on a disk that works")


def parted(said: str) -> tuple[str, str]:
    """What was written of an error, taken apart again: the sentence, and the hint if there is one.

    >>> parted(str(AutoscalerError("replicas.max: must be at least 2", hint="raise max")))
    ('replicas.max: must be at least 2', 'raise max')
    """
    sentence, _, hint = said.partition(_HINT)
    return sentence, hint


class PolicyError(AutoscalerError):
    """A set of policies does not load. `problems` are sentences that start with file:line:column."""

    exit_code = 2

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SettingsError(AutoscalerError):
    """The daemon's own settings are wrong."""

    exit_code = 2


class UsageError(AutoscalerError):
    """A command was asked for something it cannot do."""

    exit_code = 2


class SourceError(AutoscalerError):
    """A source of readings did not answer usably."""


class ServerAway(SourceError):
    """Nobody is there to be asked: what is asked does not matter."""


class TargetError(AutoscalerError):
    """A platform did not answer usably."""


class Unreachable(TargetError):
    """Nobody answered: socket away, connection refused, timed out.

    `retry_after_s` is when to ask again, where the platform said so.
    """

    retry_after_s: float | None = None


class Busy(Unreachable):
    """Told to come back later: too much is asked of the platform, and nothing is wrong with what was asked."""

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class Refused(TargetError):
    """The platform understood and said no; asking again does not help."""


class Forbidden(Refused):
    """The platform refused it because we have no right to it."""


class Conflict(TargetError):
    """Somebody else was faster; the next cycle decides afresh."""


class Gone(TargetError):
    """The thing is not there, or not there any more."""


class StoreError(AutoscalerError):
    """The daemon's memory cannot be read or written."""


class NotifyError(AutoscalerError):
    """A message did not get to a receiver."""


class GitHubError(AutoscalerError):
    """GitHub did not answer usably.

    `status` is what it answered, 0 where nobody did; `wants` the permissions it names as those that would do.
    """

    def __init__(self, message: str, *, hint: str = "", status: int = 0, wants: str = "") -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.wants = wants


class GitHubBusy(GitHubError):
    """A limit of GitHub's is reached, or would be: `retry_after_s` is when to ask again."""

    def __init__(self, message: str, *, retry_after_s: float, status: int = 0) -> None:
        super().__init__(message, status=status)
        self.retry_after_s = retry_after_s


class LeaseError(AutoscalerError):
    """Another daemon holds the lease, or it cannot be told who does."""

    exit_code = 3
