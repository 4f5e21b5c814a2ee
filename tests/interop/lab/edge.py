"""The daemon itself, configured as an administrator would."""

import json
import re
import signal
from dataclasses import dataclass, field

from lab import plan
from lab.process import Process


def toml(table):
    """Strings, booleans, numbers and lists are written in TOML as they are in JSON."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    lines += [f"\n[{key}]\n{toml(value)}" for key, value in table.items() if isinstance(value, dict)]
    return "\n".join(lines)


def read(line):
    """A line of the log, or nothing where it is not JSON: what a library or a panic wrote."""
    try:
        return json.loads(line)
    except ValueError:
        return {}


def matches(event, about, kind, in_words):
    """Whether a decision is of a kind, about a domain, and gives its reason in such words (a pattern)."""
    detail = event.get("detail", "")
    # A stream that is refused at its header has no pair yet: then only the words name the domain.
    named = {event.get("remote"), event.get("partner"), event.get("claimed"), *detail.split()[:1]}
    said = f"{event.get('reason', '')} {detail}"
    return event.get("event") == kind and about in named and bool(re.search(in_words, said, re.IGNORECASE))


@dataclass
class Edge:
    domain: str
    address: str
    certificate: object
    authority: object
    link_certificate: object = None  # none: the link is plain, on loopback
    link_authority: object = None
    secret: str = "the secret of the lab's links"
    establishment: str = "10s"
    inactivity: str = "10m"
    reconnect_grace: str = "30s"
    filter: str = "info,xmpp_edge=debug"
    partners: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)

    def partner(self, domain, **settings):
        """Settings are keys of a `[[partner]]`, with underscores for hyphens."""
        entry = {"primary-domain": domain, "type": "federated"}
        self.partners.append(entry | {key.replace("_", "-"): value for key, value in settings.items()})

    def configuration(self):
        link = {"listen": [f"{self.address}:{plan.LINK_PORT}"], "secret-file": "gateway.secret"}
        link["reconnect-grace"] = self.reconnect_grace
        if self.link_certificate is None:
            link["plaintext"] = True
        table = {
            "domains": [self.domain],
            "partners": "partners.toml",
            "state-directory": "state",
            "s2s": {
                "listen": [f"{self.address}:{plan.S2S_PORT}"],
                "stream-establishment-timeout": self.establishment,
                "stream-inactivity-timeout": self.inactivity,
            },
            "tls": {
                "certificate-chain": str(self.certificate.chain),
                "private-key": str(self.certificate.key),
                "trust-anchors": str(self.authority.file),
            },
            "dns": {"allow-private-addresses": True},
            "gateway": link,
            "admin": {"socket": "admin.sock"},
            "log": {"format": "json", "filter": self.filter},
        }
        if self.link_certificate is not None:
            table["gateway.tls"] = {
                "certificate-chain": str(self.link_certificate.chain),
                "private-key": str(self.link_certificate.key),
                "client-trust-anchors": str(self.link_authority.file),
            }
        return toml(table) + "\n"

    async def start(self, binary, directory):
        self.binary, self.logs = binary, directory
        self.directory = directory / self.domain
        (self.directory / "state").mkdir(parents=True, exist_ok=True)
        secret = self.directory / "gateway.secret"
        secret.touch(mode=0o600)
        secret.write_text(self.secret)
        self.write_partners()
        (self.directory / "edge.toml").write_text(self.configuration())
        await self.resume()
        return self

    def write_partners(self):
        entries = "\n".join(f"[[partner]]\n{toml(p)}\n" for p in self.partners)
        (self.directory / "partners.toml").write_text(entries)

    async def reload(self):
        """Writes the partners as they are now, and has the daemon read them: what it says to that."""
        self.write_partners()
        before = len(self.process.lines)
        self.process.child.send_signal(signal.SIGHUP)
        return read(await self.process.line("reload-(done|failed)", after=before))

    async def resume(self):
        """Starts the daemon with the files there are."""
        command = [self.binary, "run", "--config", self.directory / "edge.toml"]
        self.process = await Process.start(f"edge-{self.domain}", command, self.logs, self.environment)
        for port in (plan.LINK_PORT, plan.S2S_PORT):
            await self.process.listening(self.address, port)

    def events(self, about, kind, in_words=""):
        """The decisions of this kind logged about a domain so far."""
        return [event for event in map(read, self.process.lines) if matches(event, about, kind, in_words)]

    async def event(self, about, kind, in_words="", count=1):
        """The first decision of this kind about a domain, or the `count`th: logged already, or yet to come."""

        def wanted(line):
            nonlocal count
            count -= matches(read(line), about, kind, in_words)
            return not count

        return read(await self.process.line(wanted))

    async def stop(self):
        return await self.process.stop()
