"""The gateway's side: it goes away and comes back, it is not who it says, and the daemon stops under it."""

import asyncio
import re

from lab.biboumi import Biboumi
from lab.case import Case, check
from lab.edge import read
from lab.gateway import Gateway
from lab.guide import GuidesGateway

from cases.outage import until_answered

EDGE = "fourthcoffee"


class Absent(Case):
    title = "A gateway that is away for a moment: what came meanwhile is delivered when it is back"
    domain = "patient.prosody.example"
    alone = True
    edge = EDGE
    own = ("prosody-patient", "127.0.2.33")

    async def run(self, world):
        gateway = world.gateways[EDGE]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)  # the stream stands before the gateway goes
            await gateway.leave()
            question = asyncio.ensure_future(user.ask_message(gateway.me))
            world.gateways[EDGE] = await world.gateway(EDGE).reached()
            await question


class AnotherGateway(Case):
    title = "biboumi, a component in C++, is the gateway: its version and its commands can be asked for"
    domain = "irc-user.prosody.example"

    def prepare(self, world):
        # The world itself connects no gateway here.
        world.edge("northwind", "127.0.1.5", ["server"], mutual_tls=False, gateway=False)
        world.add_domain("prosody", self.domain)
        world.edges["northwind"].partner(self.domain)

    async def run(self, world):
        edge = world.edges["northwind"]
        gateway = Biboumi(edge)
        await world.start(gateway)
        async with world.user(self.domain) as user:
            version = await user["xep_0092"].get_version(edge.domain)
            check(version["software_version"]["name"] == "biboumi", f"the version: {version}")
            commands = await user["xep_0030"].get_items(edge.domain, node="http://jabber.org/protocol/commands")
            check(len(commands["disco_items"]["items"]) > 0, f"the commands: {commands}")
        await gateway.stop()


class Echoed:
    """A user whose questions the guide's gateway answers in its own way."""

    def __init__(self, user):
        self.user, self.heard = user, user.heard
        self.expect, self.refusal = user.expect, user.refusal

    async def ask_message(self, peer):
        self.user.send_message(peer, "are you back?", mtype="chat", mfrom=self.user.me)
        return await self.expect(lambda s: s.name == "message" and s["body"] == "echo: are you back?")


class GuideIsTrue(Case):
    title = "The gateway that the guide for authors gives answers as the guide says, and again after a restart of the edge"
    domain = "reader.prosody.example"

    def prepare(self, world):
        world.edge("southridge", "127.0.1.6", ["server"], mutual_tls=False, gateway=False)
        world.add_domain("prosody", self.domain)
        world.edges["southridge"].partner(self.domain)

    async def run(self, world):
        edge = world.edges["southridge"]
        gateway = GuidesGateway(edge)
        await world.start(gateway)
        async with world.user(self.domain) as user:
            someone = f"someone@{edge.domain}"
            user.send_message(someone, "is this true?", mtype="chat", mfrom=user.me)
            await user.expect(lambda s: s.name == "message" and s["body"] == "echo: is this true?")
            user.send_presence(pto=someone, pfrom=user.me.bare, ptype="subscribe")
            await user.expect(lambda s: s.name == "presence" and s["type"] == "subscribed")
            await user["xep_0030"].get_info(edge.domain)
            before = len(gateway.process.lines)
            await edge.stop()
            await gateway.process.line("no link", after=before)
            # The first attempt fails: the way back must not end there.
            await gateway.process.line("no link: .*[Cc]onnect", after=before)
            await edge.resume()
            await gateway.process.line("link is up", after=before)
            await until_answered(Echoed(user), someone)
        await gateway.stop()


async def turned_away(edge, stranger, in_words):
    """A component tries, gets no session, and the log says why."""
    before = len(edge.process.lines)
    connecting = asyncio.ensure_future(stranger.reached())
    try:
        event = read(await edge.process.line('"event":"link-refused"', after=before))
        check(re.search(in_words, event["detail"]), f"it was refused with {event}")
        check(not connecting.done(), "it has a session")
    finally:
        connecting.cancel()
        stranger.abort()


class WrongSecret(Case):
    title = "A component with a wrong secret is not let in"
    alone = True

    async def run(self, world):
        edge = world.edges["litware"]
        await turned_away(edge, Gateway(edge.domain, edge.secret + "!", edge.address), "secret|handshake")


class NoCertificate(Case):
    title = "A component without a certificate is not let in over the link with mutual TLS"
    alone = True

    async def run(self, world):
        stranger = world.gateway("contoso")
        stranger.certfile = stranger.keyfile = None
        await turned_away(world.edges["contoso"], stranger, "certificate")


class Stop(Case):
    title = "The daemon is told to stop: streams are closed with system-shutdown, and it works again when started"
    domain = "stop.prosody.example"
    alone = True
    edge = EDGE
    own = ("prosody-stop", "127.0.2.34")

    async def run(self, world):
        edge = world.edges[EDGE]
        async with world.user(self.domain) as user:
            await user.ask_message(world.gateways[EDGE].me)
            before = len(self.server.process.lines)
            status = await edge.stop()
            check(status == 0, f"it exited with {status}")
            await self.server.process.line("system-shutdown", after=before)
            await world.gateways[EDGE].leave()
            await edge.resume()
            world.gateways[EDGE] = await world.gateway(EDGE).reached()
            await user.ask_message(world.gateways[EDGE].me)


CASES = [Absent(), AnotherGateway(), GuideIsTrue(), WrongSecret(), NoCertificate(), Stop()]
