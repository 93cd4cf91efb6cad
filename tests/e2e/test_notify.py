"""People are told, by a daemon as its own process: receivers that are slow or away, an audit whose disk is full."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.workers import workers
from tests.parts.process import free_port
from tests.support.wait import until

pytestmark = pytest.mark.e2e

CYCLES = 12


@contextmanager
def receiving() -> Iterator[tuple[str, list[dict[str, Any]], list[dict[str, Any]]]]:
    """A real receiver: the URL below which it answers at once, `/slow` that never does; what it got, and at `/disk`."""
    got: list[dict[str, Any]] = []
    disks: list[dict[str, Any]] = []
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path == "/slow":
                over.wait(120)
            else:
                (disks if self.path == "/disk" else got).append(told)
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", got, disks
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_slow_and_dead_receivers_and_a_full_disk_hold_nothing_up(tmp_path: Path) -> None:
    with receiving() as (url, got, disks):
        usual = {"after": "0s", "kinds": ["short_at_max"]}
        disk = {"webhook": f"{url}/disk", "after": "0s", "kinds": ["store_failing"]}
        notify = {
            "good": {"webhook": url, **usual},
            "disk": disk,
            "slow": {"webhook": f"{url}/slow", **usual},
            "slow_chat": {"apprise": f"{url.replace('http', 'json')}/slow", **usual},
            "dead": {"webhook": f"http://127.0.0.1:{free_port()}/s3cret", **usual},
        }
        with workers(tmp_path, least=6, cycle="1s", notify=notify, audit={"file": "/dev/full"}) as shop:
            shop.start()
            shop.load(500.0)
            until(lambda: [each["data"]["kind"] for each in got] == ["short_at_max"], "the good one is told", within=60)
            assert got[0]["data"]["problems"][0]["text"].startswith("short at max 6, asks for ")
            lateness = []
            first = shop.status()["cycle"]["count"]
            for number in range(first + 1, first + CYCLES):
                until(lambda number=number: shop.status()["cycle"]["count"] >= number, "the next cycle", within=20)
                lateness.append(float(shop.status()["cycle"]["lateness_s"]))
            print(f"late by {', '.join(f'{1000 * each:.0f} ms' for each in lateness)}")
            assert sorted(lateness)[len(lateness) // 2] < 0.25, "no cycle waits for a receiver"
            said = [each["sentence"] for each in shop.status()["faults"]]
            assert any(each.startswith("the audit cannot be written: /dev/full: No space left") for each in said), said
            until(
                lambda: "notify.slow cannot be told: no answer within 10 s" in _faults(shop), "the slow one", within=40
            )
            assert any(each.startswith("notify.dead cannot be told: no answer (Client") for each in said), said
            assert "s3cret" not in shop.text()
            assert [each["data"]["kind"] for each in disks] == ["store_failing"]
            assert "/dev/full" in disks[0]["data"]["text"]
            shop.load(5.0)
            until(lambda: [each["data"]["status"] for each in got] == ["problem", "resolved"], "it is over", within=90)
            assert shop.stop() == 0, "nothing that hangs holds the end up"


def test_the_audit_of_a_daemon_has_people_policies_and_changes_and_a_restart_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "audit" / "audit.jsonl"
    with workers(tmp_path, cycle="1s", audit={"file": str(file)}) as shop:
        shop.start()
        shop.load(35.0)
        until(lambda: shop.ready() == 4, "it has grown", within=60)
        shop.cli("override", "shop", "2", "--for", "1h", "--why", "a talk")
        until(lambda: shop.workload()["current"] == 2, "it has shrunk", within=60)
        assert shop.stop() == 0
        found = [json.loads(each) for each in file.read_text().splitlines()]
        shop.start()
        assert shop.stop() == 0
        again = [json.loads(each) for each in file.read_text().splitlines()]
    told = [(each["action"], each.get("before"), each.get("after")) for each in found if each["kind"] == "decision"]
    assert ("scale", 1, 4) in told or {("scale", 1, 2), ("scale", 1, 3)} & set(told), told
    (said,) = [each for each in found if each["kind"] == "control"]
    assert (said["action"], said["before"], said["after"]) == ("override", 4, 2)
    assert said["caller"] not in ("", "daemon")
    assert "a talk" in said["text"]
    assert {"create", "remove"} <= {each["action"] for each in found if each["kind"] == "outcome"}
    (grew, *_) = [each for each in found if each["kind"] == "decision" and each.get("readings")]
    assert grew["readings"][0]["signal"] == "load"
    assert found[0]["action"] == "policies"
    assert again[: len(found)] == found
    assert again[len(found)]["action"] == "policies"


def _faults(shop: Any) -> list[str]:
    return [str(each["sentence"]) for each in shop.status()["faults"]]
