"""What is around a daemon: its folder, what is remembered there, its door, and whether one runs already."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import msgspec

from autoscaler.clients import control
from autoscaler.decide.explain import span
from autoscaler.doctor.findings import Finding, Verdict, failure, fault, fine, warning
from autoscaler.errors import AutoscalerError, Unreachable
from autoscaler.loop.answers import Status
from autoscaler.settings import Settings
from autoscaler.wiring import MEMORY

DISK = "look at the disk: is it full, is it readable and writable for the user the daemon runs as?"


def around(settings: Settings, now: float) -> list[Finding]:
    """Everything on this machine."""
    daemon, found = _daemon(settings, now), _store(settings.data_folder)
    found += _tokens(settings)
    if settings.address is not None and daemon.verdict is Verdict.NONE:
        found.append(_door(*settings.address))
    return [*found, daemon]


def _daemon(settings: Settings, now: float) -> Finding:
    """The daemon of these settings, if one runs."""
    about, path = "daemon", settings.socket_path
    try:
        status, answer = control.ask(path, "GET", f"{control.API}/status")
        told = msgspec.json.decode(answer, type=Status) if status == 200 else None
    except Unreachable:
        return Finding(about=about, verdict=Verdict.NONE, text=f"none runs by these settings: nobody answers at {path}")
    except msgspec.DecodeError:
        told = None
    if told is None:
        hint = "stop it and start this version, or use the commands of its own version"
        return failure(about, f"who answers at {path} is not a daemon of this version", hint)
    if told.policies.problems:
        said = f"it goes on with {told.policies.revision}, for a newer set was rejected: {told.policies.problems[0]}"
        return failure(about, said, "mend the file; `autoscaler validate` tells every problem at once")
    if told.store:
        return failure(about, f"it cannot write its memory: {told.store}", DISK)
    last, every = told.cycle.at or told.started, told.cycle.every_s
    if now - last > 3 * every + told.cycle.duration_s or told.cycle.lateness_s > every:
        said = f"its last cycle was {span(now - last)} ago and {span(told.cycle.lateness_s)} late"
        return warning(about, said, "is the machine busy, or a server slow? /metrics tells how long cycles take")
    said = f"runs for {span(now - told.started)}, last cycle {span(max(0.0, now - last))} ago"
    if told.faults:
        return warning(about, f"{said}; it went through: {told.faults[-1].sentence}", "`autoscaler history` tells when")
    return fine(about, said)


def _store(folder: Path) -> list[Finding]:
    from autoscaler.store.sqlite import facts_in

    about = "memory"
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        hint = "make it writable for the user the daemon runs as, or set `data` in the settings"
        return [failure(about, f"{folder} cannot be written", hint)]
    try:
        facts = facts_in(folder / MEMORY)
    except AutoscalerError as error:
        return [fault(about, error, DISK)]
    said = "nothing is remembered there yet" if facts is None else f"{len(facts[0])} facts are remembered there"
    return [fine(about, f"{folder}: {said}")]


def _tokens(settings: Settings) -> list[Finding]:
    from autoscaler.web.guard import Tokens

    try:
        Tokens(Path(settings.web.tokens) if settings.web.tokens else None).check()
    except AutoscalerError as error:
        return [fault("listen", error)]
    return []


def _door(host: str, port: int) -> Finding:
    about, place = "listen", f"{host}:{port}"
    with contextlib.closing(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            door.bind((host, port))
        except OSError as error:
            hint = "set `listen` in the settings to another, or to off"
            return failure(about, f"{place} cannot be had: {error.strerror}", hint)
    return fine(about, f"{place} is free")
