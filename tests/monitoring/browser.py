"""Chromium, by the WebDriver protocol: Python's own library is enough to speak it."""

import base64
import json
import os
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from lab import free_port, until

ENTER, TAB = "\ue007", "\ue004"


class Browser:
    """One window; with `script=False` the browser runs none."""

    def __init__(self, script: bool = True):
        port = free_port()
        self.driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": tempfile.gettempdir()},
        )
        self.url = f"http://127.0.0.1:{port}"
        until("chromedriver", self.is_there)
        options = {
            "binary": "/usr/bin/chromium",
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
            "prefs": {} if script else {"profile.managed_default_content_settings.javascript": 2},
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self.send("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.url += f"/session/{made['sessionId']}"

    def is_there(self) -> bool:
        try:
            return self.send("GET", "/status")["ready"]
        except OSError:
            return False

    def send(self, method: str, path: str, body: dict | None = None):
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{path}: {error.read().decode()}") from None

    def open(self, url: str) -> None:
        self.send("POST", "/url", {"url": url})

    def run(self, script: str, *arguments):
        return self.send("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, script: str):
        return self.send("POST", "/execute/async", {"script": script, "args": []})

    def devtools(self, command: str, **parameters):
        return self.send("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def press(self, *keys: str) -> None:
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.send("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": strokes}]})

    def size(self, width: int, height: int) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    def scheme(self, name: str) -> None:
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, path: Path) -> None:
        taken = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def log(self, kind: str) -> list[dict]:
        return self.send("POST", "/se/log", {"type": kind})

    def end(self) -> None:
        self.send("DELETE", "")
        self.driver.terminate()
        self.driver.wait(30)
