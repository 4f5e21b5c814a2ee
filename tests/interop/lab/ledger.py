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
    counts = re.search(r"accepted (\d+) = delivered (\d+) \+ bounced (\d+) \+ dropped (\d+); 0 were still queued", said)
    check(counts, f"its ledger: {said}")
    accepted, *ends = map(int, counts.groups())
    check(accepted == sum(ends), f"its ledger: {said}")
    lost = [line for line in edge.process.lines if '"reason":"lost"' in line]
    check(not lost, f"stanzas were lost: {lost[:1]}")
