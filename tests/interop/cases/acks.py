"""Acknowledgements (XEP-0198) with a server that has them between servers."""

import re

from lab.case import Case, check

MESSAGES = 40


class AcknowledgedBothWays(Case):
    title = "Prosody with mod_smacks: every stanza is acknowledged, on its stream and on ours"
    domain = "acks.prosody.example"
    own = ("prosody-acks", "127.0.2.45")

    def more(self, world):
        return {"more_modules": ["smacks"]}

    def acknowledged(self, session):
        """What was acknowledged to Prosody on streams of a kind, and how many it still waits for."""
        said = re.compile(rf"^{session}\S*\s.*#queue = (\d+) \(acked: (\d+)\)")
        found = [m.groups() for m in map(said.search, self.server.process.lines) if m]
        return sum(int(acked) for _, acked in found), int(found[-1][0]) if found else None

    def handled(self):
        """How many stanzas Prosody says it has taken on, when it was last asked."""
        said = re.compile(r"Received ack request, acking for (\d+)")
        found = [int(m[1]) for m in map(said.search, self.server.process.lines) if m]
        return found[-1] if found else None

    async def run(self, world):
        gateway, edge, process = world.gateways[self.edge], world.edges[self.edge], self.server.process
        async with world.user(self.domain) as user:
            for _ in range(MESSAGES):
                await user.ask_message(gateway.me)
                await gateway.ask_message(user.me)
            # A question and an answer each way.
            all_taken_on = await process.until(lambda: self.handled() == 2 * MESSAGES)
            check(all_taken_on, f"Prosody has acknowledged {self.handled()}")
            # What opened Prosody's stream was written before Prosody asked for acknowledgements.
            counted = 2 * MESSAGES - 1
            none_waits = await process.until(lambda: self.acknowledged("s2sout") == (counted, 0))
            check(none_waits, f"so much is acknowledged to Prosody, and so much is not: {self.acknowledged('s2sout')}")
        check(not edge.events(self.domain, "stream-closed"), "a stream has ended")


CASES = [AcknowledgedBothWays()]
