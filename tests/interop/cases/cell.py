"""One cell of the table: a question and its answer, and the method both sides say they proved each other by."""

from lab import evidence, plan
from lab.case import check
from lab.results import CannotBeDone

# Which way stanzas go on the first stream that is proven.
FIRST = {"partner": "inbound", "edge": "outbound"}


async def run(world, cell):
    if (cell.server, cell.method) in plan.CANNOT:
        raise CannotBeDone(plan.CANNOT[cell.server, cell.method])
    gateway, edge = world.gateways[cell.edge], world.edges[cell.edge]
    async with world.user(cell.domain) as user:
        if cell.opener == "partner":
            await user.ask(cell.kind, gateway.me)
        else:
            await gateway.ask(cell.kind, user.me)
    server = next(s for s in world.servers if cell.domain in s.domains)
    reader = getattr(evidence, cell.server)
    await evidence.named(
        cell.server,
        server.process,
        lambda: reader(server.process.lines, edge.domain, cell.domain),
        {"inbound": cell.method, "outbound": cell.method},
    )
    ours = await evidence.daemon_named(edge, cell.domain, cell.method, cell.method)
    check(next(iter(ours)) == FIRST[cell.opener], f"the first stream was {next(iter(ours))}")
