"""ejabberd as a partner: one instance, for what it demands of other servers may differ from host to host."""

import asyncio
import json
from dataclasses import dataclass, field

from lab import plan
from lab.process import Process

SECRET = "component secret"

# Erlang's resolver would otherwise ask the C library's way of looking names up, which knows no SRV.
INETRC = '{lookup, [dns, file]}.\n{file, resolv, "/etc/resolv.conf"}.\n'

# Which method is left when ejabberd is set like this.
STARTTLS = {"sasl-external": "required", "tls-dialback": "required", "tcp-dialback": False}


@dataclass
class Ejabberd:
    name: str
    address: str
    domains: dict  # domain: method
    authority: object
    components: list = field(default_factory=list)
    level: str = "info"

    def configuration(self):
        listen = [
            {"port": plan.S2S_PORT, "ip": self.address, "module": "ejabberd_s2s_in", "shaper": "none"},
            {"port": plan.CLIENT_PORT, "ip": self.address, "module": "ejabberd_c2s", "shaper": "none"},
            {
                "port": plan.COMPONENT_PORT,
                "ip": self.address,
                "module": "ejabberd_service",
                "access": "all",
                "shaper": "none",
                "hosts": {d: {"password": SECRET} for d in self.components},
            },
        ]
        return {
            "hosts": list(self.domains),
            "loglevel": self.level,
            "certfiles": [str(self.certificate.both)],
            "ca_file": str(self.authority.file),
            "s2s_cafile": str(self.authority.file),
            "host_config": {d: {"s2s_use_starttls": STARTTLS[m]} for d, m in self.domains.items()},
            "s2s_max_retry_delay": 1,  # else it answers out of its memory of a failure for up to five minutes
            "registration_timeout": "infinity",
            "listen": listen if self.components else listen[:2],
            "modules": {
                "mod_disco": {},
                "mod_ping": {},
                "mod_register": {"access": "all", "ip_access": "all"},
                "mod_roster": {},
                "mod_s2s_dialback": {},
            },
        }

    async def start(self, directory):
        self.certificate = self.authority.issue(self.name, [*self.domains, *self.components])
        home = directory / self.name
        home.mkdir(parents=True, exist_ok=True)
        inetrc, configuration = home / "inetrc", home / "ejabberd.yml"
        inetrc.write_text(INETRC)
        configuration.write_text(json.dumps(self.configuration(), indent=2))  # JSON is YAML
        environment = {
            "ERL_INETRC": str(inetrc),
            "EJABBERD_CONFIG_PATH": str(configuration),
            "EJABBERD_LOG_PATH": str(home / "ejabberd.log"),
            "ERL_LIBS": "/usr/lib/x86_64-linux-gnu",
            "ERL_CRASH_DUMP_SECONDS": "0",
            "HOME": str(home),
        }
        # Not by its control script, which would start a port mapper that outlives it and step down to another user.
        erl = ["erl", "-noinput", "-mnesia", "dir", f'"{home / "mnesia"}"', "-s", "ejabberd"]
        self.process = await Process.start(self.name, erl, directory, environment, cwd=home)
        ports = [plan.S2S_PORT, plan.CLIENT_PORT] + [plan.COMPONENT_PORT] * bool(self.components)
        await asyncio.gather(*(self.process.listening(self.address, port, 60) for port in ports))
        return self

    async def stop(self):
        return await self.process.stop()
