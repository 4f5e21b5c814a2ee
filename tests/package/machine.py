"""A Debian of its own, with a systemd as its first process, and the shell of somebody who sits at it."""

import itertools
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

# With other things running beside it, starting a system takes its time.
DEADLINE = 90
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}
BOOT = ("--quiet", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off", "--boot", "--console=pipe")


class Failed(Exception):
    pass


class CannotRun(Exception):
    pass


class Machine:
    def __init__(self, root):
        self.root, self.blocks, self.lines = Path(root), itertools.count(1), []

    def __enter__(self):
        words = ["systemd-nspawn", *BOOT, "--directory", str(self.root), "systemd.unit=multi-user.target"]
        self.log = open(self.root.parent / "boot.log", "wb")
        self.system = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        try:
            self.sit_down()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        leader = self.leader()
        if leader:
            # SIGRTMIN+4 has systemd power off.
            os.kill(leader, 38)
        try:
            self.system.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.system.kill()
            self.system.wait()

    def leader(self):
        if self.system.poll() is not None:
            return None
        children = Path(f"/proc/{self.system.pid}/task/{self.system.pid}/children").read_text().split()
        return int(children[0]) if children else None

    def sit_down(self):
        end = time.monotonic() + DEADLINE
        while not self.is_up():
            if self.system.poll() is not None or time.monotonic() > end:
                said = (self.root.parent / "boot.log").read_text(errors="replace")
                raise CannotRun(f"no system can be started here: {said[-300:]}")
            time.sleep(0.2)
        environment = [f"{key}={value}" for key, value in ENVIRONMENT.items()]
        words = [*self.inside(), "env", "-i", *environment, "bash", "-s"]
        self.shell = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        threading.Thread(target=self.read, daemon=True).start()
        self.type("trap 'echo \"failed: $BASH_COMMAND\"' ERR\ncd /root\n")

    def inside(self):
        return ["nsenter", "--target", str(self.leader()), "--mount", "--uts", "--ipc", "--net", "--pid", "--"]

    def is_up(self):
        leader = self.leader()
        if not leader:
            return False
        words = [*self.inside(), "systemctl", "is-active", "multi-user.target"]
        return subprocess.run(words, capture_output=True).stdout.strip() == b"active"

    def read(self):
        for line in self.shell.stdout:
            self.lines.append(line.decode(errors="replace").rstrip("\n"))

    def type(self, text):
        self.shell.stdin.write(text.encode())
        self.shell.stdin.flush()

    def line(self, pattern, after=0, deadline=DEADLINE):
        """Waits for a line, and returns it."""
        end = time.monotonic() + deadline
        while time.monotonic() < end:
            for line in self.lines[after:]:
                if re.search(pattern, line):
                    return line
            time.sleep(0.05)
        raise Failed(f"not seen: {pattern}\n" + "\n".join(self.lines[after:][-20:]))

    def run(self, commands, expected=0):
        """As typed by a reader, who sees at once when a command fails. Returns what was printed."""
        number, before = next(self.blocks), len(self.lines)
        self.type(f"eval \"$(cat <<'END OF BLOCK'\n{commands}\nEND OF BLOCK\n)\" < /dev/null\n")
        self.type(f'echo "block {number} ended with $?"\n')
        ended = self.line(f"^block {number} ended with", after=before)
        said = self.lines[before : self.lines.index(ended, before)]
        failed = [line for line in said if line.startswith("failed: ")]
        if not ended.endswith(f" {expected}") or (failed and expected == 0):
            raise Failed(f"{failed or ended}, of:\n{commands}\n" + "\n".join(said[-30:]))
        return said

    def sees(self, pattern, after, again=None):
        """Waits for a line. `again` are commands that only look: they are typed until it is there."""
        end = time.monotonic() + DEADLINE
        while again and time.monotonic() < end:
            if any(re.search(pattern, line) for line in self.lines[after:]):
                return
            self.run(again)
            time.sleep(0.2)
        self.line(pattern, after=after)


def say(text):
    print(text, flush=True)


def check(condition, text):
    if not condition:
        raise Failed(text)


def end(status, text):
    say(text)
    sys.exit(status)
