"""A repository somewhere, and what was fetched of it: a bare repository on the disk, files read from its objects.

There is no work tree: no hook, filter or LFS runs, no link or submodule is followed.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from autoscaler.clients.access import LEAST, word
from autoscaler.clients.git_program import Said, child, run
from autoscaler.errors import GitHubError, SourceError
from autoscaler.log import HIDDEN, redact

LOOK_S, FETCH_S, READ_S = 30.0, 600.0, 60.0
MOST_PACKS = 200  # in the cache
HEAD = "refs/autoscaler/head"
NAMED = "refs/autoscaler/named"
FULL = re.compile(r"[0-9a-f]{40}")
_REFUSED = re.compile(r"Authentication failed|could not read (Username|Password)|returned error: 40[13]", re.IGNORECASE)
_MOVED = re.compile(r"unable to update url base from redirection|returned error: 30\d", re.IGNORECASE)


# A token that is good now, instead of one in a file; it is told the one that was refused last. Raises GitHubError.
Token = Callable[[str], Awaitable[str]]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a repository is and how to get in. `signers` and `keys` are files of who may sign (ssh, OpenPGP)."""

    url: str
    ref: str = "HEAD"
    username: str = "x-access-token"
    token_file: str = ""
    ca: str = ""
    signers: str = ""
    keys: str = ""


class Item(msgspec.Struct, frozen=True):
    """What stands at a path of a commit: its mode (100644, 120000 for a link, 160000 for a submodule) and object."""

    path: str
    mode: str
    object: str


