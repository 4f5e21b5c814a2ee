"""The daemon's own account of all stanzas, which it gives when it stops."""

import re

from lab.case import check
from lab.edge import read

TITLE = "The daemon of {} stops cleanly, with an end for every stanza it accepted"


async def balanced(edge):
    """accepted = delivered + bounced + dropped + queued, and nothing queued or lost."""
    status = await edge.process.child.wait()
    check(status == 0, f"it exited with {status}")
    drained = [e for e in map(read, edge.process.lines) if e.get("event") == "drained"]
    check(drained, "it did not say that it had drained")
    said = drained[-1].get("detail", "")
    counts = {name: int(count) for name, count in re.findall(r"(\w+) (\d+)", said)}
    ends = sum(counts.get(name, 0) for name in ("delivered", "bounced", "dropped", "queued"))
    check(counts.get("accepted") == ends and counts["queued"] == 0, f"its ledger: {said}")
    lost = [line for line in edge.process.lines if '"reason":"lost"' in line]
    check(not lost, f"stanzas were lost: {lost[:1]}")
