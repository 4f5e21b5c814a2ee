"""docs/operations.md, followed from its top by somebody with a fresh Debian and the package: trial.py ROOT

With `--prosody` behind it, only until the edge is started: then docs/before-prosody.md, by somebody who has a Prosody.

Each indented block is typed as it stands, each `text` block is waited for, the `zone` block is published. Between the
sections, what the page promises is looked at.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "interop"))

from lab import page  # noqa: E402
from lab.page import Commands  # noqa: E402
from machine import CannotRun, Failed, Machine, check, end, say  # noqa: E402

NAMES = {"192.0.2.10": "11.0.0.10"}
# The sections to follow, in the order of the page, and what must be so after each.
FIRST, STARTED, LAST = "Install from the package", "Start it", "Remove it"
# What is typed of the rest of the page, while the edge and its partner are there: `it::docs` runs the other commands.
# Not what is seen, but how things stand.
DRAWING = "clients ── 5222 ──► Prosody ── 23456, XEP-0114 ──► xmpp-edge ◄── 5269, TLS ──► partners"
UP = "the link to the edge is up"
LOOKS = ("xmpp-edge status", "xmpp-edge explain", "xmpp-edge contacts", "journalctl", "openssl", "systemctl", "chown", "chmod")


def main(root, has_prosody):
    sections = page.read("operations.md", NAMES)
    titles = [section.title for section in sections]
    walk = sections[titles.index(FIRST) : titles.index(LAST) + 1]
    others = [section for section in sections if section not in walk]
    publish(Path(root), walk)
    if has_prosody:
        walk = walk[: titles.index(STARTED) - titles.index(FIRST) + 1]
    with Machine(root) as machine:
        machine.run((Path(__file__).parent / "outside/begin").read_text())
        for section in walk:
            say(f"  {section.title}")
            if section.title == "Change something":
                look(machine, others)
            go(machine, section)
        if has_prosody:
            for section in page.read("before-prosody.md", NAMES):
                say(f"  {section.title}")
                try:
                    go(machine, section)
                except Failed as why:
                    log = "\n".join(machine.run("tail -n 20 /var/log/prosody/prosody.log; journalctl -u prosody -n 20 --no-pager"))
                    raise Failed(f"{why}\nProsody's log:\n{log}") from why


def go(machine, section):
    for hooks, then in ((BEFORE, None), (None, follow), (AFTER, None)):
        if then:
            then(machine, section)
        elif section.title in hooks:
            hooks[section.title](machine)


def publish(root, walk):
    """What stands in the zone, for dnsmasq; and what others have published."""
    lines = ["host-record=acme.example,11.0.0.20", "host-record=fabrikam.example,11.0.0.20"]
    lines.append("srv-host=_xmpp-server._tcp.fabrikam.example,fabrikam.example,5269,10,0")
    for name, kind, data in page.records(walk):
        name = name.removesuffix(".")
        if kind == "A":
            lines.append(f"host-record={name},{data}")
        else:
            priority, weight, port, host = data.split()
            lines.append(f"srv-host={name},{host.removesuffix('.')},{port},{priority},{weight}")
    # Of what is not there it says so.
    lines.append("local=/example/")
    (root / "root/trial/zone").write_text("\n".join(lines) + "\n")


def follow(machine, section):
    begin, looks = len(machine.lines), None
    for part in section.parts:
        if not isinstance(part, Commands) and part.language == "lua":
            configure(machine, part.lines)
        if isinstance(part, Commands):
            machine.run(part.text)
            for command, then in AFTER_COMMAND.items():
                if part.text.startswith(command):
                    then(machine)
            looks = part.text if part.text.startswith(("journalctl", "xmpp-edge status")) else None
        elif part.language == "text" and part.lines[0].strip() != DRAWING:
            for pattern in part.patterns:
                machine.sees(pattern, begin, looks)


def configure(machine, lines):
    """What the page shows of Prosody's configuration is written where Debian's Prosody reads it."""
    secret = machine.run("cat /etc/xmpp-edge/gateway.secret")[0]
    text = "\n".join(lines).replace("SECRET", secret)
    machine.run(f"cat > /etc/prosody/conf.d/contoso.cfg.lua << 'END'\n{text}\nEND\n")


def look(machine, sections):
    """The commands of the rest of the page, and what another page shows of the partner's certificate."""
    run = 0
    machine.run("cp /root/trial/partner.pem /root")
    for section in [*sections, *page.read("partners.md", NAMES)]:
        for part in section.parts:
            text = part.text.lstrip() if isinstance(part, Commands) else ""
            if not text.startswith(LOOKS):
                continue
            for line in text.replace("\\\n", "").splitlines():
                # It ends when its reader has seen enough.
                command = f"timeout 3 {line} || [ $? = 124 ]" if "--watch" in line else line
                machine.run(command)
                run += 1
    check(run >= 15, f"{run} commands of the page were run")


