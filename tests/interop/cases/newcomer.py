"""docs/getting-started.md, followed to the letter by somebody who begins with nothing."""

from lab import page
from lab.case import Case, check
from lab.newcomer import NEWCOMER, PARTNER, Newcomer
from lab.page import Commands
from lab.prosody import Prosody

# Takes minutes, and a network: .ci/run runs this very line, and what it builds is what the case is given.
BUILD = "cargo build --locked --release\n"


class Vouched:
    """The lab's authority, for a server that trusts the newcomer's, too."""

    def __init__(self, authority, theirs, file):
        self.issue, self.file = authority.issue, file
        file.write_text(authority.file.read_text() + theirs)


class GettingStarted(Case):
    title = "Somebody with nothing follows the page for newcomers: each command works, and a user of Prosody is answered"
    domain, partner = "novice.example", "neighbour.example"

    def prepare(self, world):
        """Only records: nothing of it runs unless the case does."""
        names = {"contoso.example": self.domain, "fabrikam.example": self.partner, "192.0.2.10": NEWCOMER}
        self.sections = page.read("getting-started.md", names)
        for name, kind, data in page.records(self.sections):
            name = name.removesuffix(".")
            if kind == "A":
                world.dns.host(name, data)
            else:
                *_, port, host = data.split()
                world.dns.service(name.removeprefix("_xmpp-server._tcp."), host.removesuffix("."), int(port))
        world.publish(PARTNER, [self.partner])

    async def run(self, world):
        async with Newcomer(world) as self.newcomer:
            for section in self.sections:
                start = len(self.newcomer.process.lines)
                if section.title.endswith("The first message"):
                    await self.write(world)
                await self.follow(section, start)

    async def follow(self, section, start):
        """`start`: what is seen of it stands from here on."""
        looks = None
        for part in section.parts:
            if isinstance(part, Commands):
                commands = part.text.replace(BUILD, "")
                await self.newcomer.run(commands)
                looks = commands if commands.startswith("journalctl") else None
            elif part.language == "text":
                for pattern in part.patterns:
                    await self.newcomer.sees(pattern, start, looks)

    async def write(self, world):
        """The partner's administrator has been told, and a user there does as the page says."""
        begin = await self.newcomer.run("cat /etc/xmpp-edge/tls/ca.pem\n")
        theirs = "\n".join(self.newcomer.process.lines[begin:-1]) + "\n"
        authority = Vouched(world.public, theirs, world.directory / "trusted-by-the-neighbour.pem")
        await world.start(Prosody("prosody-neighbour", PARTNER, "sasl-external", [self.partner], authority))
        async with world.user(self.partner, "bob") as user:
            user.send_message(f"anybody@{self.domain}", "hello", mtype="chat")
            answer = await user.expect(lambda s: s.name == "message" and s["type"] != "error")
            check(answer["body"] == "echo: hello", f"the answer: {answer}")


CASES = [GettingStarted()]
