"""Steps into namespaces of the lab's own, and out of them whatever happens.

The kernel does the cleaning: the namespaces have no names, and the first process of a process namespace takes all
others with it when it ends. Nothing the lab starts can outlive it, and nothing it opens can be reached from outside.
"""

import os
import subprocess
import sys
from pathlib import Path

from lab import plan

HERE = Path(__file__).resolve().parent.parent
CACHE = HERE / ".cache"
INSIDE = "XMPP_EDGE_LAB"

# Every program then asks our own name server, whether it reads resolv.conf itself or leaves that to the C library.
STEP_IN = """
ip link set lo up
ip -6 addr add fd00::5/128 dev lo 2>/dev/null
mount --bind "$1" /etc/resolv.conf
shift
exec "$@"
"""


def enter(prepare=None):
    """Returns at once where we are inside already; otherwise runs this very command inside and exits as it did.

    `prepare` is what must be done before, outside, where the network is.
    """
    if INSIDE in os.environ:
        return
    if os.geteuid() != 0:
        sys.exit("The lab makes namespaces and installs packages: run it as root.")
    subprocess.run([HERE / "install"], check=True, stdout=sys.stderr)
    if prepare:
        prepare()
    resolv = CACHE / "resolv.conf"
    resolv.write_text(f"nameserver {plan.NAME_SERVER}\noptions timeout:2 attempts:2\n")
    # Should this process be killed, the first one inside is too, and so all of them.
    unshare = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    again = [CACHE / "venv/bin/python", *sys.argv]
    environment = os.environ | {INSIDE: "1", "PYTHONDONTWRITEBYTECODE": "1"}
    step = ["sh", "-c", STEP_IN, "step-in", resolv, *again]
    sys.exit(subprocess.run([*unshare, *step], env=environment).returncode)
