"""How a pair is proven where the table's plain policies do not tell."""

import re

from lab import evidence
from lab.case import Case, check
from lab.pki import DAY


class RefusedThenDialback(Case):
    title = (
        "ejabberd refuses EXTERNAL with a certificate for servers only and leaves the stream open: "
        "dialback is taken on that stream"
    )
    domain = "refuses-external.ejabberd.example"
    kind = "ejabberd"
    entry = {"tls": "required", "sasl": "optional", "dialback": True}

    async def run(self, world):
        gateway, edge = world.gateways["contoso"], world.edges["contoso"]
        async with world.user(self.domain) as user:
            await gateway.ask_message(user.me)
        lines = self.server.process.lines
        pair = re.escape(f"{edge.domain} -> {self.domain}")
        streams = [
            {m.group(1) for m in (re.search(rf"\((tls\|[^)]*)\) {what} authentication {pair}", x) for x in lines) if m}
            for what in ("Failed inbound s2s EXTERNAL", "Accepted inbound s2s dialback")
        ]
        check(streams[0] & streams[1], f"EXTERNAL failed on {streams[0]}, dialback succeeded on {streams[1]}")
        await edge.event(self.domain, "method-failed", "not-authorized")
        await evidence.daemon_named(edge, self.domain, inbound="sasl-external", outbound="tls-dialback")


class BadCertificateDialback(Case):
    title = "A partner with an expired certificate is proven by dialback where its policy allows that"
    domain = "expired-lenient.prosody.example"
    own = ("prosody-lenient", "127.0.2.11")
    method = "tls-dialback"
    entry = {"tls": "required", "sasl": "optional", "dialback": True}

    def more(self, world):
        return {"certificate": world.public.issue("expired-lenient", [self.domain], life=-DAY)}

    async def run(self, world):
        gateway, edge = world.gateways["contoso"], world.edges["contoso"]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
        await evidence.daemon_named(edge, self.domain, inbound="tls-dialback", outbound="tls-dialback")


class OverIPv6(Case):
    title = "A partner whose SRV target has nothing but an IPv6 address"
    domain = "six.prosody.example"
    own = ("prosody-six", "127.0.2.12")

    def more(self, world):
        return {"more_addresses": ["fd00::5"]}

    def prepare(self, world):
        super().prepare(world)
        world.dns.service(self.domain, world.dns.host("six-host.example", "fd00::5"))

    async def run(self, world):
        gateway = world.gateways["contoso"]
        async with world.user(self.domain) as user:
            await gateway.ask_message(user.me)


class OlderTls(Case):
    title = "Prosody with an RSA certificate, and no later TLS than 1.2: EXTERNAL both ways"
    domain = "older.prosody.example"
    own = ("prosody-older", "127.0.2.14")

    def more(self, world):
        certificate = world.public.issue("older", [self.domain], rsa_key=True)
        return {"certificate": certificate, "tls_version": "tlsv1_2"}

    async def run(self, world):
        gateway, edge = world.gateways["contoso"], world.edges["contoso"]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
        await evidence.daemon_named(edge, self.domain, inbound="sasl-external", outbound="sasl-external")
        versions = {event["tls"] for event in edge.events(self.domain, "stream-authenticated")}
        check(versions == {"1.2"}, f"the versions: {versions}")


class Bidirectional(Case):
    title = "Prosody with its module for bidirectional streams: question and answer both ways"
    domain = "bidi.prosody.example"
    own = ("prosody-bidi", "127.0.2.13")

    def more(self, world):
        return {"more_modules": ["s2s_bidi"]}

    async def run(self, world):
        gateway = world.gateways["contoso"]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
            await gateway.ask_message(user.me)


CASES = [RefusedThenDialback(), BadCertificateDialback(), OverIPv6(), OlderTls(), Bidirectional()]
