"""Somebody is slow, or sends too much: who waits for whom."""

import asyncio
import time

from lab.case import Case, check
from lab.resources import memory_kib

EDGE = "fourthcoffee"
PIECE = "x" * (100 * 1024)
PIECES = 200
# What the daemon may hold of a flood: a queue of 4 MiB, buffers, and pages the allocator keeps.
HELD_KIB = 32 * 1024


async def flood(sender, receiver, mark):
    for number in range(PIECES):
        sender.send_message(receiver.me, f"{mark} {number} {PIECE}", mtype="chat", mfrom=sender.me)


def arrived(receiver, mark):
    return [int(s["body"].split()[1]) for s in receiver.heard if s.name == "message" and s["body"].startswith(mark)]


class SlowGateway(Case):
    title = f"The gateway stops reading: {PIECES * 100 // 1024} MiB wait at the partner, then come whole and in order"
    domain = "slow.prosody.example"
    alone = True
    edge, kind = EDGE, "prosody"

    async def run(self, world):
        gateway, edge = world.gateways[EDGE], world.edges[EDGE]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
            before, lines = memory_kib(edge.process.pid), len(self.server.process.lines)
            gateway.transport.pause_reading()
            await flood(user, gateway, "slow")

            def handed_over():
                tail = self.server.process.lines[lines:]
                return sum("Sending[s2sout]" in x and str(user.me) in x for x in tail) >= PIECES

            check(await self.server.process.until(handed_over, 60), "Prosody never sent all of it")
            held = memory_kib(edge.process.pid) - before
            gateway.transport.resume_reading()
            await gateway.expect(lambda s: s.name == "message" and s["body"].startswith(f"slow {PIECES - 1} "), 60)
            check(arrived(gateway, "slow") == list(range(PIECES)), f"out of order: {arrived(gateway, 'slow')}")
            check(held <= HELD_KIB, f"the daemon held {held} KiB")


class Flood(Case):
    title = "While one partner floods the gateway, another partner's questions are answered"
    domains = ("flood.prosody.example", "calm.prosody.example")
    alone = True

    def prepare(self, world):
        for domain in self.domains:
            world.add_domain("prosody", domain)
            world.edges[EDGE].partner(domain)

    async def run(self, world):
        gateway = world.gateways[EDGE]
        async with world.user(self.domains[0]) as loud, world.user(self.domains[1]) as calm:
            for user in (loud, calm):
                await user.ask_message(gateway.me)
            await flood(loud, gateway, "flood")
            last = asyncio.ensure_future(
                gateway.expect(lambda s: s.name == "message" and s["body"].startswith(f"flood {PIECES - 1} "), 60)
            )
            waits = []
            while not last.done():
                started = time.monotonic()
                await calm.ask_message(gateway.me)
                waits.append(time.monotonic() - started)
            await last
            check(len(waits) > 2, f"only {len(waits)} questions were answered meanwhile")
            check(max(waits) < 5, f"an answer took {max(waits):.1f} s")


CASES = [SlowGateway(), Flood()]
