"""docs/performance.md, written of what was measured."""

from comparison import drawing
from comparison.figures import CURVES, WORK, Figure, Results

ORDER = ["xmpp-edge", "floor", "Prosody", "ejabberd"]

HEAD = """# Performance

What the edge costs, beside what somebody would run in its place, and beside the floor: a relay that ends TLS and
copies bytes without looking at them. Nothing that does the same work can cost less than the floor, unless it does
fewer writes. All systems did the same work on the same machine in one run. This page was written by

    tests/bench/compare

which needs Debian's Prosody, with `lua-unbound`, and ejabberd beside it, and takes {minutes}. `--quick` tries in a minute
or two that everything works, and writes elsewhere. Do not edit this page: the command writes it again.
"""

GROWTH = """## Growth

CPU, for a stanza, stays level where the cost grows with the number of stanzas alone, and rises as the bytes do where it
grows with these. Of one stream a system reads several
writes at once; of many streams, one each time, from memory that the processor has not at hand: that is why the floor rises, too.
Curves of ejabberd, which takes seconds to start, are of one round.
"""

NOT_DONE = """## What each system does not do

| system | what it does not do |
|---|---|
| floor | It reads no XML, so it refuses nothing; it asks nobody's name; it has no policy, no limits, no counters, no log. Outward it knows one partner. It is no product. |
| Prosody | Of a partner it demands what it demands of all: policy for one partner is for modules that do not come with it. It is a whole server, with users and rooms, of which nothing is loaded here. Rates are limited by its module `limits`, which is not loaded here either. |
| ejabberd | The same, with an access list for servers. Version 23.01 has no limit for a stanza's bytes by default. It is a whole server, of which only the streams between servers and components are at work here. |
| xmpp-edge | It has no users, no archive, no rooms and no streams of clients: without a gateway it delivers nothing. What it does for each stanza besides is on the page about [security](security.md): strict XML, addresses that the sender has proven, terms of the partner, a fate for each stanza that is counted. |
"""

METHOD = """## How it was measured

- **The systems** are set up alike: STARTTLS, SASL EXTERNAL with certificates of one private authority (P-256), one domain whose
  stanzas go to a gateway by XEP-0114, in the clear. No rate is limited, nothing is written to the log for a stanza. Each
  measurement starts its system anew. All is in a network of its own, on loopback.
- **The edge and the floor** are built as the package is, with `--profile dist`: all crates are optimised as one. What
  `--release` builds in half the time needs up to a quarter more CPU for a stanza.
- **The driver** (`tests/bench/drive`) is the partners, their servers and the gateway at once. It checks that each
  message arrives once, in the order of its stream, with the same addresses, type, id and body; else the run fails.
- **Cores**: the system has {system_core} to itself, the driver {driver_cores}. With two cores the system shares one
  of them with the driver.
- **CPU** is what the kernel counts for the process, all threads, its own work for it included, from the first stanza that is
  measured until the last one has arrived; what comes before (opening, a fifth of a second of the same load) is left out. It is
  given for 100,000 stanzas.
- **Load**: partners write as fast as they can, as long as at most 1 MiB is on its way (256 KiB outward); the flood alone has no
  such limit. "Full TLS records": as many stanzas in one write as 16 KiB hold. The curves of streams and partners have 10
  stanzas in a write.
- **Delay** is from the moment before the driver writes a stanza until it has read it at the gateway, at even intervals.
  The round trip goes from the partner to the gateway, and by an answer to the partner's server, one at a time.
- **A negotiation** is TCP, STARTTLS, TLS 1.3 without resumption, SASL EXTERNAL and the features after it; one at a time. A partner
  shows one certificate for months, so all of them show the same. The edge computes an authority's signature once and then knows
  that it is good; the floor, as its library does, computes it each time. What a certificate costs that was never shown before has a
  row of its own; there everything else that is kept of a partner is new, too, and the certificate is written to the disk.
- **Memory** of an idle stream: what the process has more (`VmRSS`), two and a half seconds after {idle} streams were opened. The peak is
  `VmHWM`, with all that the program needs anyhow.
- **Rounds**: {rounds}. In each round each piece of work is done by one system after the other. Round trips, negotiations, one record a stanza and 2,000 a second are
  short, so edge and floor do these three to five times a round, in turn. The table has the medians of all.
"""

