"""Another gateway, of other hands and in another language: biboumi, a component in C++ that joins IRC to XMPP."""

from lab import plan
from lab.process import Process


class Biboumi:
    def __init__(self, edge):
        self.edge = edge

    async def start(self, directory):
        home = directory / f"biboumi-{self.edge.domain}"
        home.mkdir(parents=True, exist_ok=True)
        settings = {
            "hostname": self.edge.domain,
            "password": self.edge.secret,
            "xmpp_server_ip": self.edge.address,
            "port": plan.LINK_PORT,
            "db_name": home / "biboumi.sqlite",
            "log_level": 0,
        }
        configuration = home / "biboumi.cfg"
        configuration.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        self.process = await Process.start("biboumi", ["biboumi", configuration], directory)
        await self.process.line("Authenticated|[Hh]andshake|is now")

    async def stop(self):
        return await self.process.stop()
