"""Who is kept out, in both directions, and whether everybody is told why."""

import re

from lab.case import Case, check
from lab.pki import DAY


async def bounced(sender, peer, condition, text):
    """What one side sends comes back with this condition, and a text that names the cause."""
    got, said = await sender.error_for(peer, "may I?")
    check(got in condition.split("|"), f"{sender.me.domain} got {got} ({said}), not {condition}")
    check(re.search(text, said, re.I), f"the bounce says {said!r}, and nothing like {text!r}")


class BadCertificate(Case):
    """Policy demands EXTERNAL, so a certificate that proves nothing ends the stream, whoever opened it.

    Prosody itself would go on by dialback: it is the daemon that must not.
    """

    method = "tls-dialback"
    entry = {"tls": "required", "sasl": "required"}

    def __init__(self, number, fault, in_words, **issue):
        self.title = f"A partner whose certificate is {fault} is refused both ways where EXTERNAL is demanded"
        self.name = fault.replace(" ", "-")
        self.domain = f"{self.name}.prosody.example"
        self.own = (f"prosody-{self.name}", f"127.0.2.{20 + number}")
        self.in_words, self.issue = in_words, issue

    def certificate(self, world, authority="public", names=None, **issue):
        return getattr(world, authority).issue(self.name, names or [self.domain], **issue)

    def more(self, world):
        return {"certificate": self.certificate(world, **self.issue)}

    async def run(self, world):
        gateway, edge = world.gateways["contoso"], world.edges["contoso"]
        async with world.user(self.domain) as user:
            await bounced(gateway, user.me, "remote-server-timeout", self.in_words)
            await bounced(user, gateway.me, "remote-server-timeout|remote-server-not-found", "")
        kinds = ("certificate-rejected", "dial-failed")
        rejected = {e["direction"] for kind in kinds for e in edge.events(self.domain, kind, self.in_words)}
        check(rejected == {"inbound", "outbound"}, f"the log has the certificate rejected only {rejected}")
        check(not edge.events(self.domain, "stream-authenticated"), "a stream was authenticated")


class Unknown(Case):
    title = "A domain that is no partner is refused both ways"
    domain = "unknown.prosody.example"
    kind, method = "prosody", "tls-dialback"
    entry = None

    async def run(self, world):
        gateway, edge = world.gateways["contoso"], world.edges["contoso"]
        async with world.user(self.domain) as user:
            await bounced(gateway, user.me, "policy-violation|not-allowed", "")
            await bounced(user, gateway.me, "remote-server-timeout|remote-server-not-found", "")
        await edge.event(self.domain, "stream-refused", "unknown-partner")


class NoEncryption(Case):
    title = "A partner that does not offer TLS is refused both ways where its policy demands TLS"
    domain = "no-tls.prosody.example"
    kind, method = "prosody", "tcp-dialback"
    entry = {"tls": "required", "sasl": "optional", "dialback": True}

    async def run(self, world):
        gateway, edge = world.gateways["contoso"], world.edges["contoso"]
        async with world.user(self.domain) as user:
            await bounced(gateway, user.me, "remote-server-timeout|policy-violation", "TLS")
            await bounced(user, gateway.me, "remote-server-timeout|remote-server-not-found", "")
        check(not edge.events(self.domain, "stream-authenticated"), "a stream was authenticated")


class NoSuchDomain(Case):
    title = "A partner that is not in DNS: the gateway is told so"
    domain = "nowhere.example"

    async def run(self, world):
        await bounced(world.gateways["contoso"], f"romeo@{self.domain}", "remote-server-not-found", "")


CASES = [
    BadCertificate(1, "expired", "expired", life=-DAY),
    BadCertificate(2, "self-signed", "self-signed", self_signed=True),
    BadCertificate(3, "for another name", "does not name", names=["somebody-else.example"]),
    BadCertificate(4, "from an unknown authority", "trust|issuer", authority="internal"),
    BadCertificate(5, "for clients only", "clients only", usage=["client"]),
    BadCertificate(6, "sent without its intermediate", "intermediate", whole=False),
    Unknown(),
    NoEncryption(),
    NoSuchDomain(),
]
