"""The long run: two directions of numbered messages, each a count of its own, and the daemon's memory beside them."""

import asyncio
import statistics
import sys
import time
from lab import ledger
from lab.case import judge
from lab.prosody import SECRET
from lab.resources import cpu_seconds, memory_kib
from lab.user import Service
from lab.world import World

DOMAIN = "soak.prosody.example"
TICK = 0.02
# What a level memory may differ by between the first minute and the end: pages the allocator keeps, not stanzas.
TOLERANCE_KIB = 2048


class Flow:
    """One direction. Every message carries its number and when it was sent."""

    def __init__(self, name, sender, receiver):
        self.name, self.sender, self.receiver = name, sender, receiver
        self.sent = 0
        self.received = 0
        self.wrong = []  # (expected, came): lost, doubled and reordered messages all show as a number out of turn
        self.delays = []
        receiver.add_filter("in", self._hear)

    def send_until(self, total):
        while self.sent < total:
            body = f"{self.name} {self.sent} {time.monotonic()}"
            self.sender.send_message(self.receiver.me, body, mtype="chat", mfrom=self.sender.me)
            self.sent += 1

    def _hear(self, stanza):
        if stanza is None or stanza.name != "message":
            return stanza
        if stanza["type"] == "error":
            # A bounce carries the body back; it comes to the other flow's receiver.
            self.wrong.append(("no error", str(stanza)[:300]))
            return None
        name, number, sent = stanza["body"].split()
        if name == self.name:
            if int(number) != self.received:
                self.wrong.append((self.received, int(number)))
            self.received = int(number) + 1
            self.delays.append(time.monotonic() - float(sent))
        return None  # heard: nobody is to keep it

    def report(self):
        ordered = sorted(self.delays)
        middle, late = (1000 * ordered[int(len(ordered) * q)] for q in (0.5, 0.99)) if ordered else (0, 0)
        return f"{self.name:8}{self.sent:>9} sent{len(ordered):>9} received{len(self.wrong):>6} wrong" + (
            f"   {middle:.1f} ms median, {late:.1f} ms p99"
        )

    @property
    def good(self):
        return self.sent > 0 and self.sent == self.received == len(self.delays) and not self.wrong


async def drive(flows, seconds, rate, pid):
    """Sends at an even rate and samples memory once a second: [(second, KiB)]."""
    start = time.monotonic()
    samples = []
    while (elapsed := time.monotonic() - start) < seconds:
        for flow in flows:
            flow.send_until(int(elapsed * rate / len(flows)))
        if elapsed >= len(samples):
            samples.append((elapsed, memory_kib(pid)))
            if len(samples) % 60 == 0:
                print(
                    f"{elapsed:7.0f} s {samples[-1][1]:8} KiB",
                    *(f.report() for f in flows),
                    sep="\n",
                    file=sys.stderr,
                )
        await asyncio.sleep(TICK)  # the clock is the event
    return samples


async def arrived(flows, deadline=30):
    end = time.monotonic() + deadline
    while any(flow.received < flow.sent for flow in flows) and time.monotonic() < end:
        await asyncio.sleep(TICK)


def level(samples, seconds):
    """The median of ten seconds after the first minute, and of the last ten."""
    settled = 60 if seconds >= 180 else seconds / 3
    early = statistics.median(kib for at, kib in samples if settled <= at < settled + 10)
    late = statistics.median(kib for _, kib in samples[-10:])
    return settled, early, late


async def run(directory, binary, seconds, rate):
    world = World(directory, binary)
    edge = world.edge("contoso", "127.0.1.1", ["server"], mutual_tls=True)
    edge.filter = "info"
    edge.partner(DOMAIN)
    server = world.prosody(
        "prosody-soak", "127.0.2.1", "sasl-external", ["prosody.example"], components=[DOMAIN], level="warn"
    )
    world.servers.append(server)
    async with world:
        gateway = world.gateways["contoso"]
        service = await Service(DOMAIN, SECRET, server.address).reached()
        await service.ask_message(gateway.me)  # opens a stream each way before the clock runs
        flows = [Flow("inward", service, gateway), Flow("outward", gateway, service)]
        pid, before = edge.process.pid, cpu_seconds(edge.process.pid)
        samples = await drive(flows, seconds, rate, pid)
        await arrived(flows)
        used = cpu_seconds(pid) - before
        await service.leave()
        await edge.stop()
    account = await judge("its ledger", ledger.balanced(edge))
    return report(flows, samples, seconds, rate, used, account)


def report(flows, samples, seconds, rate, used, account):
    """Prints what came out, and says whether it is good."""
    settled, early, late = level(samples, seconds)
    steady = late - early <= TOLERANCE_KIB
    stanzas = sum(flow.sent for flow in flows)
    lines = [f"{seconds / 60:g} minutes at {rate:g} stanzas a second; SASL EXTERNAL, link with mutual TLS"]
    for flow in flows:
        lines.append(flow.report())
        lines += [f"    expected {want}, came {came}" for want, came in flow.wrong[:5]]
    lines.append(
        f"memory  {early:.0f} KiB after {settled:.0f} s, {late:.0f} KiB at the end: {late - early:+.0f} KiB"
        f" ({'within' if steady else 'MORE THAN'} the {TOLERANCE_KIB} KiB allowed)"
    )
    lines.append(f"cpu     {used:.1f} s, {1e6 * used / max(1, stanzas):.0f} µs a stanza")
    lines.append(f"ledger  {account.reason or 'balanced; clean exit'}")
    good = steady and account.verdict == "ok" and all(flow.good for flow in flows)
    print(*lines, "passed" if good else "FAILED", sep="\n")
    return good
