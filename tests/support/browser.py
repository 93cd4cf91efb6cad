"""A page in a real headless browser, spoken to over its debugging protocol."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.parts.catalogue import program
from tests.support.wait import auntil, until


class Page:
    """A page; `faults` is what it complained of, `asked` every URL it asked for."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0
        self.faults: list[str] = []
        self.asked: list[str] = []

    async def call(self, method: str, **words: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": words})
        while True:
            said = await self._socket.receive_json(timeout=30)
            if said.get("id") == self._number:
                if "error" in said:
                    raise AssertionError(f"{method}: {said['error']}")
                return said["result"]
            self._heard(said)

    async def run(self, script: str) -> Any:
        """The value of a script, awaited if it is a promise. Raises AssertionError for one that throws."""
        done = await self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in done:
            raise AssertionError(json.dumps(done["exceptionDetails"])[:600])
        return done["result"].get("value")

    async def seen(self, script: str, what: str) -> Any:
        """Wait until a script gives something true."""
        return await auntil(lambda: self.run(script), what)

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def size(self, width: int, height: int, *, phone: bool = False, scheme: str = "light") -> None:
        """The window's size and the system's theme."""
        scale = 2 if phone else 1
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=phone
        )
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    async def mouse(self, kind: str, x: float, y: float, **words: Any) -> None:
        await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, **words)

    async def press(self, key: str, text: str = "") -> None:
        """One key, down and up."""
        code = {"Enter": 13, "Escape": 27, "Tab": 9}.get(key, ord(key[0].upper()))
        told = {"key": key, "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        typed = text or ("\r" if key == "Enter" else key if len(key) == 1 else "")
        await self.call("Input.dispatchKeyEvent", type="keyDown", text=typed, **told)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **told)

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", text=text)

    async def picture(self, file: Path, *, whole: bool = False) -> None:
        """What it looks like, as a PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def _heard(self, said: dict[str, Any]) -> None:
        if said["method"] in ("Runtime.exceptionThrown", "Log.entryAdded") or (
            said["method"] == "Runtime.consoleAPICalled" and said["params"]["type"] in ("error", "warning", "assert")
        ):
            self.faults.append(json.dumps(said["params"]))
        elif said["method"] == "Network.requestWillBeSent":
            self.asked.append(said["params"]["request"]["url"])


@contextlib.asynccontextmanager
async def browsing(profile: Path) -> AsyncIterator[Page]:
    """An empty page; the browser's files are in `profile`."""
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--window-size=1280,1400"]
    argv = [str(program("chromium")), *words, f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = until(lambda: (profile / "DevToolsActivePort").read_text().split()[0], "the browser tells its port")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                (page,) = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                found = Page(socket)
                for domain in ("Runtime", "Log", "Network", "Page"):
                    await found.call(f"{domain}.enable")
                yield found
    finally:
        process.terminate()
        process.wait(20)
