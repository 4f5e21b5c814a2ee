"""What a case is, and how it is judged."""

import time
import traceback

from lab.results import CannotBeDone, Result


class Case:
    """One row below the table: `title` says what must be so, `run` raises where it is not."""

    title = ""
    alone = False  # whether nothing else may run meanwhile
    patient = False  # whether it mostly waits, so that it may run beside all others, those that are alone included

    domain = None  # the partner's domain, where the case has one of its own
    edge = "contoso"  # the edge that it talks with
    entry = {}  # what that edge's partners.toml says of it besides its name; None: nothing at all
    kind = None  # who serves it: "prosody" or "ejabberd" of the table
    own = None  # or a Prosody of its own: name and address
    method = "sasl-external"  # the method that this server is set for
    runs = True  # whether the server of its own runs from the beginning

    def more(self, world):
        """What the Prosody of its own is told besides."""
        return {}

    def prepare(self, world):
        """Adds what the case needs before the world starts: its domain, who serves it, and the edge's entry for it."""
        if self.own:
            self.server = world.prosody(*self.own, self.method, [self.domain], **self.more(world))
            if self.runs:
                world.servers.append(self.server)
        elif self.kind:
            self.server = world.add_domain(self.kind, self.domain, self.method)
        if self.domain and self.entry is not None:
            world.edges[self.edge].partner(self.domain, **self.entry)

    async def run(self, world):
        raise NotImplementedError


def check(condition, complaint):
    if not condition:
        raise AssertionError(complaint)


async def judge(subject, work, trace=False):
    started = time.monotonic()
    try:
        await work
        verdict, reason = "ok", ""
    except CannotBeDone as cannot:
        verdict, reason = "n/a", str(cannot)
    except Exception as failure:
        verdict, reason = "fail", f"{type(failure).__name__}: {failure}"
        if trace:
            traceback.print_exc()
    return Result(subject, verdict, reason, time.monotonic() - started)
