"""The contract suite's surroundings for worker processes: real ones on loopback ports, killed from outside."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from autoscaler.clock import SystemClock
from autoscaler.model.operation import OperationKind
from autoscaler.model.policy import Policy, Ready, TargetSpec
from autoscaler.model.policy import ProcessTarget as Spec
from autoscaler.ports import Target
from autoscaler.targets.naming import named
from autoscaler.targets.process import ProcessTarget
from tests.contracts.harness import AWAY, OTHERS, SELECT, VERSION, drive, operation, settled, state

APP = Path(__file__).parents[1] / "parts" / "app" / "app.py"
NEVER_READY = (sys.executable, "-c", "import signal; signal.pause()")


class ProcessHarness:
    """The test application as worker processes."""

    cannot: Mapping[str, str] = {
        VERSION: "the daemon alone keeps the roster of its workers: there is no other writer",
        OTHERS: "the daemon alone starts and ends its workers",
        SELECT: "a policy is its workload",
        AWAY: "workers are children of this very machine: there is nothing that could be away",
    }
    absent = "empty"
    greets = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SystemClock()
        self._targets = [ProcessTarget(folder, self.clock)]
        self.target: Target = self._targets[0]
        ready = Ready(path="/healthz", every=0.1, failures=2)
        spec = Spec(command=(sys.executable, str(APP)), env={"WORK": "0.01"}, ready=ready)
        self.policy = Policy(name="web", target=TargetSpec(process=spec))
        self.ref = named(self.policy)
        self.selecting = self.policy

    async def begin(self, count: int) -> None:
        self.target.discover([self.policy])
        await state(self)  # readiness is probed from the first look on
        made = [operation(self, OperationKind.CREATE, facts={"number": str(n)}) for n in range(1, count + 1)]
        await asyncio.gather(*(drive(self, each) for each in made))
        await settled(self, count)

    async def instances(self) -> Mapping[str, str]:
        return {name: record["id"] for name, record in self._records().items()}

    async def make_sick(self, name: str) -> None:
        port = self._records()[name]["port"]
        await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/sick")

    async def remove(self, name: str) -> None:
        record = self._records().get(name)
        assert record is not None, f"{name} does not run any more"
        os.killpg(record["pid"], signal.SIGKILL)

    async def hold(self) -> None:
        self._run(NEVER_READY)

    async def another_writer(self, count: int) -> None:
        raise AssertionError(self.cannot[VERSION])

    async def refuse(self) -> None:
        self._run(("/nowhere/worker",))

    async def again(self) -> Target:
        made = ProcessTarget(self.folder, self.clock)
        made.discover([self.policy])
        self._targets.append(made)
        return made

    async def away(self) -> Target:
        raise AssertionError(self.cannot[AWAY])

    async def close(self) -> None:
        last = await self.again()
        for each in self._targets[:-1]:
            await each.close()
        await last.stop_all()
        await last.close()

    def _run(self, command: tuple[str, ...]) -> None:
        """From now on this is what new workers run."""
        spec = self.policy.target.process
        assert spec is not None
        changed = TargetSpec(process=msgspec.structs.replace(spec, command=command))
        self.policy = msgspec.structs.replace(self.policy, target=changed)
        self.target.discover([self.policy])

    def _records(self) -> dict[str, dict[str, Any]]:
        """The files of the workers whose process runs, by name; one that stands in beside another has a mark."""
        found = {}
        for file in self.folder.glob("*.json"):
            with contextlib.suppress(FileNotFoundError):
                record = json.loads(file.read_bytes())
                mark = {"surge": "+", "draining": "-"}.get(record["duty"], "")
                if record["pid"] and _runs(record["pid"]):
                    found[f"web-{record['number']}{mark}"] = record
        return found


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def _get(url: str) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=5.0) as answer:
        answer.read()


@contextlib.asynccontextmanager
async def process_harness(folder: Path) -> AsyncIterator[ProcessHarness]:
    """Workers with their files in this folder; all are ended afterwards."""
    harness = ProcessHarness(folder / "workers")
    try:
        yield harness
    finally:
        await harness.close()