def is_there(machine, path):
    return machine.run(f"ls -d {path} 2> /dev/null || true") == [path]


def installed(machine):
    """The user and the directories are there; nothing runs, and `check` says what is missing."""
    machine.run("id xmpp-edge > /dev/null; systemctl cat xmpp-edge > /dev/null")
    check(machine.run("stat -c '%a %U:%G' /etc/xmpp-edge /etc/xmpp-edge/tls") == ["750 root:xmpp-edge"] * 2, "modes")
    check(machine.run("systemctl is-enabled xmpp-edge || true") == ["disabled"], "it is enabled")
    check(machine.run("systemctl is-active xmpp-edge || true") == ["inactive"], "it runs")
    said = "\n".join(machine.run("xmpp-edge check", expected=78))
    for part in ("tls/fullchain.pem", "gateway.secret"):
        check(part in said, f"{part} is not missed:\n{said}")
    check("no partners" in said, f"somebody is a partner:\n{said}")
    machine.run("man --pager=cat xmpp-edge-check xmpp-edge.toml xmpp-edge-partners.toml > /dev/null")
    machine.run("bash -c '. /usr/share/bash-completion/completions/xmpp-edge; complete -p xmpp-edge' > /dev/null")


def certified(machine):
    """The key is the daemon's alone, and a renewal that is wrong changes nothing."""
    check(machine.run("stat -c '%a %U' /etc/xmpp-edge/tls/privkey.pem") == ["600 xmpp-edge"], "the key")
    before = machine.run("sha256sum /etc/xmpp-edge/tls/*")
    machine.run("openssl genpkey -algorithm ed25519 -out /root/other.key")
    machine.run("/usr/lib/xmpp-edge/renewed /etc/xmpp-edge/tls/fullchain.pem /root/other.key", expected=78)
    check(machine.run("sha256sum /etc/xmpp-edge/tls/*") == before, "a wrong key was taken")


def writes(machine):
    """The partner's administrator has been told, and a user there does as the page says."""
    machine.run("echo message > /root/trial/write")


def answered(machine):
    hears(machine, "chat echo: hello")


def hears(machine, wanted):
    machine.run("for try in $(seq 200); do [ ! -s /root/trial/answers ] || break; sleep 0.1; done")
    answers = machine.run("cat /root/trial/answers")
    check(answers == [wanted], f"the answer: {answers}")


def has_prosody(machine):
    """As Debian installs it; the reader has added a host to it."""
    machine.run("systemctl unmask prosody; rm -f /etc/prosody/conf.d/localhost.cfg.lua")


def pings(machine):
    machine.run("echo ping > /root/trial/write")
    hears(machine, "iq result one")


def counted(machine):
    said = "\n".join(machine.run("xmpp-edge status fabrikam.example --format json"))
    partner = json.loads(said)["partner"]
    counts = [partner[way]["delivered"] for way in ("received", "sent")]
    check(min(counts) >= 1 and partner["state"] == "connected", said)
    log = machine.run("journalctl -u prosody --no-pager; cat /var/log/prosody/prosody.log 2> /dev/null || true")
    check(any(UP in line for line in log), "Prosody's log does not say so")
    over_tls(machine)


