"""Writes docs/interop.md from what came out."""

from lab import results

TEXT = """# Interoperation

What `tests/interop/run --write` found: real servers from Debian's packages on one side, a real XEP-0114 gateway (slixmpp)
on the other, a real name server between them, and the daemon in the middle. Each cell of the table is a question and its
answer: partner, edge, gateway, and back, or the other way round. It says `ok` only if the daemon's log and the server's both
name the method of the row, in both directions, and the first stream was opened by the one the column names
(not with jabberd2, which sends what it has for one host over one connection: its stream may be older than the cell).

The rows with Prosody run with a certificate for servers only (no clientAuth), as public authorities issue them, and over a
link with mutual TLS. The others run with a certificate for both uses, because ejabberd 23.01 takes no other from a server
that connects to it, and over a plain link on loopback.

```text
{table}
```

`ok` passed, `fail` did not, `n/a` the server cannot; the reasons of the last two stand below the table.
"""


def write(path, outcome):
    path.parent.mkdir(exist_ok=True)
    path.write_text(TEXT.format(table=results.table(outcome)))
