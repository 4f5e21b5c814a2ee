"""The gateway: a slixmpp component (XEP-0114) that answers for every user of the local domain."""

import ssl

from slixmpp import JID, ComponentXMPP

from lab import plan
from lab.station import Station


class Gateway(Station, ComponentXMPP):
    note = "the gateway"

    def __init__(self, domain, secret, address, port=plan.LINK_PORT, user="juliet"):
        ComponentXMPP.__init__(self, domain, secret)
        self.address = (address, port)
        self.me = JID(f"{user}@{domain}/inside")
        self.become_station()

    def own(self, addressed, bare=False):
        return addressed.bare if bare else addressed

    def show_presence(self, peer, own):
        self.send_presence(pto=peer.bare, pfrom=f"{own.bare}/inside", pstatus=self.note)

    def use_mutual_tls(self, certificate, authority, edge_name):
        """slixmpp speaks TLS from the first byte only to what it takes for a service found in DNS."""
        self.tls_services = {"link"}
        self.enable_plaintext = False
        self.default_domain = edge_name
        self.ca_certs = str(authority.file)
        self.certfile, self.keyfile = str(certificate.chain), str(certificate.key)
        self.ssl_context.minimum_version = ssl.TLSVersion.TLSv1_2
        return self