def over_tls(machine):
    """As the page says of a Prosody on another host: the link is mutual TLS."""
    keys = "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=gateway -keyout key.pem -out csr.pem"
    keys += " -addext subjectAltName=DNS:gateway.example"
    machine.run(f"cd /etc/prosody; {keys} 2> /dev/null; cp /root/trial/ca.* .; chown prosody key.pem")
    machine.run("cd /etc/prosody; openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -copy_extensions copy -days 9 -out cert.pem 2> /dev/null")
    machine.run(r"sed -i 's/^plaintext = true/plaintext = false/; s/^# \(\[gateway.tls\]\)/\1/' /etc/xmpp-edge/edge.toml")
    tls = ['certificate-chain = "tls/fullchain.pem"', 'private-key = "tls/privkey.pem"']
    tls.append('client-trust-anchors = "/etc/ssl/certs/ca-certificates.crt"')
    machine.run("sed -i '/^.gateway.tls./a " + r"\n".join(tls) + "' /etc/xmpp-edge/edge.toml")
    machine.run("systemctl restart xmpp-edge; rm /root/trial/answers")
    ssl = 'ssl = { cafile = "/etc/ssl/certs/ca-certificates.crt", certificate = "cert.pem", key = "key.pem" }'
    ssl = ssl.replace('"cert', '"/etc/prosody/cert').replace('"key', '"/etc/prosody/key')
    machine.run(f"sed -i 's#secret = .* }}#{ssl}, &#' /etc/prosody/conf.d/contoso.cfg.lua; systemctl restart prosody")
    begin = len(machine.lines)
    machine.sees("contoso.example +connected for", begin, "xmpp-edge status")
    pings(machine)


def edits(machine):
    """What the reader has in edge.toml, for the upgrade to keep."""
    machine.run("echo '# mine' >> /etc/xmpp-edge/edge.toml; systemctl show -P MainPID xmpp-edge > /root/pid")


def upgraded(machine):
    check(machine.run("tail -1 /etc/xmpp-edge/edge.toml") == ["# mine"], "the configuration was overwritten")
    check(is_there(machine, "/etc/xmpp-edge/edge.toml.dpkg-dist"), "the new sample is nowhere")
    machine.run('[ "$(systemctl show -P MainPID xmpp-edge)" != "$(cat /root/pid)" ]')
    # What the new version refuses goes on in the old one.
    machine.run("systemctl show -P MainPID xmpp-edge > /root/pid; echo 'no-such-key = 1' >> /etc/xmpp-edge/edge.toml")
    said = "\n".join(machine.run("dpkg --force-confold -i /root/xmpp-edge_*-2_*.deb 2>&1"))
    check("the old one goes on" in said, said)
    machine.run('[ "$(systemctl show -P MainPID xmpp-edge)" = "$(cat /root/pid)" ]')
    machine.run("sed -i '/no-such-key/d' /etc/xmpp-edge/edge.toml; xmpp-edge check --running > /dev/null")


def removed(machine):
    check(machine.run("systemctl is-active xmpp-edge || true") == ["inactive"], "it runs on")
    check(not is_there(machine, "/usr/bin/xmpp-edge"), "the program is still there")
    for path in ("/etc/xmpp-edge/edge.toml", "/etc/xmpp-edge/tls/privkey.pem", "/var/lib/xmpp-edge/contacts.redb"):
        check(is_there(machine, path), f"{path} was taken away")


def purged(machine):
    for path in ("/etc/xmpp-edge/edge.toml", "/etc/xmpp-edge/partners.toml", "/var/lib/xmpp-edge"):
        check(not is_there(machine, path), f"{path} is still there")
    check(is_there(machine, "/etc/xmpp-edge/gateway.secret"), "what the reader has made was taken away")
    machine.run("[ ! -e /etc/systemd/system/multi-user.target.wants/xmpp-edge.service ]")


AFTER_COMMAND = {"apt-get remove": removed}
BEFORE = {"The first stanza": writes, "Upgrade": edits, "Prosody": has_prosody, "Is it right?": pings}
AFTER = {
    "Install from the package": installed,
    "The certificate, by ACME": certified,
    "The first stanza": answered,
    "Upgrade": upgraded,
    "Remove it": purged,
    "Is it right?": counted,
}

if __name__ == "__main__":
    try:
        main(sys.argv[1], "--prosody" in sys.argv)
    except CannotRun as why:
        end(77, f"skipped: {why}")
    except Failed as why:
        end(1, f"FAILED: {why}")
    end(0, "the pages were followed to their ends")