WEAKNESSES = """## Weaknesses

- Loopback has no delay, loses nothing and has no network card. The kernel's part of the work is smaller than on a network.
- Partners, gateway and checks run on the other core. Where the system is faster than they are, it waits for them: it is
  then woken more often, for less, so the floor and the edge look dearer than they are. Stanzas a second are what both did
  together, so they say little of the system; CPU says more.
- Bodies are plain words without characters to escape, and all messages have the same form.
- Prosody and ejabberd are the versions of Debian 12, with the defaults of the package; somebody who knows them well may find better
  settings. Erlang's schedulers wait actively for a moment before they sleep, and that counts as CPU.
- Prosody and ejabberd, with Debian's OpenSSL, agree on another key exchange (X25519) than the floor and the edge, whose is post-quantum as
  well (X25519MLKEM768) and costs more. The ratio of negotiations to Prosody leaves that out.
- Erlang takes memory in large blocks, so what a stream adds to the process is not all that it uses.
- The floor verifies certificates, and does no more than that of a proof. It passes on each piece as it reads it: with one
  stanza a record that is one write a stanza, where a system that gathers needs fewer.
- A virtual machine may share its cores with others. CPU and ratios bear that better than times do; p99 and p99.9 bear it badly.
"""


def write(results: Results) -> tuple[str, dict]:
    """The page, and the drawings beside it, by name."""
    run = results.run
    systems = [name for name in ORDER if name in results.versions]
    parts = [HEAD.format(minutes=f"about {round(run['seconds'] / 60)} minutes" if run["seconds"] > 90 else "a minute or two")]
    if run["quick"]:
        parts.append("**This is a smoke run: its figures say that everything works, and nothing else.**\n")
    parts.append(table(results, systems))
    parts.append(between(results))
    parts.append(spread(results, systems))
    drawings = {}
    parts.append(GROWTH)
    for curve in CURVES:
        text, drawing = growth(results, curve, systems)
        parts.append(text)
        drawings |= drawing
    parts += [NOT_DONE, method(results), WEAKNESSES, machine(results)]
    return "\n".join(parts), drawings


def table(results: Results, systems: list) -> str:
    head = ["figure", *systems, "to Prosody", "to the floor", "target", "stretch", ""]
    rows = [head, ["---"] * len(head)]
    for figure in (it for work in WORK for it in work.figures):
        medians = results.medians(figure.key)
        own = medians.get("xmpp-edge")
        ratios = [ratio(own, medians.get(other)) for other in ("Prosody", "floor")]
        goals = [goal.words() if goal else "" for goal in (figure.target, figure.stretch)]
        rows.append([figure.title, *(number(medians.get(it)) for it in systems), *ratios, *goals, verdict(figure, medians)])
    return (
        "## The figures\n\nMedians; less is better. Targets are for xmpp-edge: a ratio to another system, or an absolute number "
        f"where no system is named.\n\n{lines(rows)}{reference(results)}{missing(results)}"
    )


def reference(results: Results) -> str:
    cpu = results.medians("in-100").get("xmpp-edge")
    if not cpu:
        return ""
    negotiation = results.medians("negotiation-cpu").get("xmpp-edge")
    more = f", or {round(1000 / negotiation, -1):,.0f} negotiations" if negotiation else ""
    return f"\nOn this machine one core of the edge has room for {round(1e5 / cpu, -3):,.0f} stanzas a second of the first row{more}.\n"


def verdict(figure: Figure, medians: dict) -> str:
    own = medians.get("xmpp-edge")
    if own is None or figure.target is None:
        return ""
    for goal, word in ((figure.stretch, "stretch met"), (figure.target, "met")):
        bound = goal.bound(medians) if goal else None
        if bound is not None and own <= bound:
            return word
    bound = figure.target.bound(medians)
    return "not comparable" if bound is None else f"missed: {own / bound:.2f} × the target"


