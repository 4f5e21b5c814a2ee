"""What is measured: the figures of the table with their targets, and the curves of growth.

A ratio is to another system's median of the same run; where there is no other system, the target is an absolute number.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median


def cpu_of_100000(it: dict) -> float:
    return it["cpu"] / it["count"] * 1e5


def cpu_milliseconds(it: dict) -> float:
    return it["cpu"] / it["count"] * 1e3


@dataclass
class Goal:
    """At most `ratio` times what `of` needs; no `of`: at most so much."""

    ratio: float
    of: str = ""

    def words(self) -> str:
        if self.of == "Prosody":
            return f"1/{round(1 / self.ratio)} of Prosody"
        return f"{self.ratio:g} × {self.of}" if self.of else f"{self.ratio:g}"

    def bound(self, medians: dict) -> float | None:
        """What it comes to in this run."""
        if not self.of:
            return self.ratio
        return self.ratio * medians[self.of] if self.of in medians else None


@dataclass
class Work:
    """One piece of work, of which several figures may be taken."""

    name: str
    work: str
    options: dict
    figures: list
    # Milliseconds of the load, and what a smoke run has in their place; other options that are less then.
    full: int = 1500
    quick: dict = field(default_factory=dict)
    # How often a round measures the systems that are compared closely, in turn: more often where the work is short, and
    # what else the machine does weighs much.
    passes: int = 1

    def arguments(self, quick: bool) -> dict:
        given = {**self.options, "milliseconds": 300 if quick else self.full}
        return {**given, **(self.quick if quick else {})}


@dataclass
class Figure:
    key: str
    title: str
    of: Callable
    target: Goal | None = None
    stretch: Goal | None = None
    # What the edge does that a system at the stretch goal would not do.
    between: str = ""


def prosody(part: int) -> Goal:
    return Goal(1 / part, "Prosody")


def floor(ratio: float) -> Goal:
    return Goal(ratio, "floor")


STANZAS = "CPU, s per 100,000 stanzas"

LONE = (
    "A stanza alone takes some 24,000 instructions beside TLS and system calls: it is read and written (8,700 or 9,800), and its "
    "stream, the queue of its domain and the link wake each other. The code is seldom in the nearest cache at that rate."
)
GREETING = (
    "Five elements are read by the rules of XML, the certificate is read for policy, for the alarm about another issuer and for `status`, and four "
    "lines are written to the log: some 200,000 instructions. The signature that is not computed anew outweighs them in CPU on a quiet "
    "machine; what is left is code that runs once a connection, and so is cold."
)

WORK = [
    Work("full records", "inbound", {"body": 100}, [
        Figure("in-100", f"inbound, body of 100 B, full TLS records: {STANZAS}", cpu_of_100000, prosody(22), prosody(33)),
    ]),
    Work("one record a stanza", "inbound", {"body": 100, "batch": 1}, [
        Figure("in-100-one", f"the same, one TLS record and write a stanza: {STANZAS}", cpu_of_100000, prosody(18), prosody(25)),
    ], passes=3),
    Work("1 KiB", "inbound", {"body": 1024}, [
        Figure("in-1024", f"inbound, 1 KiB: {STANZAS}", cpu_of_100000, prosody(30), prosody(45)),
    ]),
    Work("16 KiB", "inbound", {"body": 16384}, [
        Figure("in-16384", f"inbound, 16 KiB: {STANZAS}", cpu_of_100000, floor(2), floor(1.4),
               "The floor copies what it decrypts. The edge looks at each byte for markup, UTF-8 and characters that XML forbids, and writes what it has "
               "read: 102,000 instructions a stanza, six for each byte, of which 59,000 are the reading. TLS is the same for both."),
    ]),
    Work("outbound", "outbound", {"body": 100}, [
        Figure("out-100", f"outbound, 100 B: {STANZAS}", cpu_of_100000, prosody(28), prosody(40)),
    ]),
    Work("round trip", "trips", {"body": 100}, [
        Figure("trip", "round trip of one stanza in flight: p50, µs", lambda it: it["p50"], floor(1.15), floor(1.05), LONE),
    ], passes=5),
    Work("2,000 a second", "paced", {"body": 100, "rate": 2000}, [
        Figure("delay-p50", "inbound delay at 2,000 a second: p50, µs", lambda it: it["p50"], floor(1.1), floor(1.05), LONE),
        Figure("delay-p99", "… p99, µs", lambda it: it["p99"], floor(1.5)),
        Figure("delay-p999", "… p99.9, µs", lambda it: it["p999"]),
        Figure("delay-cpu", f"… {STANZAS}", cpu_of_100000, floor(1.4), floor(1.2), LONE),
    ], full=5000, passes=5),
    Work("negotiations", "negotiations", {"count": 150}, [
        Figure("negotiation-cpu", "complete negotiation, SASL EXTERNAL: CPU, ms", cpu_milliseconds, floor(1.15), floor(1.08), GREETING),
        Figure("negotiation", "one negotiation alone: p50, ms", lambda it: it["p50"] / 1e3, floor(1.15), floor(1.05), GREETING),
    ], quick={"count": 20}, passes=5),
    Work("first negotiations", "negotiations", {"count": 150, "partners": 151}, [
        Figure("negotiation-first", "the first negotiation of each of 150 partners: CPU, ms", cpu_milliseconds),
    ], quick={"count": 20, "partners": 21}, passes=2),
    Work("idle streams", "idle", {"streams": 1000}, [
        Figure("idle", "memory of an idle authenticated stream, KiB", lambda it: it["memory"] / it["count"], Goal(16), Goal(10),
               "The state of TLS with its keys and the room that its library keeps to read, the task, the driver and the machine (some 3 KiB), the certificate "
               "and what `status` shows of it, places in tables."),
    ], quick={"streams": 200}),
    Work("flood", "flood", {"body": 100, "streams": 8}, [
        Figure("flood", "peak memory under a flood of 8 streams, MiB", lambda it: it["peak"] / 1024, Goal(20), Goal(12),
               "A program that only negotiates, one stream after the other, has a peak of 14 MiB: code, tables, threads and the store. The flood adds little to that."),
    ], full=5000),
]  # fmt: skip


@dataclass
class Curve:
    key: str
    title: str
    axis: str
    work: str
    points: list
    quick_points: list
    # The options of a point.
    options: Callable
    # Above these points a system is not measured, for the time that it would take to open the streams.
    most: dict = field(default_factory=dict)
    of: Callable = cpu_of_100000
    unit: str = STANZAS
    full: int = 1000


CURVES = [
    Curve(
        "streams", "Streams of one partner", "streams", "inbound",
        [1, 10, 100, 1000, 5000], [1, 20],
        lambda it: {"streams": it, "body": 100, "batch": 10},
        most={"Prosody": 1000, "ejabberd": 1000},
    ),
    Curve(
        "partners", "Partners, one stream each", "partners", "inbound",
        [1, 10, 100, 1000], [1, 20],
        lambda it: {"streams": it, "partners": it, "body": 100, "batch": 10},
    ),
    Curve(
        "body", "Bytes of a body", "bytes", "inbound",
        [100, 1024, 4096, 16384, 65536, 262144], [100, 65536],
        lambda it: {"body": it},
    ),
    Curve(
        "cores", "Cores of the system, 8 streams", "cores", "inbound",
        [1, 2], [1, 2],
        lambda it: {"streams": 8, "body": 100, "cores": it},
        of=lambda it: it["count"] / it["seconds"] / 1000, unit="thousands of stanzas a second",
    ),
]  # fmt: skip


@dataclass
class Results:
    """Each figure of each system, one number a round."""

    # figure or "curve/point": {system: [number of each round]}
    numbers: dict = field(default_factory=dict)
    # What could not be measured: {"system, work": why}
    failures: dict = field(default_factory=dict)
    # Systems that are not here: {system: why}; the versions of the others; what is said of the run.
    absent: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    run: dict = field(default_factory=dict)

    def add(self, key: str, system: str, number: float):
        self.numbers.setdefault(key, {}).setdefault(system, []).append(number)

    def medians(self, key: str) -> dict:
        return {system: median(numbers) for system, numbers in self.numbers.get(key, {}).items()}
