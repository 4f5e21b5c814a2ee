"""Many stanzas at once, and a very big one."""

import asyncio

from lab import plan
from lab.case import Case, check

COUNT = 500
BIG = 200 * 1024


async def numbered(sender, receiver, mark):
    """A burst arrives whole, once and in order."""
    bodies = [f"{mark} {number}" for number in range(COUNT)]
    for body in bodies:
        sender.send_message(receiver.me, body, mtype="chat", mfrom=sender.me)
    await receiver.expect(lambda s: s.name == "message" and s["body"] == bodies[-1], deadline=60)
    came = [s["body"] for s in receiver.heard if s.name == "message" and s["body"].startswith(f"{mark} ")]
    check(
        came == bodies,
        f"{mark}: {len(came)} of {COUNT} came, first out of place: {first_wrong(came, bodies)}",
    )


def first_wrong(came, sent):
    return next((pair for pair in zip(came, sent) if pair[0] != pair[1]), "none")


class Burst(Case):
    def __init__(self, server):
        self.kind, self.edge = server, plan.EDGE[server]
        self.domain = f"burst.{server}.example"
        self.title = f"{COUNT} messages in one burst each way, to and from {server}: all there, once, in order"

    async def run(self, world):
        gateway = world.gateways[self.edge]
        async with world.user(self.domain) as user:
            # The first into no stream at all: what waits for one keeps its order. Only the daemon is held to that:
            # Prosody lets what comes while it flushes its queue overtake it, so its burst finds the streams open.
            await numbered(gateway, user, f"cold {self.kind}")
            await user.ask_message(gateway.me)
            there, back = f"there {self.kind}", f"back {self.kind}"
            await asyncio.gather(numbered(user, gateway, there), numbered(gateway, user, back))


class Big(Burst):
    def __init__(self, server):
        super().__init__(server)
        self.domain = f"big.{server}.example"
        self.title = f"A message of {BIG // 1024} KiB, to and from {server}"

    async def run(self, world):
        gateway = world.gateways[self.edge]
        async with world.user(self.domain) as user:
            for sender, receiver in ((user, gateway), (gateway, user)):
                body = f"from {sender.me.domain} " + "x" * BIG
                sender.send_message(receiver.me, body, mtype="chat", mfrom=sender.me)
                await receiver.expect(lambda s, body=body: s.name == "message" and s["body"] == body)


CASES = [Burst("prosody"), Burst("ejabberd"), Big("prosody"), Big("ejabberd")]
