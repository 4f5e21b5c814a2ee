"""By which method a stream was proven, in the words of each side's own log.

That the stanzas came through says nothing about how. A cell passes only if both sides name the method it is about.
"""

import re

from lab.case import check

PATIENCE = 3.0  # a log may come later than the stanza


def ejabberd(lines, ours, theirs):
    """{"inbound": method, "outbound": method}, seen from ejabberd. `(tls|` or `(tcp|` is the kind of socket."""
    said = re.compile(
        r"\((tls|tcp)\|.*\) Accepted (inbound|outbound) s2s (EXTERNAL|dialback) authentication (\S+) -> (\S+) "
    )
    found = {}
    for match in filter(None, map(said.search, lines)):
        socket, direction, mechanism, origin, target = match.groups()
        if {origin, target} == {ours, theirs}:
            found[direction] = "sasl-external" if mechanism == "EXTERNAL" else f"{socket}-dialback"
    return found


def prosody(lines, ours, theirs):
    """The same for Prosody, which tells it in several lines: of the session, and of the module of the host."""
    complete = re.compile(r"^(s2s(?:in|out)\w+)\s.*(Incoming|Outgoing) s2s connection (\S+)->(\S+) complete")
    external = {
        "Incoming": f"Accepting SASL EXTERNAL identity from {ours}",
        "Outgoing": f"SASL EXTERNAL with {ours} succeeded",
    }
    found = {}
    for match in filter(None, map(complete.search, lines)):
        session, direction, origin, target = match.groups()
        if {origin, target} != {ours, theirs}:
            continue
        encrypted = any(line.startswith(session) and "Stream encrypted" in line for line in lines)
        proven = any(line.startswith(f"{theirs}:saslauth") and external[direction] in line for line in lines)
        method = "sasl-external" if proven and encrypted else "tls-dialback" if encrypted else "tcp-dialback"
        found["inbound" if direction == "Incoming" else "outbound"] = method
    return found


def jabberd2(lines, ours, theirs):
    """The same for jabberd2, which names the pair with its own domain first."""
    said = re.compile(rf"(incoming|outgoing) route '{re.escape(f'{theirs}/{ours}')}' is now valid (TLS)?")
    found = {}
    for match in filter(None, map(said.search, lines)):
        found["inbound" if match[1] == "incoming" else "outbound"] = "tls-dialback" if match[2] else "tcp-dialback"
    return found


def daemon(edge, theirs):
    """The same for the daemon, in its decision log."""
    return {event["direction"]: event["method"] for event in edge.events(theirs, "stream-authenticated")}


async def named(name, process, read, expected):
    """What `read` finds in the log of a process, which must come to be what is expected."""
    await process.until(lambda: read() == expected, PATIENCE)
    found = read()
    check(found == expected, f"{name} says {found}, not {expected}")
    return found


async def daemon_named(edge, theirs, inbound, outbound):
    expected = {"inbound": inbound, "outbound": outbound}
    return await named("the daemon", edge.process, lambda: daemon(edge, theirs), expected)
