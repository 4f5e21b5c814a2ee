"""The systems under test: how each is set up for the comparison, started on its core, and looked at.

All are set up alike: one domain, `contoso.example`, whose stanzas go to one XEP-0114 component in the clear; streams of
partners with STARTTLS and SASL EXTERNAL, certificates of one private authority; no limit of rates; the log at its
default level or above.
"""

import json
import os
import socket
import subprocess
import time
from pathlib import Path

DOMAIN = "contoso.example"
SECRET = "0123456789abcdef"
# The system listens on one loopback address, the server of the partners on another: each has its usual port.
ADDRESS, S2S_PORT, LINK_PORT = "127.0.0.2", 5269, 5347
S2S, LINK = f"{ADDRESS}:{S2S_PORT}", f"{ADDRESS}:{LINK_PORT}"
SERVER = "127.0.0.1:5269"
NAME_SERVER = "127.0.0.1"

EDGE = """domains = ["{domain}"]
state-directory = "state"

[s2s]
listen = ["{s2s}"]
connection-limit = 100000
partner-connection-limit = 100000

[admission]
unauthenticated-limit = 0
unauthenticated-per-address = 0
unauthenticated-per-prefix = 0
unauthenticated-per-domain = 0
connections-per-address = 0
attempts-per-address = 0
attempts-per-prefix = 0
attempts-per-domain = 0

[tls]
certificate-chain = "{keys}/own.pem"
private-key = "{keys}/own.key"
trust-anchors = "{keys}/authority.pem"

[gateway]
listen = ["{link}"]
secret-file = "gateway.secret"
plaintext = true

[admin]
socket = "admin.sock"

[log]
format = "text"
"""

PARTNER = """[[partner]]
primary-domain = "p{number}.example"
type = "federated"
route = ["{server}"]
stanza-rate = 0
connection-limit = 100000
max-stanza-bytes = 1048576
"""

PROSODY = """run_as_root = true
pidfile = "{home}/prosody.pid"
data_path = "{home}/data"
log = {{ info = "*console" }}
modules_enabled = {{ "saslauth", "tls", "dialback" }}
interfaces = {{ "{address}" }}
s2s_ports = {{ {s2s_port} }}
c2s_ports = {{ }}
component_ports = {{ {link_port} }}
component_interfaces = {{ "{address}" }}
s2s_require_encryption = true
s2s_secure_auth = true
unbound = {{ resolvconf = false, forward = {{ "{name_server}" }} }}
ssl = {{ cafile = "{keys}/authority.pem", certificate = "{keys}/own.pem", key = "{keys}/own.key" }}

VirtualHost "host.{domain}"

Component "{domain}"
    component_secret = "{secret}"
"""


