"""Who is who in the lab: addresses, domains, and the cells of the table.

Everything lives on loopback addresses of one network namespace. Domains end in `.example`: the resolver library that
Prosody uses answers by itself for `.test` and `.invalid`, and never asks a name server about them.
"""

from dataclasses import dataclass

NAME_SERVER = "127.0.0.53"
S2S_PORT = 5269
CLIENT_PORT = 5222
COMPONENT_PORT = 5347
LINK_PORT = 23456

SERVERS = ("prosody", "ejabberd", "jabberd2")
METHODS = ("sasl-external", "tls-dialback", "tcp-dialback")
OPENERS = ("partner", "edge")
# Which of the edges stands before which server; the names are the first labels of the edges' domains.
EDGE = {"prosody": "contoso", "ejabberd": "litware", "jabberd2": "litware"}
KINDS = ("message", "presence", "iq")


def ascii_form(domain):
    """The A-labels of a domain: what DNS and certificates have, and the daemon's log in its fields."""
    return domain.encode("idna").decode()


@dataclass(frozen=True)
class Cell:
    """One field of the table. Each has a partner domain of its own, so each begins with no stream at all."""

    server: str
    method: str
    opener: str
    kind: str

    @property
    def edge(self):
        return EDGE[self.server]

    @property
    def domain(self):
        return f"{self.kind}-{self.opener}-{self.method}.{self.server}.example"

    def __str__(self):
        return f"{self.server} {self.method}, {self.opener} opens, {self.kind}"


CELLS = [Cell(s, m, o, k) for s in SERVERS for m in METHODS for o in OPENERS for k in KINDS]


def cells(server, method=None):
    return [c for c in CELLS if c.server == server and method in (None, c.method)]


# What is left to a server that is not able to.
CANNOT = {
    (
        "jabberd2",
        "sasl-external",
    ): "jabberd2 2.7.0 has STARTTLS and dialback only: it neither offers EXTERNAL nor takes it",
}

# What a partner's entry must say so that only this one method is left.
POLICY = {
    "sasl-external": {"tls": "required", "sasl": "required", "dialback": False},
    "tls-dialback": {"tls": "required", "sasl": "not-supported", "dialback": True},
    "tcp-dialback": {"tls": "not-supported", "sasl": "not-supported", "dialback": True},
}
