"""A running edge to look at: that of the demo, with partners that fare well and badly."""

import json
import re
import socket
import subprocess
import time
import urllib.request

PATIENCE = 60


class Demo:
    """`xmpp-edge demo --keep`; `url` is that of its page."""

    def __init__(self, program: str):
        self.process = subprocess.Popen(
            [program, "demo", "--keep"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )
        self.url, self.s2s = "", ("", 0)
        for line in self.process.stdout:
            if found := re.search(r"http://[0-9.]+:[0-9]+/", line):
                self.url = found.group()
            if found := re.search(r"-connect ([0-9.]+):([0-9]+)", line):
                self.s2s = (found.group(1), int(found.group(2)))
            if "The log from here on" in line:
                return
        raise SystemExit("the demo has ended")

    def knock(self, name: str, to: str = "contoso.example") -> None:
        """Somebody comes under a name; `name` is XML already."""
        header = (
            "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams'"
            f" from='{name}' to='{to}' version='1.0'>"
        )
        with socket.create_connection(self.s2s, PATIENCE) as stream:
            stream.settimeout(PATIENCE)
            stream.sendall(header.encode())
            answer = b""
            while b"</stream:stream>" not in answer and (more := stream.recv(4096)):
                answer += more

    def get(self, path: str, accept: str = "*/*") -> str:
        request = urllib.request.Request(self.url + path.lstrip("/"), headers={"Accept": accept})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def status(self) -> dict:
        return json.loads(self.get("/status"))

    def end(self) -> None:
        self.process.terminate()
        # It says more while it stops.
        self.process.communicate(timeout=PATIENCE)


def until(what: str, is_so):
    """What `is_so` gives, as soon as it gives something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := is_so():
            return found
        time.sleep(0.1)
    raise SystemExit(f"never: {what}")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