def between(results: Results) -> str:
    """What stands between the edge and the stretch goals that it does not meet."""
    told: dict = {}
    for figure in (it for work in WORK for it in work.figures):
        word = verdict(figure, results.medians(figure.key))
        if figure.between and (word == "met" or word.startswith("missed")):
            told.setdefault(figure.between, []).append(figure.title)
    if not told:
        return ""
    points = [f"- {'; '.join(titles)}. {text}" for text, titles in told.items()]
    return "## What stands between the edge and the stretch\n\n" + "\n".join(points) + "\n"


def missing(results: Results) -> str:
    told = [f"- {system} was not measured: {why}." for system, why in results.absent.items()]
    told += [f"- {what} could not be measured: {why}" for what, why in results.failures.items()]
    return "\n" + "\n".join(told) + "\n" if told else ""


def spread(results: Results, systems: list) -> str:
    rows = [["figure", *systems], ["---"] * (len(systems) + 1)]
    for figure in (it for work in WORK for it in work.figures):
        of_all = results.numbers.get(figure.key, {})
        ends = [f"{number(min(of_all[it]))} – {number(max(of_all[it]))}" if it in of_all else "–" for it in systems]
        rows.append([figure.title, *ends])
    rounds = "one round" if results.run["rounds"] == 1 else f"{results.run['rounds']} rounds"
    return f"## How far the rounds lie apart\n\nThe least and the most of {rounds}.\n\n{lines(rows)}"


def growth(results: Results, curve, systems: list) -> tuple[str, dict]:
    points = results.run["points"][curve.key]
    all_medians = {point: results.medians(f"{curve.key}/{point}") for point in points}
    rows = [[curve.axis, *systems], ["---"] * (len(systems) + 1)]
    for point in points:
        rows.append([f"{point:,}", *(number(all_medians[point].get(it)) for it in systems)])
    found = {system: [(point, all_medians[point][system]) for point in points if system in all_medians[point]] for system in systems}
    found = {system: points for system, points in found.items() if points}
    if not found:
        return "", {}
    name = f"{curve.key}.svg"
    drawn = drawing.curve(curve.title, curve.axis, curve.unit, found, is_linear=curve.key == "cores")
    text = f"### {curve.title}\n\n![{curve.title}: {curve.unit}](performance/{name})\n\n{curve.unit[0].upper() + curve.unit[1:]}.\n\n{lines(rows)}"
    if left_out := [f"{system} above {most:,}" for system, most in curve.most.items() if most < points[-1]]:
        text += f"\nNot measured, for the time that it takes to open the streams: {', '.join(left_out)}.\n"
    if curve.key == "cores":
        text += "\nThe driver shares the cores with the system, so the second core gains less than it would beside it; on a machine of two cores it may gain nothing.\n"
    return text, {name: drawn}


def method(results: Results) -> str:
    run = results.run
    cores = {key: f"core {run[key]}" if run[key].isdigit() else f"cores {run[key]}" for key in ("system_core", "driver_cores")}
    return METHOD.format(rounds=run["rounds"], idle=f"{run['idle']:,}", **cores)


def machine(results: Results) -> str:
    run = results.run
    rows = [["what", ""], ["---", "---"]]
    rows += [[key, run[key]] for key in ("processor", "cores", "memory", "kernel", "date")]
    rows += [[f"version of {system}", version] for system, version in results.versions.items() if system != "floor"]
    return f"## The machine and the versions\n\n{lines(rows)}"


def ratio(own: float | None, other: float | None) -> str:
    if own is None or not other:
        return "–"
    return f"1/{other / own:.1f}" if own < other / 2 else f"{own / other:.2f} ×"


def number(value: float | None) -> str:
    """Three digits that mean something."""
    if value is None:
        return "–"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def lines(rows: list) -> str:
    def cells(row):
        inside = "|".join("---" if cell == "---" else f" {cell} " for cell in row)
        return f"|{inside}|\n"

    return "".join(map(cells, rows))
