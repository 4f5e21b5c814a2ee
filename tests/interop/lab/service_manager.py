#!/usr/bin/python3
"""`systemctl` and `journalctl` for a host whose first process is not systemd: what a reader of the documents needs.

A unit is started by what its file says: command, user, directories, umask, Type=notify, the journal for its output.
Its confinement is not kept: .ci/confined looks at that. The journal is the real one, which finds the unit's lines by
their identifier here, for there is no control group to name the unit.
"""

import os
import pwd
import re
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path

UNITS = Path("/usr/lib/systemd/system")
RUN = Path("/run/service-manager")
READY = b"READY=1"


def settings(unit):
    lines = (UNITS / f"{unit}.service").read_text().splitlines()
    return dict(re.match(r"(\w+)=(.*)", line).groups() for line in lines if re.match(r"\w+=", line))


def running(unit):
    """A descriptor of the unit's main process, or nothing."""
    try:
        return os.pidfd_open(int((RUN / unit).read_text()))
    except (FileNotFoundError, ProcessLookupError):
        return None


def directories(unit, owner):
    for kind, parent in (("State", "/var/lib"), ("Runtime", "/run")):
        if f"{kind}Directory" in unit:
            path = Path(parent, unit[f"{kind}Directory"])
            path.mkdir(exist_ok=True)
            path.chmod(int(unit.get(f"{kind}DirectoryMode", "0755"), 8))
            os.chown(path, owner.pw_uid, owner.pw_gid)


def journal(name):
    """The journal's stream for a service, and what says to the service that it is one (systemd.exec(5))."""
    stream = socket.socket(socket.AF_UNIX)
    stream.connect("/run/systemd/journal/stdout")
    stream.sendall(f"{name}\n{name}.service\n6\n1\n0\n0\n0\n".encode())
    status = os.fstat(stream.fileno())
    return stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}


def start(name):
    """Returns once the service says that it is ready. A process of ours then goes on to hear what it says."""
    if running(name):
        return
    unit = settings(name)
    owner = pwd.getpwnam(unit["User"])
    directories(unit, owner)
    RUN.mkdir(exist_ok=True)
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    address = RUN / f"{name}.notify"
    address.unlink(missing_ok=True)
    notify.bind(str(address))
    address.chmod(0o666)
    stream, environment = journal(name)
    service = subprocess.Popen(
        unit["ExecStart"].split(),
        stdin=subprocess.DEVNULL,
        stdout=stream,
        stderr=stream,
        cwd="/",
        env={"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(address), **environment},
        user=owner.pw_uid,
        group=owner.pw_gid,
        extra_groups=[],
        umask=int(unit["UMask"], 8),
        start_new_session=True,
    )
    (RUN / name).write_text(str(service.pid))
    end = os.pidfd_open(service.pid)
    while True:
        ready, _, _ = select.select([notify, end], [], [], 30)
        if notify in ready and READY in notify.recv(4096):
            break
        if not ready or end in ready:
            sys.exit(f"Job for {name}.service failed. See `journalctl -u {name}`.")
    if os.fork() == 0:
        os.setsid()
        for descriptor in range(3):
            os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
        while notify.recv(4096):
            pass


def stop(name):
    process = running(name)
    if process:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        select.select([process], [], [], 60)
        (RUN / name).unlink()


def reload(name):
    if not running(name):
        sys.exit(f"{name}.service is not active, cannot reload.")
    main = (RUN / name).read_text()
    subprocess.run(settings(name)["ExecReload"].replace("$MAINPID", main).split(), check=True)


def systemctl(arguments):
    match arguments:
        case ["daemon-reload"]:
            pass
        case ["enable", "--now", name] | ["start", name]:
            start(name)
        case ["stop", name]:
            stop(name)
        case ["restart", name]:
            stop(name)
            start(name)
        case ["reload", name]:
            reload(name)
        case _:
            sys.exit(f"not known here: systemctl {arguments}")


def journalctl(arguments):
    by_identifier = ["-t" if word == "-u" else word for word in arguments]
    os.execv("/usr/bin/journalctl", ["journalctl", *by_identifier])


if __name__ == "__main__":
    {"systemctl": systemctl, "journalctl": journalctl}[Path(sys.argv[0]).name](sys.argv[1:])
