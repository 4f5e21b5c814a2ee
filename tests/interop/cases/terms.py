"""What a partner's type leaves of its stanzas, where a real server and its user notice it."""

from lab import plan
from lab.case import Case, check


class Stranger(Case):
    """The partner is a public provider that vouches for nobody: its users come in once they were added."""

    entry = {"type": "public-unverified"}

    def __init__(self, server):
        self.kind, self.edge = server, plan.EDGE[server]
        self.title = f"A stranger at {server} is refused until the local user adds them, and sees no status notes"
        self.domain = f"stranger.{server}.example"

    async def run(self, world):
        gateway = world.gateways[self.edge]
        local = gateway.me.bare
        async with world.user(self.domain) as user:
            condition, text = await user.error_for(gateway.me, "you do not know me")
            check(condition == "policy-violation", f"the message came back with {condition}: {text}")
            user.send_presence(pto=local, ptype="subscribe")
            await user.expect(lambda s: s.name == "presence" and s["type"] == "unsubscribed" and s["from"] == local)
            unasked = [s for s in gateway.heard if s["from"].bare == user.me.bare]
            check(not unasked, f"the gateway has heard of it: {unasked}")

            gateway.send_presence(pto=user.me.bare, pfrom=local, ptype="subscribe")
            # The gateway hears of all the partners at once.
            theirs = lambda s: s.name == "presence" and s["from"].bare == user.me.bare
            await gateway.expect(lambda s: theirs(s) and s["type"] == "subscribed")
            await user.ask_message(gateway.me)
            user.send_presence(pto=local, ptype="subscribe")
            seen = await user.expect(
                lambda s: s.name == "presence" and s["type"] == "available" and s["from"].bare == local
            )
            check(not seen["status"], f"the user has read: {seen['status']}")


CASES = [Stranger("prosody"), Stranger("ejabberd")]
