"""The name server that everything in the lab asks."""

from lab import plan
from lab.process import Process


class NameServer:
    """dnsmasq: an SRV record for each domain, and an address record for each host."""

    def __init__(self, address=plan.NAME_SERVER, name="dnsmasq"):
        self.address, self.name = address, name
        self.hosts = {}
        self.services = {}

    def host(self, name, *addresses):
        name = plan.ascii_form(name)
        self.hosts[name] = addresses
        return name

    def service(self, domain, host, port=plan.S2S_PORT):
        self.services[plan.ascii_form(domain)] = (host, port)

    async def start(self, directory):
        lines = [
            "no-resolv",
            "no-hosts",
            "no-daemon",
            "user=root",
            f"listen-address={self.address}",
            "bind-interfaces",
            "local=/example/",
        ]
        lines += [f"host-record={name},{','.join(addresses)}" for name, addresses in self.hosts.items()]
        lines += [
            f"srv-host=_xmpp-server._tcp.{domain},{host},{port},10,0" for domain, (host, port) in self.services.items()
        ]
        configuration = directory / f"{self.name}.conf"
        configuration.write_text("\n".join(lines) + "\n")
        self.process = await Process.start(self.name, ["dnsmasq", f"--conf-file={configuration}"], directory)
        await self.process.listening(self.address, 53)

    async def stop(self):
        await self.process.stop()
