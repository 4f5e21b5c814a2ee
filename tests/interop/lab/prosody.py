"""Prosody as a partner. What it demands of others is set for a whole instance, so there is one for each method."""

import asyncio
from dataclasses import dataclass, field

from lab import plan
from lab.process import Process

SECRET = "component secret"

# No `limits`: its default rates would be what a load test measures.
HEAD = """
run_as_root = true
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
log = {{ {level} = "*console" }}
plugin_paths = {{}}
modules_enabled = {{ {modules} }}
authentication = "internal_plain"
allow_registration = true
interfaces = {{ {interfaces} }}
s2s_ports = {{ {s2s_port} }}
c2s_ports = {{ {client_port} }}
component_ports = {{ {component_port} }}
component_interfaces = {{ "{address}" }}
c2s_require_encryption = false
s2s_require_encryption = {encryption}
s2s_allow_encryption = {encryption}
s2s_secure_auth = {secure_auth}
ssl = {{ cafile = "{authority}", certificate = "{chain}", key = "{key}"{tls} }}
"""

# Which method is left when Prosody is set like this.
SETTINGS = {
    "sasl-external": {"encryption": "true", "secure_auth": "true"},
    "tls-dialback": {"encryption": "true", "secure_auth": "false"},
    "tcp-dialback": {"encryption": "false", "secure_auth": "false"},
}


@dataclass
class Prosody:
    name: str
    address: str
    method: str
    domains: list
    authority: object
    certificate: object = None  # none: a good one for all domains
    components: list = field(default_factory=list)
    rooms: list = field(default_factory=list)
    more_addresses: list = field(default_factory=list)
    more_modules: list = field(default_factory=list)
    tls_version: str = ""  # as Prosody writes it; none: all that are safe
    level: str = "debug"

    def configuration(self):
        modules = ["roster", "saslauth", "tls", "dialback", "disco", "ping", "register_ibr"]
        head = HEAD.format(
            directory=self.directory,
            level=self.level,
            modules=", ".join(f'"{m}"' for m in modules + self.more_modules),
            interfaces=", ".join(f'"{a}"' for a in [self.address, *self.more_addresses]),
            address=self.address,
            s2s_port=plan.S2S_PORT,
            client_port=plan.CLIENT_PORT,
            component_port=plan.COMPONENT_PORT,
            authority=self.authority.file,
            chain=self.certificate.chain,
            key=self.certificate.key,
            tls=f', protocol = "{self.tls_version}"' if self.tls_version else "",
            **SETTINGS[self.method],
        )
        hosts = "".join(f'VirtualHost "{d}"\n' for d in self.domains)
        components = "".join(f'Component "{d}"\n    component_secret = "{SECRET}"\n' for d in self.components)
        rooms = "".join(f'Component "{d}" "muc"\n' for d in self.rooms)
        return head + hosts + components + rooms

    async def start(self, directory):
        self.directory = directory / self.name
        self.certificate = self.certificate or self.authority.issue(
            self.name, [*self.domains, *self.components, *self.rooms]
        )
        (self.directory / "data").mkdir(parents=True, exist_ok=True)
        path = self.directory / "prosody.cfg.lua"
        path.write_text(self.configuration())
        self.process = await Process.start(self.name, ["prosody", "-F", "--config", path], directory)
        ports = [plan.S2S_PORT, plan.CLIENT_PORT] + [plan.COMPONENT_PORT] * bool(self.components)
        await asyncio.gather(*(self.process.listening(self.address, port) for port in ports))
        return self

    async def stop(self):
        return await self.process.stop()
