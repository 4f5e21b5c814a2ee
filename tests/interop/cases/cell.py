"""One cell of the table: a question and its answer, and the method both sides say they proved each other by."""

from lab import evidence
from lab.case import check


def server_log(world, cell):
    server = next(s for s in world.servers if cell.domain in s.domains)
    reader = evidence.prosody if cell.server == "prosody" else evidence.ejabberd
    return reader, server.process.lines


# Which way stanzas go on the first stream that is proven.
FIRST = {"partner": "inbound", "edge": "outbound"}


async def run(world, cell):
    gateway, edge = world.gateways[cell.server], world.edges[cell.server]
    async with world.user(cell.domain) as user:
        if cell.opener == "partner":
            await user.ask(cell.kind, gateway.me)
        else:
            await gateway.ask(cell.kind, user.me)
    both = {"inbound": cell.method, "outbound": cell.method}
    reader, lines = server_log(world, cell)
    theirs = reader(lines, edge.domain, cell.domain)
    check(theirs == both, f"{cell.server} says {theirs}")
    ours = evidence.daemon(edge, cell.domain)
    check(ours == both, f"the daemon says {ours}")
    check(next(iter(ours)) == FIRST[cell.opener], f"the first stream was {next(iter(ours))}")
