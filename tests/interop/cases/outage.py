"""A partner goes away and comes back."""

import asyncio
import time

from lab.case import Case, check

PATIENCE = 30.0


async def until_answered(asker, peer):
    """Asks again while the answer is an error: whoever remembers a failure may do so for a moment."""
    end = time.monotonic() + PATIENCE
    while True:
        asking = asyncio.ensure_future(asker.ask_message(peer))
        failing = asyncio.ensure_future(asker.expect(asker.refusal(peer)))
        done, waiting = await asyncio.wait({asking, failing}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if asking in done:
            return await asking
        refusal = await failing
        asker.heard.remove(refusal)
        check(time.monotonic() < end, f"still an error after {PATIENCE:.0f} s: {refusal}")
        await asyncio.sleep(0.5)  # nobody announces the end of a back-off


class DownAndBack(Case):
    title = "A partner that is down: the gateway's message bounces truthfully; once it is back, messages pass"
    domain = "away.prosody.example"
    own = ("prosody-away", "127.0.2.30")
    runs = False

    async def run(self, world):
        gateway = world.gateways["contoso"]
        condition, text = await gateway.error_for(f"romeo@{self.domain}/outside", "anybody there?")
        check(condition == "remote-server-timeout", f"the bounce says {condition}: {text}")
        await world.start(self.server)
        async with world.user(self.domain) as user:
            await until_answered(gateway, user.me)


class Restart(Case):
    title = "A partner restarts while streams stand both ways: they are opened again"
    domain = "restart.prosody.example"
    own = ("prosody-restart", "127.0.2.31")
    runs = False

    async def run(self, world):
        gateway = world.gateways["contoso"]
        await world.start(self.server)
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
        await self.server.stop()
        await world.start(self.server)
        async with world.user(self.domain) as user:
            await until_answered(gateway, user.me)
            await until_answered(user, gateway.me)


class Killed(Restart):
    title = "A partner is killed while streams stand both ways and starts again: they are opened again"
    domain = "killed.prosody.example"
    own = ("prosody-killed", "127.0.2.32")

    def prepare(self, world):
        super().prepare(world)
        self.server.stop = self.kill

    async def kill(self):
        return await self.server.process.kill()


CASES = [DownAndBack(), Restart(), Killed()]
