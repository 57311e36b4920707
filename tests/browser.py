"""A headless Chromium, driven over its debugging pipe: no driver, no socket.

Messages of the DevTools protocol are JSON, each ended by a zero byte; the
browser reads them from file descriptor 3 and answers on 4.
"""

import base64
import contextlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S = 60


def find():
    """The browser's path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """One page, and all that it said and asked for.

    Attributes:
        events: DevTools' events so far, in their order.
    """

    def __init__(self, to_browser, from_browser):
        self.events = []
        self._to, self._from = to_browser, from_browser
        self._buffer = b""
        self._number = 0
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")
        self._session = self.call(
            "Target.attachToTarget", flatten=True, **target
        )["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        self._number += 1
        message = {
            "id": self._number,
            "method": method,
            "params": parameters,
        }
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def open(self, path, *, width=1280, height=900):
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Page.navigate", url=pathlib.Path(path).as_uri())

    def evaluate(self, script):
        answer = self.call(
            "Runtime.evaluate",
            expression=script,
            returnByValue=True,
            awaitPromise=True,
        )
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait_for(self, script):
        deadline = time.monotonic() + _PATIENCE_S
        while not self.evaluate(script):
            if time.monotonic() > deadline:
                raise TimeoutError(script)
            time.sleep(0.05)

    def wait_for_frames(self):
        """Until what was asked for before is drawn."""
        for _ in range(3):
            self.evaluate("new Promise(requestAnimationFrame)")

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key)

    def drag(self, start, end):
        for kind, (x, y) in (
            ("mousePressed", start),
            ("mouseMoved", end),
            ("mouseReleased", end),
        ):
            self.call(
                "Input.dispatchMouseEvent",
                type=kind,
                x=x,
                y=y,
                button="left",
                buttons=1,
                clickCount=1,
            )

    def screenshot(self, clip=None):
        """PNG bytes of the window, or of `(x, y, width, height)` in it."""
        options = {}
        if clip is not None:
            keys = ("x", "y", "width", "height", "scale")
            options["clip"] = dict(zip(keys, (*clip, 1), strict=True))
        answer = self.call("Page.captureScreenshot", **options)
        return base64.b64decode(answer["data"])

    def complaints(self):
        """Console errors and warnings, exceptions, and log entries."""
        found = []
        for event in self.events:
            method, told = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(told["exceptionDetails"])
            elif method == "Log.entryAdded":
                found.append(told["entry"])
            elif method == "Runtime.consoleAPICalled":
                if told["type"] in ("error", "warning", "assert"):
                    found.append(told["args"])
        return found

    def requests(self):
        """Addresses of all that was asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def failures(self):
        return [
            event["params"]
            for event in self.events
            if event.get("method") == "Network.loadingFailed"
        ]

    def _receive(self):
        deadline = time.monotonic() + _PATIENCE_S
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._from], [], [], max(left, 0))
            if not ready:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._from, 2**16)
            if not part:
                raise EOFError("the browser has ended")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)


@contextlib.contextmanager
def page(profile):
    """Yields a page of a new browser.

    Args:
        profile: Empty folder for what the browser keeps.
    """
    read_there, write_here = os.pipe()
    read_here, write_there = os.pipe()
    command = [
        find(),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--remote-debugging-pipe",
        f"--user-data-dir={profile}",
    ]
    redirected = f'exec "$@" 3<&{read_there} 4>&{write_there}'
    process = subprocess.Popen(
        ["bash", "-c", redirected, "bash", *command],
        pass_fds=(read_there, write_there),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(read_there)
    os.close(write_there)
    try:
        yield Page(write_here, read_here)
    finally:
        # At the end of the pipe it ends by itself, with its children.
        os.close(write_here)
        os.close(read_here)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
