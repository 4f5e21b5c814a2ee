"""One measurement: a system started anew, the driver beside it, and what both say."""

import json
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from comparison import systems

# What is freed and used only once is settled by then, in seconds.
SETTLED = 2.5


@dataclass
class Place:
    """Where the measurements are made."""

    driver: Path
    keys: Path
    system_core: str
    driver_cores: str
    log: list = field(default_factory=list)


def measure(place: Place, kind: type, work: str, cores: str = "", **options) -> dict:
    """The figures of one piece of work: those of the driver, and beside them `cpu`, in seconds, and `memory`, in KiB."""
    home = Path(tempfile.mkdtemp(prefix="compare."))
    try:
        system = kind(home / kind.name, place.keys, cores or place.system_core, options.get("partners", 1))
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
        ["taskset", "-c", place.driver_cores, place.driver, work, place.keys, *words],
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