class System:
    """A running system. `name` is how tables call it."""

    name = ""
    # Whether its curves are measured in the first round alone, for the time that it takes to start.
    grows_once = False
    # Whether a target compares it so closely that short work is measured several times a round.
    is_close = False

    def __init__(self, home: Path, keys: Path, cores: str, partners: int):
        self.home, self.keys, self.partners = home, keys, partners
        home.mkdir()
        command, environment = self.prepare()
        log = (home / "log").open("w")
        self.process = subprocess.Popen(
            ["taskset", "-c", cores, *command],
            cwd=home,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            for port in (S2S_PORT, LINK_PORT):
                self.listening(port)
        except BaseException:
            self.stop()
            raise

    def prepare(self):
        """Writes its files: its command, and what it needs in the environment."""
        raise NotImplementedError

    @classmethod
    def absent(cls) -> str:
        """Why it cannot be measured here; nothing: it can."""
        return ""

    @classmethod
    def version(cls) -> str:
        raise NotImplementedError

    def listening(self, port: int):
        until = time.monotonic() + 180
        while True:
            try:
                return socket.create_connection((ADDRESS, port), 1).close()
            except OSError:
                if time.monotonic() > until or self.process.poll() is not None:
                    log = (self.home / "log").read_text()[-2000:]
                    raise RuntimeError(f"{self.name} does not listen on {port}: {log}") from None
                time.sleep(0.05)

    def cpu(self) -> float:
        """CPU time of all its threads, also of those that have ended, in seconds."""
        # The kernel's clock of another process: see clock_getcpuclockid(3).
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def memory(self, key: str) -> int:
        """`VmRSS`, which it has, or `VmHWM`, the most that it had, in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split(f"{key}:")[1].split()[0])

    def stop(self):
        self.process.kill()
        self.process.wait()


class Edge(System):
    name = "xmpp-edge"
    is_close = True
    program = Path()

    def prepare(self):
        values = {"domain": DOMAIN, "s2s": S2S, "link": LINK, "keys": self.keys}
        (self.home / "edge.toml").write_text(EDGE.format(**values))
        partners = (PARTNER.format(number=number, server=SERVER) for number in range(self.partners))
        (self.home / "partners.toml").write_text("".join(partners))
        (self.home / "gateway.secret").write_text(SECRET)
        for path in self.home.iterdir():
            path.chmod(0o600)
        return [self.program, "run", "--config", self.home / "edge.toml"], {}

    @classmethod
    def version(cls) -> str:
        return subprocess.run([cls.program, "--version"], capture_output=True, text=True).stdout.split()[-1]


class Floor(System):
    name = "floor"
    is_close = True
    program = Path()

    def prepare(self):
        return [self.program, S2S, LINK, SERVER, self.keys], {}

    @classmethod
    def version(cls) -> str:
        return "tests/bench/floor"


class Prosody(System):
    name = "Prosody"

    def prepare(self):
        (self.home / "data").mkdir()
        text = PROSODY.format(
            home=self.home,
            keys=self.keys,
            address=ADDRESS,
            s2s_port=S2S_PORT,
            link_port=LINK_PORT,
            name_server=NAME_SERVER,
            domain=DOMAIN,
            secret=SECRET,
        )
        (self.home / "prosody.cfg.lua").write_text(text)
        return ["prosody", "-F", "--config", self.home / "prosody.cfg.lua"], {}

    @classmethod
    def absent(cls) -> str:
        return absent("prosody", "lua-unbound")

    @classmethod
    def version(cls) -> str:
        return package_version("prosody")


class Ejabberd(System):
    name = "ejabberd"
    grows_once = True

    def prepare(self):
        certificates = {"certfiles": [f"{self.keys}/own.both"]}
        authorities = {"ca_file": f"{self.keys}/authority.pem", "s2s_cafile": f"{self.keys}/authority.pem"}
        component = {DOMAIN: {"password": SECRET}}
        listen = [
            {"port": S2S_PORT, "ip": ADDRESS, "module": "ejabberd_s2s_in", "shaper": "none"},
            {"port": LINK_PORT, "ip": ADDRESS, "module": "ejabberd_service", "shaper": "none", "access": "all"},
        ]
        listen[1]["hosts"] = component
        configuration = {
            "hosts": [f"host.{DOMAIN}"],
            "loglevel": "warning",
            **certificates,
            **authorities,
            "s2s_use_starttls": "required",
            "s2s_max_retry_delay": 1,
            "listen": listen,
            "modules": {},
        }
        # JSON is YAML.
        (self.home / "ejabberd.yml").write_text(json.dumps(configuration, indent=2))
        # Without this the names would be looked up by the C library, which knows no SRV records.
        (self.home / "inetrc").write_text('{lookup, [dns, file]}.\n{file, resolv, "/etc/resolv.conf"}.\n')
        environment = {
            "ERL_INETRC": str(self.home / "inetrc"),
            "EJABBERD_CONFIG_PATH": str(self.home / "ejabberd.yml"),
            "EJABBERD_LOG_PATH": str(self.home / "ejabberd.log"),
            "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "HOME": str(self.home),
        }
        # Not by its control script, which would start a port mapper that outlives it.
        command = ["erl", "-noinput", "+K", "true", "+Q", "65536"]
        return [*command, "-mnesia", "dir", f'"{self.home}/mnesia"', "-s", "ejabberd"], environment

    @classmethod
    def absent(cls) -> str:
        return absent("ejabberd")

    @classmethod
    def version(cls) -> str:
        return package_version("ejabberd")


def package_version(package: str) -> str:
    shown = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return shown.stdout if shown.returncode == 0 else ""


def absent(*packages: str) -> str:
    missing = [package for package in packages if not package_version(package)]
    return f"Debian's {' and '.join(missing)} is not installed" if missing else ""


ALL = [Edge, Floor, Prosody, Ejabberd]