class Remote:
    """The repository, with its cache in a folder that is this process's alone. Raises SourceError."""

    def __init__(self, place: Place, folder: Path, token: Token | None = None) -> None:
        self._place = place
        self._token = token
        self._refused = ""
        self._folder = folder
        self._secret = ""
        self._ref = place.ref  # its whole name, once it is known

    async def prepare(self) -> None:
        """Make the cache, and put away what a process that was killed left of one."""
        for lock in self._folder.rglob("*.lock"):
            lock.unlink(missing_ok=True)
        with contextlib.suppress(Said):
            if (await self._git("rev-parse", "--is-bare-repository")).strip() == b"true":
                await self._point()
                return
        await self.clear()

    async def clear(self) -> None:
        """Make the cache anew. What it held can be fetched again."""
        parent = self._folder.parent
        try:
            parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(dir=parent, prefix="making-"))
            with _plainly("the cache cannot be made"):
                await run(made, ["init", "--quiet", "--bare", "--template="], within_s=READ_S)
            if self._folder.is_dir():
                await asyncio.to_thread(shutil.rmtree, self._folder)
            else:
                self._folder.unlink(missing_ok=True)
            made.rename(self._folder)
            for rest in parent.glob("making-*"):
                await asyncio.to_thread(shutil.rmtree, rest, ignore_errors=True)
        except OSError as error:
            raise SourceError(f"{self._folder}: cannot be written: {error.strerror}") from None
        with _plainly("the cache cannot be made"):
            await self._point()

    async def head(self) -> str:
        """The commit the ref is at now."""
        ref = self._place.ref
        names = [ref] if ref == "HEAD" or ref.startswith("refs/") else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        asked = [each for name in names for each in (name, f"{name}^{{}}")]
        told = (await self._away("ls-remote", "--quiet", "origin", *asked, within_s=LOOK_S)).decode(errors="replace")
        found = {name: commit for commit, _, name in (line.partition("\t") for line in told.splitlines())}
        for name in names:
            for each in (f"{name}^{{}}", name):
                if FULL.fullmatch(found.get(each, "")):
                    self._ref = name
                    return found[each]
        raise SourceError(f"{self._place.url} has no {ref}", hint="ref: a branch, a tag, or refs/…")

    async def fetch(self, base: str) -> str:
        """Fetch the ref without its files; the commit it is at. With all that is since `base`, where that is known.

        Each fetch leaves a pack, and git's own tidying would take what it does not know the use of: a cache with many
        is made anew.
        """
        if len(list(self._folder.glob("objects/pack/*.pack"))) > MOST_PACKS:
            await self.clear()
        await self._fetch(base, f"+{self._ref}:{HEAD}")
        with _plainly("the ref is no commit"):
            return (await self._git("rev-parse", "--verify", f"{HEAD}^{{commit}}")).decode().strip()

    async def fetch_commit(self, commit: str) -> None:
        """Fetch one commit, unless it is here."""
        if not await self.has(commit):
            await self._fetch("", f"+{commit}:{NAMED}")

    async def has(self, commit: str) -> bool:
        """Whether a commit is in the cache."""
        return await self._holds("cat-file", "-e", f"{commit}^{{commit}}")

    async def descends(self, commit: str, base: str) -> bool:
        """Whether a commit has another in its past; both as far as they were fetched."""
        return await self.has(base) and await self._holds("merge-base", "--is-ancestor", base, commit)

    async def items(self, commit: str, path: str) -> list[Item]:
        """Everything below a folder of a commit, or the file there; nothing where there is none."""
        below = ("--", path) if path else ()
        with _plainly(f"{commit} cannot be read"):
            told = await self._git("ls-tree", "-r", "-z", "--full-tree", commit, *below)
        found = []
        for line in filter(None, told.split(b"\0")):
            facts, _, name = line.partition(b"\t")
            mode, _, sha = facts.decode().split()
            found.append(Item(name.decode(errors="backslashreplace"), mode, sha))
        return found

    async def contents(self, commit: str, path: str, items: Sequence[Item], most: int) -> list[bytes | None]:
        """What stands in these items of a path; None for one of more than `most` bytes. Fetches what is missing."""
        folder = path if any(each.path != path for each in items) else path.rpartition("/")[0]
        await self._complete(f"{commit}:{folder}", items)
        asked = "".join(f"{each.object}\n" for each in items).encode()
        with _plainly("the files cannot be read"):
            facts = (await self._git("cat-file", "--batch-check", given=asked)).decode().splitlines()
        small = [each for each, fact in zip(items, facts, strict=True) if int(fact.split()[2]) <= most]
        with _plainly("the files cannot be read"):
            told = await self._git("cat-file", "--batch", given="".join(f"{each.object}\n" for each in small).encode())
        bodies, at = {}, 0
        for each in small:
            end = told.index(b"\n", at)
            size = int(told[at:end].split()[2])
            bodies[each.object] = told[end + 1 : end + 1 + size]
            at = end + 2 + size
        return [bodies.get(each.object) for each in items]

    async def distrust(self, commit: str) -> str:
        """Why a commit is not signed by one of the signers; empty where it is. Told by git's exit status alone."""
        signers, keys = self._place.signers, self._place.keys
        settings = {"gpg.ssh.allowedSignersFile": signers or os.devnull}
        settings |= {} if keys else {"gpg.program": "false"}
        with tempfile.TemporaryDirectory(prefix="autoscaler-") as home:
            if keys:
                await self._import(keys, home)
            try:
                await run(
                    self._folder,
                    ["verify-commit", commit],
                    within_s=READ_S,
                    settings={**settings, "gpg.x509.program": "false"},
                    environment={"GNUPGHOME": home},
                )
            except Said as said:
                told = [each for each in said.text.splitlines() if each.strip()]
                return _plain(told[-1]) if told else "it is not signed"
        return ""

    def redact(self, text: str) -> str:
        """A text without our token."""
        pair = base64.b64encode(f"{self._place.username}:{self._secret}".encode()).decode()
        for each in (pair, self._secret) if len(self._secret) >= LEAST else ():
            text = text.replace(each, HIDDEN)
        return redact(text)

    async def _import(self, keys: str, home: str) -> None:
        """A keyring of these keys and no others."""
        words = ["gpg", "--homedir", home, "--batch", "--quiet", "--no-autostart", "--import", keys]
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": home, "LC_ALL": "C"}
        try:
            status, _, _ = await child(words, env, f"reading {keys}", within_s=READ_S)
        except FileNotFoundError:
            raise SourceError("gpg is not installed, and git.keys are read with it", hint="install gnupg") from None
        if status:
            raise SourceError(f"{keys}: holds no OpenPGP keys", hint="gpg --export --armor ID… > FILE")

    async def _complete(self, tree: str, items: Sequence[Item]) -> None:
        """Fetch the files that are not here, all by one request; git would ask for each on its own."""
        with _plainly("the files cannot be told"):
            told = await self._git("rev-list", "--objects", "--missing=print", "--no-object-names", "--no-walk", tree)
        missing = {line[1:] for line in told.decode().splitlines() if line.startswith("?")}
        wanted = sorted(missing & {each.object for each in items})
        if wanted:
            words = (
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--filter=blob:none",
                "--stdin",
                "origin",
            )
            given = "".join(f"{each}\n" for each in wanted).encode()
            settings = {"fetch.negotiationAlgorithm": "noop"}
            await self._away(*words, given=given, within_s=FETCH_S, settings=settings)

    async def _fetch(self, base: str, refspec: str) -> None:
        words = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--filter=blob:none"]
        words += [] if base else ["--depth=1"]
        if base and (self._folder / "shallow").exists() and not await self.has(base):
            words.append("--unshallow")
        await self._away(*words, "origin", refspec, within_s=FETCH_S)

    async def _point(self) -> None:
        """Tell the cache where its repository is: a partial one, of which files are fetched as they are needed."""
        told = {"url": self._place.url, "promisor": "true", "partialclonefilter": "blob:none"}
        await self._git("config", "core.repositoryformatversion", "1")
        await self._git("config", "extensions.partialClone", "origin")
        for key, value in told.items():
            await self._git("config", f"remote.origin.{key}", value)

    async def _git(self, *words: str, given: bytes = b"") -> bytes:
        """Ask the cache, and nobody else: what it lacks is not fetched behind our back. Raises Said."""
        return await run(self._folder, words, within_s=READ_S, environment={"GIT_ALLOW_PROTOCOL": ""}, given=given)

    async def _holds(self, *words: str) -> bool:
        try:
            await self._git(*words)
        except Said:
            return False
        return True

    async def _away(
        self, *words: str, within_s: float, given: bytes = b"", settings: Mapping[str, str] | None = None
    ) -> bytes:
        """Ask the repository itself."""
        place = self._place
        scheme = urlsplit(place.url).scheme
        settings = dict(settings or {})
        if place.ca:
            settings["http.sslCAInfo"] = place.ca
        if place.token_file or self._token is not None:
            settings["http.extraHeader"] = f"Authorization: Basic {await self._credentials()}"
        try:
            return await run(
                self._folder,
                words,
                within_s=within_s,
                settings=settings,
                environment={"GIT_ALLOW_PROTOCOL": scheme},
                given=given,
            )
        except Said as said:
            raise self._error(said.text) from None

    async def _credentials(self) -> str:
        file = self._place.token_file
        try:
            self._secret = word(file) if self._token is None else await self._token(self._refused)
        except SourceError as error:
            raise SourceError(f"git.token_file: {error.message}") from None
        except OSError as error:
            raise SourceError(f"git.token_file: {file} cannot be read: {error.strerror}") from None
        except GitHubError as error:
            raise SourceError(error.message, hint=error.hint) from None
        return base64.b64encode(f"{self._place.username}:{self._secret}".encode()).decode()

    def _still_good(self) -> str:
        return "is the token in git.token_file still good?" if self._token is None else "see `autoscaler github doctor`"

    def _error(self, text: str) -> SourceError:
        """What git says of a repository, in one line and without secrets."""
        lines = [each.strip() for each in text.splitlines() if each.strip()]
        own = next((each for each in lines if each.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
        own = self.redact(_plain(own.partition(": ")[2] or own))
        url = self._place.url
        if _REFUSED.search(text):
            self._refused = self._secret
            return SourceError(f"{url} does not let us in: {own}", hint=self._still_good())
        if _MOVED.search(text):
            return SourceError(f"{url} leads elsewhere, and that is not followed", hint="write its new URL as git.url")
        return SourceError(f"{url}: {own or 'git failed'}")


class _plainly(contextlib.AbstractContextManager[None]):
    """What git says of the cache becomes a SourceError with these first words."""

    def __init__(self, wrong: str) -> None:
        self._wrong = wrong

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Said):
            first = next(iter(error.text.strip().splitlines()), "git failed")
            raise SourceError(f"{self._wrong}: {redact(_plain(first))}") from None


def _plain(text: str) -> str:
    """A line of somebody else's without what would steer a terminal."""
    return "".join(each if each.isprintable() else "?" for each in text)[:300]
