"""Which files are policies and which are tests of them, and what stands in them.

Apart from the folder that is watched, so that a command which only reads does not pay for an event loop.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from autoscaler.errors import AutoscalerError, PolicyError, SettingsError, way_out

SUFFIXES = (".yaml", ".yml")
TEST_SUFFIXES = (".test.yaml", ".test.yml")
MOST_BYTES = 64_000_000  # of one file: four to a character at most; a device or a log is not read to its end

# What a change is told by: path, device and inode (a file put in another's place), size, time of the last write.
Look = tuple[tuple[str, int, int, int, int], ...]


def files(paths: Sequence[Path]) -> list[Path]:
    """The policy files at these places, each once, named as given. Raises SettingsError for an absent place.

    A file is taken whatever its name. In folders those that end in .yaml or .yml count, but not hidden ones and not
    policy tests (`*.test.yaml`).
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(each for each in _below(path, frozenset()) if not is_test(each)))
        elif path.exists():
            found[path] = None
        else:
            raise SettingsError(
                f"no policies at {path}: there is no such file or folder",
                hint="`autoscaler init` writes a first one; or name where they are, here or in autoscaler.yaml",
            )
    return list(found)


def tests(paths: Sequence[Path]) -> list[Path]:
    """The policy tests at these places: in folders, by their own names, and beside policy files that are named.

    Raises SettingsError for an absent place, and for a policy file that has none beside it.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(each for each in _below(path, frozenset()) if is_test(each)))
        elif is_test(path) and path.exists():
            found[path] = None
        else:
            found.update(dict.fromkeys(_tests_of(path)))
    return list(found)


def set_of(path: Path, policies: Sequence[str]) -> Path:
    """Where the policies are that a daemon loads together with those at a place, which is a test, a policy or a folder.

    That is one of `policies` (the settings') which the place lies in, else its folder.
    """
    folder = path if path.is_dir() else path.parent
    real = os.path.realpath(folder)
    for each in map(Path, policies):
        if each.is_dir() and os.path.commonpath([real, os.path.realpath(each)]) == os.path.realpath(each):
            return each
    return folder


def is_test(path: Path) -> bool:
    """True for what is named as a policy test: `*.test.yaml`."""
    return path.name.endswith(TEST_SUFFIXES)


def read(paths: Sequence[Path], sets: Sequence[str] | None = None) -> list[tuple[str, str]]:
    """Names and texts of the policy files at these places. Raises SettingsError and PolicyError.

    With `sets` (the settings' policies) also the defaults that hold there, as `beside` has them.
    """
    found = texts_of(files(paths))
    return found if sets is None else [*found, *beside(paths, sets)]


def beside(paths: Sequence[Path], sets: Sequence[str]) -> list[tuple[str, str]]:
    """The documents of defaults that hold for policies at these places and do not stand there, by files' names.

    Those of all `sets` for what lies in one of them, as a daemon loads them together; else, for a file, those of the
    other files in its folder. Files that cannot be read have none.
    """
    from autoscaler.policy.inherit import only_defaults

    known = {os.path.realpath(each) for each in files(paths)}
    found: dict[str, str] = {}
    for file in _around(paths, sets):
        if os.path.realpath(file) in known or str(file) in found:
            continue
        try:
            ((name, text),) = texts_of([file])
        except AutoscalerError:
            continue
        found[name] = only_defaults(name, text)
    return [(name, text) for name, text in found.items() if text]


def roots(path: Path, sets: Sequence[str]) -> list[Path]:
    """All `sets` for what lies in one of them, else none."""
    there = [Path(each) for each in sets if os.path.exists(each)]
    return there if any(within(path, each) for each in there) else []


def within(path: Path, place: Path) -> bool:
    """Whether a path is a place or lies below it."""
    real, above = os.path.realpath(path), os.path.realpath(place)
    return real == above or os.path.commonpath([real, above]) == above


def _around(paths: Sequence[Path], sets: Sequence[str]) -> Iterator[Path]:
    for path in paths:
        found = roots(path, sets)
        if found:
            yield from files(found)
        elif not path.is_dir():
            names = sorted(each for each in os.listdir(path.parent) if each.endswith(SUFFIXES))
            yield from (path.parent / each for each in names if not each.startswith(".") and not is_test(Path(each)))


def texts_of(files: Sequence[Path]) -> list[tuple[str, str]]:
    """Names and texts of these files. Raises SettingsError and PolicyError."""
    found: list[tuple[str, bytes]] = []
    for path in files:
        try:
            with path.open("rb") as file:
                found.append((str(path), file.read(MOST_BYTES + 1)))
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}", hint=way_out(error)) from None
    return decoded(found)


def decoded(files: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """The texts of named files. Raises PolicyError with every one that is too long or no UTF-8."""
    texts: list[tuple[str, str]] = []
    problems: list[str] = []
    for name, data in files:
        if len(data) > MOST_BYTES:
            said = f"{name}:1:1: this file has more than {MOST_BYTES // 1_000_000} million bytes"
            problems.append(f"{said}\n  hint: spread its policies over several files")
            continue
        try:
            texts.append((name, data.decode("utf-8-sig")))
        except UnicodeDecodeError as error:
            line, column = data.count(b"\n", 0, error.start) + 1, error.start - data.rfind(b"\n", 0, error.start)
            problems.append(f"{name}:{line}:{column}: this is not UTF-8 text\n  hint: {way_out(error)}")
    if problems:
        raise PolicyError(tuple(problems))
    return texts


def look(paths: Sequence[Path]) -> Look:
    """What the files look like from outside; equal as long as nothing changes. Raises SettingsError."""
    marks = []
    for path in files(paths):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue  # gone since the folder was listed: the next look shows it
        except OSError as error:
            raise SettingsError(f"{path}: cannot be read: {error.strerror}", hint=way_out(error)) from None
        marks.append((str(path), stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return tuple(marks)


def identity(texts: Sequence[tuple[str, str]]) -> str:
    """A short word for these names and texts, the same wherever and whenever they are read."""
    digest = hashlib.sha256()
    for part in (part for text in texts for part in text):
        digest.update(f"{len(part)}:{part}".encode())
    return digest.hexdigest()[:12]


def _below(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link that leads back up
        return
    try:
        names = sorted(each for each in os.listdir(folder) if not each.startswith("."))
    except OSError as error:
        raise SettingsError(f"{folder}: cannot be read: {error.strerror}", hint=way_out(error)) from None
    for name in names:
        path = folder / name
        if path.is_dir():
            yield from _below(path, above | {real})
        elif name.endswith(SUFFIXES):
            yield path


def _tests_of(policies: Path) -> list[Path]:
    """The tests beside a policy file."""
    if is_test(policies) or not policies.exists():
        raise SettingsError(
            f"no policy tests at {policies}: there is no such file or folder",
            hint="a test stands beside its policy: web.test.yaml beside web.yaml",
        )
    found = [each for suffix in TEST_SUFFIXES if (each := policies.with_name(policies.stem + suffix)).exists()]
    if not found:
        name = policies.stem + TEST_SUFFIXES[0]
        raise SettingsError(f"no test beside {policies}", hint=f"write {name} there: see docs/policy-tests.md")
    return found
