"""Domains with letters beyond ASCII, on either side: U-labels in XMPP, A-labels in DNS and certificates."""

from lab import evidence, plan
from lab.case import Case, check

EDGE = "blåbær"
DOMAINS = {
    "sasl-external": "bücher.example",
    "tls-dialback": "bücher-dialback.example",
    "tcp-dialback": "bücher-plain.example",
}


class Letters(Case):
    def __init__(self, method):
        self.method, self.domain = method, DOMAINS[method]
        self.title = f"Prosody hosts {self.domain}, {method}: both ways, to an edge in ASCII and to {EDGE}.example"

    def prepare(self, world):
        if EDGE not in world.edges:
            world.edge(EDGE, "127.0.1.10", ["server"], mutual_tls=False)
        self.server = world.add_domain("prosody", self.domain, self.method)
        for key in ("contoso", EDGE):
            world.edges[key].partner(self.domain, **plan.POLICY[self.method])

    async def run(self, world):
        async with world.user(self.domain) as user:
            for key in ("contoso", EDGE):
                await self.talk(user, world.gateways[key], world.edges[key])

    async def talk(self, user, gateway, edge):
        for kind in plan.KINDS:
            await gateway.ask(kind, user.me)
            await user.ask(kind, gateway.me)
        # RFC 7622 §3.2: no A-label stands in an address. slixmpp shows U-labels for them: hence the attributes.
        seen = [s.xml.get(end, "") for s in (*gateway.heard, *user.heard) for end in ("from", "to")]
        check(any(self.domain in address for address in seen), f"no address has {self.domain}: {seen}")
        check(not any("xn--" in address for address in seen), f"an address has an A-label: {seen}")
        process, method = self.server.process, self.method
        both = {"inbound": method, "outbound": method}
        read = lambda: evidence.prosody(process.lines, edge.domain, self.domain)
        await evidence.named("prosody", process, read, both)
        await evidence.daemon_named(edge, plan.ascii_form(self.domain), method, method)


CASES = [Letters(method) for method in plan.METHODS]
