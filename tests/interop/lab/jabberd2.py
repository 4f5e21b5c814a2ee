"""jabberd2 as a partner: its router and its s2s process. It knows STARTTLS and dialback, and never EXTERNAL.

By default it lets domains that share a host share a connection, too: several pairs of domains on one stream.
"""

import asyncio
from dataclasses import dataclass, field

from lab import plan
from lab.process import Process

SECRET = "component secret"

ROUTER = """<router><id>router</id><log type='stdout'/>
<local><ip>{address}</ip><port>{port}</port><users>{users}</users><secret>{secret}</secret></local>
<io><max_fds>1024</max_fds></io>
<aci><acl type='all'><user>jabberd</user></acl></aci>
</router>
"""

USERS = "<users><user><name>jabberd</name><secret>{secret}</secret></user></users>\n"

# Without a certificate it would open streams as before XMPP 1.0, with no version in the header; with one, and with TLS
# not required, it is the daemon's policy that leaves TCP.
S2S = """<s2s><id>s2s</id><log type='stdout'/>
<router><ip>{address}</ip><port>{port}</port><user>jabberd</user><pass>{secret}</pass></router>
<local><ip>{address}</ip><port>{s2s_port}</port>{tls}</local>
<io><max_fds>1024</max_fds></io>
<check><interval>1</interval><queue>20</queue></check>
<lookup><srv>xmpp-server</srv><bad-host-timeout>1</bad-host-timeout></lookup>
<out-conn-reuse/>
<security>{require}</security>
</s2s>
"""


@dataclass
class Jabberd2:
    name: str
    address: str
    method: str
    domains: list
    authority: object
    processes: list = field(default_factory=list)

    async def start(self, directory):
        home = directory / self.name
        home.mkdir(parents=True, exist_ok=True)
        certificate = self.authority.issue(self.name, self.domains)
        tls = f"<pemfile>{certificate.both}</pemfile><cachain>{self.authority.file}</cachain>"
        require = "<require_tls/>" if self.method == "tls-dialback" else ""
        values = {
            "address": self.address,
            "port": plan.COMPONENT_PORT,
            "secret": SECRET,
            "users": home / "users.xml",
        }
        values |= {"s2s_port": plan.S2S_PORT, "tls": tls, "require": require}
        for name, text in (("users", USERS), ("router", ROUTER), ("s2s", S2S)):
            (home / f"{name}.xml").write_text(text.format(**values))
        for program, port in (("router", plan.COMPONENT_PORT), ("s2s", plan.S2S_PORT)):
            argv = [f"jabberd2-{program}", "-c", home / f"{program}.xml"]
            process = await Process.start(f"{self.name}-{program}", argv, directory)
            self.processes.append(process)
            await process.listening(self.address, port)
        self.process = self.processes[-1]  # the one whose log tells of streams
        return self

    async def stop(self):
        await asyncio.gather(*(process.stop() for process in self.processes))
