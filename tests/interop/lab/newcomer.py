"""A host for somebody who has read nothing but a page of the documents: a shell, and a root of its own to change.

The host has a network namespace of its own, with one cable to the lab, so it may listen wherever the page says. What
it writes to /etc, /usr, /var or /opt goes into memory, and ends with it. systemd cannot be its first process: see
`service_manager.py`.
"""

import asyncio
import contextlib
import itertools
import re
import tempfile
from pathlib import Path

from lab.case import check
from lab.dns import NameServer
from lab.process import DEADLINE, Process

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
WHEELS = HERE.parent / ".cache/wheels"

# The daemon refuses addresses that are set aside for documents or for private use: these are neither, and lead nowhere
# but through the cable.
NEWCOMER, PARTNER, NAME_SERVER = "11.0.0.10", "11.0.0.20", "11.0.0.53"
CABLE = "newcomer"

SETUP = r"""
set -e
base=$1 lab=$2 root=$3 binary=$4 authority=$5
mount -t tmpfs newcomer "$base"
mkdir -p "$base/home" "$base/source/target/release"
cp -r "$root/config" "$root/docs" "$base/source"
cp "$binary" "$base/source/target/release/xmpp-edge"
cp "$lab/service_manager.py" "$authority" "$base"
for top in etc usr var opt; do
    mkdir -p "$base/$top/upper" "$base/$top/work"
    mount -t overlay newcomer -o "lowerdir=/$top,upperdir=$base/$top/upper,workdir=$base/$top/work" "/$top"
done
mount -t tmpfs newcomer /run
mount -t tmpfs newcomer /var/log
mkdir -p /run/systemd/journal /usr/local/sbin
rm -f /etc/resolv.conf
echo "nameserver NAME_SERVER" > /etc/resolv.conf
# The authority of the lab is one that everybody trusts.
cp "$base/$(basename "$authority")" /usr/local/share/ca-certificates/public.crt
update-ca-certificates > /dev/null 2>&1
for name in systemctl journalctl; do
    install -m 755 "$base/service_manager.py" "/usr/local/sbin/$name"
done
[ -s /etc/machine-id ] || echo 0123456789abcdef0123456789abcdef > /etc/machine-id
/lib/systemd/systemd-journald &
ip link set lo up
cd "$base/source"
set +e
trap 'echo "failed: $BASH_COMMAND"' ERR
export HOME="$base/home"
echo "the shell is ready"
""".replace("NAME_SERVER", NAME_SERVER)

# Nobody types an answer, and the packages of Python come from a directory, for there is no way to the Internet.
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": str(WHEELS),
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
}


class Newcomer:
    def __init__(self, world):
        self.world = world
        self.blocks = itertools.count(1)
        self.running = contextlib.AsyncExitStack()

    async def __aenter__(self):
        try:
            await self.start(self.world.directory)
        except BaseException:
            await self.running.aclose()
            raise
        return self

    async def __aexit__(self, *_):
        await self.running.aclose()

    async def start(self, directory):
        base = self.running.enter_context(tempfile.TemporaryDirectory(prefix="newcomer-"))
        unshare = "unshare --net --mount --pid --fork --kill-child --mount-proc"
        environment = [f"{key}={value}" for key, value in ENVIRONMENT.items()]
        words = ["env", "-i", *environment, *unshare.split(), "bash", "-s", "--"]
        files = [base, HERE, ROOT, self.world.binary, self.world.public.file]
        self.process = await Process.start("newcomer", [*words, *files], directory, stdin=asyncio.subprocess.PIPE)
        self.running.push_async_callback(self.process.kill)
        self.type(SETUP)
        await self.process.line("the shell is ready")
        await self.plug_in()
        # As the lab's own, for a host that cannot reach that one.
        dns = NameServer(NAME_SERVER, "dnsmasq-of-the-newcomer")
        dns.hosts, dns.services = self.world.dns.hosts, self.world.dns.services
        await dns.start(directory)
        self.running.push_async_callback(dns.stop)

    async def plug_in(self):
        """A cable between the lab and this host. It goes with the host."""
        inside = f"nsenter --net --target {self.process.pid} ip"
        lines = [f"ip link add {CABLE} type veth peer name wan netns {self.process.pid}"]
        lines += [f"ip addr add {address}/24 dev {CABLE}" for address in (PARTNER, NAME_SERVER)]
        lines += [f"ip link set {CABLE} up", f"{inside} addr add {NEWCOMER}/24 dev wan", f"{inside} link set wan up"]
        for line in lines:
            ip = await asyncio.create_subprocess_exec(*line.split())
            check(await ip.wait() == 0, f"it failed: {line}")

    def type(self, commands, then=""):
        """The shell reads them from its input, and they must not read the rest of it."""
        words = f"eval \"$(cat <<'END OF BLOCK'\n{commands}END OF BLOCK\n)\" < /dev/null\n{then}"
        self.process.child.stdin.write(words.encode())

    async def run(self, commands):
        """As typed by a reader, who sees at once when a command fails. Returns where the output begins."""
        number, before = next(self.blocks), len(self.process.lines)
        self.type(commands, f'echo "block {number} ended with $?"\n')
        ended = await self.process.line(f"^block {number} ended with", after=before, deadline=60)
        said = self.process.lines[before:]
        failed = [line for line in said if line.startswith("failed: ")]
        check(ended.endswith(" 0") and not failed, f"{failed or ended}, of:\n{commands}" + "\n".join(said[-8:]))
        return before

    async def sees(self, pattern, after, again=None):
        """Waits for a line. `again` are commands that only look, such as at the log: they are typed until it is there."""
        end = asyncio.get_running_loop().time() + DEADLINE
        while again and asyncio.get_running_loop().time() < end:
            if any(re.search(pattern, line) for line in self.process.lines[after:]):
                return
            await self.run(again)
            await asyncio.sleep(0.1)  # a journal announces itself to nobody who looks
        await self.process.line(pattern, after=after)
