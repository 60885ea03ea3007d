"""Drives Debian's chromium over the DevTools protocol's pipe, with nothing but the standard library."""

import base64
import json
import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
_PATIENCE_SECONDS = 60


class Browser:
    """One page of a browser. Messages end with a NUL byte, as `--remote-debugging-pipe` has them."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._numbers = os.fdopen(read, "rb", 0), os.fdopen(write, "wb", 0), count(1)
        self._session: dict[str, str] = {}
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._read.close()
        self._write.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method of the protocol; what happens meanwhile goes to `events`."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters, **self._session}
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, page: Path) -> None:
        """Opens a file as a double click does, and waits until it is loaded."""
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.wait("Page.loadEventFired")

    def run(self, script: str) -> Any:
        """The value of an expression of JavaScript, awaited."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, userGesture=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def wait(self, method: str, **parameters: Any) -> None:
        """Waits until an event with these parameters has come."""
        while not any(self._is(event, method, parameters) for event in self.events):
            self.events.append(self._message())

    @staticmethod
    def _is(event: dict[str, Any], method: str, parameters: dict[str, Any]) -> bool:
        return bool(event["method"] == method) and parameters.items() <= event["params"].items()

    def press(self, key: str, text: str) -> None:
        """Presses and releases a key on whatever has the focus."""
        code = {"Enter": 13, " ": 32}.get(key, ord(key[0].upper()))
        common = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def show(self, width: int, height: int, scheme: str = "light") -> None:
        """Sets the window's size and the colours that its user prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path) -> None:
        """Writes what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._read], [], [], _PATIENCE_SECONDS)[0], "the browser says nothing"
            chunk = self._read.read(1 << 16)
            assert chunk, "the browser ended"
            self._rest += chunk
        one, self._rest = self._rest.split(b"\0", 1)
        message: dict[str, Any] = json.loads(one)
        return message


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A headless browser without a network of its own making; it is gone afterwards."""
    assert CHROMIUM
    its_read, our_write = os.pipe()
    our_read, its_write = os.pipe()
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
    options += ["--disable-background-networking", "--no-first-run", "--remote-debugging-pipe"]
    # The pipe's descriptors are 3 and 4 by definition.
    shell = f'exec "$0" "$@" 3<&{its_read} 4>&{its_write}'
    child = subprocess.Popen(
        ["bash", "-c", shell, CHROMIUM, *options, f"--user-data-dir={profile}", "about:blank"],
        pass_fds=(its_read, its_write),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(its_read)
    os.close(its_write)
    page = None
    try:
        page = Browser(our_read, our_write)
        yield page
    finally:
        if page is not None:
            page.close()
        child.terminate()
        child.wait(30)
