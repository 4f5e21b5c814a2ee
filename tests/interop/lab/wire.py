"""Pulls a cable out: segments are lost both ways and nobody is told, neither by FIN nor by RST."""

import contextlib
import subprocess

CUT = """
add table inet cut-{name}
add chain inet cut-{name} arriving {{ type filter hook input priority 0; }}
"""
RULES = """
add rule inet cut-{name} arriving ip saddr {address} tcp sport {port} drop
add rule inet cut-{name} arriving ip daddr {address} tcp dport {port} drop
"""


def nft(script):
    subprocess.run(["nft", "-f", "-"], input=script, text=True, check=True)


@contextlib.contextmanager
def cut(name, *ends):
    """While it lasts, nothing arrives of what is sent from or to these ends, each an address and a port.

    Everybody is on one machine and most connect from one address, so it is ends that are cut off and not hosts.
    """
    nft(CUT.format(name=name) + "".join(RULES.format(name=name, address=a, port=p) for a, p in ends))
    try:
        yield
    finally:
        nft(f"delete table inet cut-{name}")
