"""A peer is gone from one moment to the next, with no FIN and no RST: what is still said to it, and who notices."""

import asyncio
import contextlib
import time

from lab import plan, wire
from lab.case import Case, check
from lab.edge import read

from cases.outage import until_answered

PIECE = "x" * (100 * 1024)
PIECES = 38  # more than the kernel takes over, and no more than a queue has room for
SLACK = 5.0  # the kernel looks now and then, the edge says goodbye, and the machine may be busy


async def ended(edge, deadline, **wanted):
    """When the log says that something has ended; `wanted` are fields of that line."""
    await edge.process.line(lambda line: wanted.items() <= read(line).items(), deadline=deadline)
    return time.monotonic()


class PartnerVanishes(Case):
    title = (
        "A partner vanishes without a word: its streams are ended in time, what waited for it bounces, another partner "
        "notices nothing, and once it is back, messages pass"
    )
    domain, witness = "vanish.ejabberd.example", "witness.prosody.example"
    key, address = "tailspin", "127.0.3.2"
    silence = 10.0
    patient = True

    def prepare(self, world):
        edge = world.edge(self.key, "127.0.1.7", ["server", "client"], mutual_tls=False)
        edge.establishment = f"{self.silence / 2:.0f}s"
        world.servers.append(world.ejabberd("ejabberd-vanish", self.address, {self.domain: "sasl-external"}))
        world.add_domain("prosody", self.witness)
        edge.partner(self.domain)
        edge.partner(self.witness)

    async def run(self, world):
        gateway, edge = world.gateways[self.key], world.edges[self.key]
        async with world.user(self.domain) as user, world.user(self.witness) as witness:
            await user.ask_message(gateway.me)
            await gateway.ask_message(user.me)
            watching = asyncio.ensure_future(self.slowest(witness, gateway))
            with wire.cut("partner", (self.address, plan.S2S_PORT), *self.opened(edge)):
                await asyncio.gather(self.stream_in(edge), self.stream_out(gateway, edge, user.me))
            self.over = True
            slowest = await watching
            check(slowest < 3, f"another partner waited {slowest:.1f} s for an answer")
            await self.reach_again(gateway, user)
            await self.reach_again(user, gateway)

    def opened(self, edge):
        """The partner's ends of the streams that it has opened."""
        streams = edge.events(self.domain, "stream-authenticated")
        return [e["peer_address"].rsplit(":", 1) for e in streams if e["direction"] == "inbound"]

    @staticmethod
    async def reach_again(asker, answerer):
        """The partner's server learns only by what it sends that its stream is no longer there: that much is lost."""
        for _ in range(10):
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(until_answered(asker, answerer.me), 2)
        raise AssertionError(f"{asker.me} gets no answers any more")

    over = False

    async def slowest(self, asker, answerer):
        """The longest that anybody has waited for an answer."""
        waits = []
        while not self.over:
            started = time.monotonic()
            await asker.ask_message(answerer.me)
            waits.append(time.monotonic() - started)
            await asyncio.sleep(0.1)  # it is one who asks now and then that must not notice
        return max(waits)

    async def stream_in(self, edge):
        """Nobody says anything on it: it is the probes that find out."""
        started = time.monotonic()
        line = {"event": "stream-closed", "direction": "inbound", "remote": self.domain, "reason": "transport"}
        took = await ended(edge, 2 * self.silence, **line) - started
        check(took < self.silence + SLACK, f"the partner's stream was ended after {took:.1f} s")

    async def stream_out(self, gateway, edge, peer):
        for number in range(PIECES):
            message = gateway.make_message(peer, f"{number} {PIECE}", mtype="chat", mfrom=gateway.me)
            message["id"] = f"gone-{number}"
            message.send()
        started = time.monotonic()
        line = {"event": "stream-closed", "direction": "outbound", "remote": self.domain, "reason": "transport"}
        took = await ended(edge, 2 * self.silence, **line) - started
        check(took < self.silence + SLACK, f"the edge's own stream was ended after {took:.1f} s")
        await gateway.expect(lambda s: gateway.refusal(peer)(s) and s["id"] == f"gone-{PIECES - 1}", 2 * self.silence)
        refusals = [s for s in gateway.heard if gateway.refusal(peer)(s)]
        for stanza in refusals:
            condition, text = gateway.told(stanza)
            check(condition == "remote-server-timeout", f"{stanza['id']} came back with {condition}: {text}")
            gateway.heard.remove(stanza)
        # What the kernel had taken over was written as far as the edge can know; all that followed came back.
        numbers = sorted(int(s["id"].removeprefix("gone-")) for s in refusals)
        check(numbers == list(range(PIECES - len(numbers), PIECES)), f"{numbers} of {PIECES} came back")


class GatewayVanishes(Case):
    title = (
        "The gateway vanishes without a word: its link is ended within a minute, what comes then waits for as long as it "
        "may and bounces, and what waits when the gateway is back is delivered"
    )
    domain = "waiting.prosody.example"
    key = "proseware"
    silence = 60.0
    patient = True

    def prepare(self, world):
        edge = world.edge(self.key, "127.0.1.8", ["server"], mutual_tls=False)
        edge.reconnect_grace = "3s"
        world.add_domain("prosody", self.domain)
        edge.partner(self.domain)

    async def run(self, world):
        gateway, edge = world.gateways[self.key], world.edges[self.key]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
            with wire.cut("gateway", (edge.address, plan.LINK_PORT)):
                # What is written and not acknowledged would keep the link for a quarter of an hour.
                user.send_message(gateway.me, "into the dark", mtype="chat", mfrom=user.me)
                started = time.monotonic()
                took = await ended(edge, 2 * self.silence, event="link-down", reason="transport") - started
                check(took < self.silence + SLACK, f"the link was ended after {took:.1f} s")
                condition, text = await user.error_for(gateway.me, "is it gone?")
                check(condition == "service-unavailable", f"the bounce says {condition}: {text}")
                question = asyncio.ensure_future(user.ask_message(gateway.me))
                gateway.abort()
            world.gateways[self.key] = await world.gateway(self.key).reached()
            await question


CASES = [PartnerVanishes(), GatewayVanishes()]
