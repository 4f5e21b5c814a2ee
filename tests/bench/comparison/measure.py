"""One measurement: a system started anew, the driver beside it, and what both say."""

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from comparison import systems

# What is freed and used only once is settled by then, in seconds.
SETTLED = 2.5


@dataclass
class Place:
    """Where the measurements are made."""

    driver: Path
    keys: Path
    cores: list

    def system_core(self, count: int = 1) -> str:
        """The last ones are the system's."""
        return ",".join(str(core) for core in self.cores[-count:])

    def driver_cores(self) -> str:
        return ",".join(str(core) for core in self.cores[:-1])


def measure(place: Place, kind: type[systems.System], work: str, cores: int = 1, **options) -> dict:
    """The figures of one piece of work: those of the driver, and beside them `cpu`, in seconds, and `memory`, in KiB."""
    home = Path(tempfile.mkdtemp(prefix="compare."))
    try:
        system = kind(home / kind.name, place.keys, place.system_core(cores), options.get("partners", 1))
        try:
            return drive(place, system, work, options)
        finally:
            system.stop()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def drive(place: Place, system: systems.System, work: str, options: dict) -> dict:
    arguments = {"s2s": systems.S2S, "link": systems.LINK, "server": systems.SERVER, **options}
    words = [str(word) for key, value in arguments.items() for word in (f"--{key}", value)]
    driver = subprocess.Popen(
        ["taskset", "-c", place.driver_cores(), place.driver, work, place.keys, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        answer(driver, system, "ready")
        if work == "idle":
            time.sleep(SETTLED)
        before, memory = system.cpu(), system.memory("VmRSS")
        driver.stdin.write("go\n")
        driver.stdin.flush()
        figures = json.loads(answer(driver, system, "{"))
        figures["cpu"] = system.cpu() - before
        if work == "idle":
            time.sleep(SETTLED)
        figures["memory"] = system.memory("VmRSS") - memory
        figures["peak"] = system.memory("VmHWM")
        driver.stdin.close()
        return figures
    finally:
        driver.kill()
        driver.wait()


def answer(driver: subprocess.Popen, system: systems.System, start: str) -> str:
    line = driver.stdout.readline()
    if not line.startswith(start):
        log = (system.home / "log").read_text()[-1500:]
        raise RuntimeError(f"{system.name}: {line}{driver.stderr.read()}\n{log}")
    return line
