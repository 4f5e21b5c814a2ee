"""The clock of the daemon's host is set while streams live."""

import asyncio
from datetime import UTC, datetime, timedelta

from lab.case import Case, check
from lab.clock import Clock
from lab.pki import DAY
from lab.station import DEADLINE

from cases.outage import until_answered

HOUR = timedelta(hours=1)


class Steps(Case):
    title = (
        "The daemon's clock is set a day forward and back: no stream ends, nothing is lost, and certificates are judged "
        "by the new time"
    )
    domain, brief = "steady.prosody.example", "brief.prosody.example"
    key = "adatum"

    def prepare(self, world):
        edge = world.edge(self.key, "127.0.1.9", ["server"], mutual_tls=False)
        self.clock = Clock(world.directory / "clock-of-adatum")
        edge.environment = self.clock.environment
        world.add_domain("prosody", self.domain)
        # Good for twelve hours more: as long as it is today.
        certificate = world.public.issue("brief", [self.brief], life=12 * HOUR)
        server = world.prosody("prosody-brief", "127.0.2.15", "sasl-external", [self.brief], certificate=certificate)
        world.servers.append(server)
        for domain in (self.domain, self.brief):
            edge.partner(domain)

    async def run(self, world):
        gateway, edge = world.gateways[self.key], world.edges[self.key]
        async with world.user(self.domain) as user, world.user(self.brief) as brief:
            await user.ask_message(gateway.me)
            await gateway.ask_message(user.me)
            asking = asyncio.ensure_future(self.keep_asking(user, gateway))
            self.clock.step(DAY)
            condition, text = await gateway.error_for(brief.me, "tomorrow")
            check(condition == "remote-server-timeout" and "expired" in text, f"the bounce says {condition}: {text}")
            await brief.error_for(gateway.me, "tomorrow")
            for kind in ("certificate-rejected", "dial-failed"):
                self.seen(await edge.event(self.brief, kind, "expired"), DAY)
            check(not edge.events(self.brief, "stream-authenticated"), "an expired certificate was accepted")
            await self.some_more()
            for offset in (timedelta(), -DAY, timedelta()):
                self.clock.step(offset)
                self.seen(await edge.reload(), offset)
                await until_answered(brief, gateway.me)
                await until_answered(gateway, brief.me)
                await self.some_more()
            self.over = True
            await asking
        streams = edge.events(self.domain, "stream-authenticated")
        check(len(streams) == 2, f"{len(streams)} streams were opened, not one each way")
        check(not edge.events(self.domain, "stream-closed"), "a stream has ended")

    over = False
    answered = 0

    async def keep_asking(self, one, other):
        """Both ask and are answered, over and over."""
        while not self.over:
            await one.ask_message(other.me)
            await other.ask_message(one.me)
            self.answered += 1

    async def some_more(self):
        wanted = self.answered + 10
        async with asyncio.timeout(DEADLINE):
            while self.answered < wanted:
                await asyncio.sleep(0.01)

    @staticmethod
    def seen(event, offset):
        """The daemon really has the time that it was given."""
        wrong = datetime.fromisoformat(event["timestamp"]) - datetime.now(UTC) - offset
        check(abs(wrong) < timedelta(minutes=1), f"the daemon's clock is wrong by {wrong + offset}, not {offset}")


CASES = [Steps()]
