"""Everything that runs at once: who is started, with which domains and certificates, and who knows what.

Cases add to it before it starts; afterwards they only use it.
"""

import asyncio
import contextlib

from lab import plan
from lab.dns import NameServer
from lab.edge import Edge
from lab.ejabberd import Ejabberd
from lab.gateway import Gateway
from lab.jabberd2 import SECRET, Jabberd2
from lab.pki import Authority
from lab.prosody import Prosody
from lab.user import Routed, User

LINK_NAME = "edge.inside.example"


class World:
    def __init__(self, directory, binary):
        self.directory, self.binary = directory, binary
        self.dns = NameServer()
        self.public = Authority(directory / "pki", "public-authority")
        self.internal = Authority(directory / "pki", "internal-authority")
        self.servers = []  # started with the world; a case may start others itself
        self.addresses = {}  # partner domain: where its server is
        self.edges, self.gateways = {}, {}
        self.running = contextlib.AsyncExitStack()

    def edge(self, key, address, usage, mutual_tls, gateway=True):
        domain = f"{key}.example"
        host = self.dns.host(f"edge.{domain}", address)
        self.dns.service(domain, host)
        edge = Edge(domain, address, self.public.issue(domain, [domain], usage), self.public)
        if mutual_tls:
            edge.link_certificate = self.internal.issue("link", [LINK_NAME])
            edge.link_authority = self.internal
        self.edges[key] = edge
        if gateway:
            self.gateways[key] = None  # connected when the edge is up
        return edge

    def gateway(self, key):
        edge = self.edges[key]
        gateway = Gateway(edge.domain, edge.secret, edge.address)
        if edge.link_certificate:
            certificate = self.internal.issue("gateway", ["gateway.inside.example"], ["client"])
            gateway.use_mutual_tls(certificate, self.internal, LINK_NAME)
        return gateway

    def publish(self, address, domains, *more_addresses):
        """DNS for domains that one server at `address` serves."""
        host = self.dns.host(f"host-{address.replace('.', '-')}.example", address, *more_addresses)
        for domain in domains:
            self.dns.service(domain, host)
            self.addresses[domain] = address

    def prosody(self, name, address, method, domains, **more):
        self.publish(address, [*domains, *more.get("components", []), *more.get("rooms", [])])
        return Prosody(name, address, method, list(domains), self.public, **more)

    def ejabberd(self, name, address, domains, **more):
        """`domains` says which method each of them is set for."""
        self.publish(address, domains)
        return Ejabberd(name, address, domains, self.public, **more)

    def jabberd2(self, name, address, method, domains):
        self.publish(address, domains)
        return Jabberd2(name, address, method, domains, self.public)

    def add_domain(self, kind, domain, method="sasl-external"):
        """One domain more on a server of the table."""
        name = "ejabberd" if kind == "ejabberd" else f"prosody-{method}"
        server = next(s for s in self.servers if s.name == name)
        if kind == "ejabberd":
            server.domains[domain] = method
        else:
            server.domains.append(domain)
        self.publish(server.address, [domain])
        return server

    @contextlib.asynccontextmanager
    async def user(self, domain, name="romeo"):
        """A user of a partner, for as long as a case lasts."""
        address = self.addresses[domain]
        component = any(isinstance(s, Jabberd2) and domain in s.domains for s in self.servers)
        user = await (Routed(domain, SECRET, address) if component else User(domain, address, name)).reached()
        try:
            yield user
        finally:
            await user.leave()

    async def start(self, server):
        await server.start(self.directory)
        self.running.push_async_callback(server.stop)

    async def __aenter__(self):
        try:
            await self.start(self.dns)
            await asyncio.gather(*(self.start(server) for server in self.servers), *map(self._start_edge, self.edges))
        except BaseException:
            await self.running.aclose()
            raise
        return self

    async def __aexit__(self, *_):
        await asyncio.gather(*(gateway.leave() for gateway in self.gateways.values()))
        await self.running.aclose()

    async def _start_edge(self, key):
        edge = self.edges[key]
        await edge.start(self.binary, self.directory)
        self.running.push_async_callback(edge.stop)
        if key in self.gateways:
            self.gateways[key] = await self.gateway(key).reached()


def matrix_world(directory, binary):
    """Every server with a domain for each cell, behind the edge that its traits ask for.

    Prosody meets a certificate as public authorities issue them now, for servers only, and a link with mutual TLS.
    ejabberd 23.01 refuses such a certificate as a client's, so its edge has one for both uses; its link is plain.
    """
    world = World(directory, binary)
    world.edge("contoso", "127.0.1.1", ["server"], mutual_tls=True)
    world.edge("litware", "127.0.1.2", ["server", "client"], mutual_tls=False)
    # For the cases that disturb a daemon or its gateway.
    world.edge("fourthcoffee", "127.0.1.3", ["server"], mutual_tls=False)
    for number, method in enumerate(plan.METHODS, 1):
        domains = [cell.domain for cell in plan.cells("prosody", method)]
        world.servers.append(world.prosody(f"prosody-{method}", f"127.0.2.{number}", method, domains))
    domains = {cell.domain: cell.method for cell in plan.cells("ejabberd")}
    world.servers.append(world.ejabberd("ejabberd", "127.0.3.1", domains))
    for number, method in enumerate(plan.METHODS[1:], 1):
        domains = [cell.domain for cell in plan.cells("jabberd2", method)]
        world.servers.append(world.jabberd2(f"jabberd2-{method}", f"127.0.4.{number}", method, domains))
    for cell in plan.CELLS:
        if (cell.server, cell.method) not in plan.CANNOT:
            world.edges[cell.edge].partner(cell.domain, **plan.POLICY[cell.method])
    return world
