"""One cell of the table: a question and its answer, and the method both sides say they proved each other by."""

from lab import evidence, plan
from lab.case import check
from lab.results import CannotBeDone


def opener(edge, cell):
    """Who opened the first stream. The one proven first need not be it: Prosody, asked about a key, proves itself at once.

    A stream of ours is logged with its partner when it is opened; one of theirs only when it is proven.
    """
    ours = [e["stream"] for e in edge.events(cell.domain, "stream-opened")]
    theirs = [e["stream"] for e in edge.events(cell.domain, "stream-authenticated") if e["direction"] == "inbound"]
    return "edge" if min(ours) < min(theirs) else "partner"


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
    await evidence.daemon_named(edge, cell.domain, cell.method, cell.method)
    # jabberd2 sends what it has for one host over one connection, so its stream may be older than the cell.
    if cell.server != "jabberd2":
        check(opener(edge, cell) == cell.opener, "the other side opened the first stream")
