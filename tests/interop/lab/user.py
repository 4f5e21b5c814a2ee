"""A user at a partner: a slixmpp client with a real session on the partner's server; and a component there."""

from slixmpp import JID, ClientXMPP, ComponentXMPP

from lab import plan
from lab.station import Station


class User(Station, ClientXMPP):
    note = "a user at the partner"

    def __init__(self, domain, address, name="romeo"):
        unencrypted = {"feature_mechanisms": {"unencrypted_scram": True}}
        ClientXMPP.__init__(self, f"{name}@{domain}/outside", "a password", plugin_config=unencrypted)
        self.address = (address, plan.CLIENT_PORT)
        # Encryption between this client and its server is not what the lab is about.
        self.enable_starttls = False
        self.enable_direct_tls = False
        self.enable_plaintext = True
        self.register_plugin("xep_0077")
        self.add_event_handler("register", self.make_account)
        self.become_station()

    @property
    def me(self):
        return self.boundjid

    async def make_account(self, _form):
        """Both servers offer this before a client has said who it is, so the lab needs no accounts made beforehand."""
        request = self.Iq()
        request["type"] = "set"
        request["register"]["username"] = self.boundjid.user
        request["register"]["password"] = self.password
        await request.send()

    async def reached(self):
        await super().reached()
        await self.get_roster()
        self.send_presence(pstatus=self.note)
        return self


class Service(Station, ComponentXMPP):
    """A component at a partner: no session, no roster, just as many stanzas as the link takes."""

    note = "a component at the partner"

    def __init__(self, domain, secret, address, **more):
        ComponentXMPP.__init__(self, domain, secret, **more)
        self.address = (address, plan.COMPONENT_PORT)
        self.me = JID(f"romeo@{domain}/outside")
        self.become_station()

    def own(self, addressed, bare=False):
        return addressed.bare if bare else addressed

    def show_presence(self, peer, own):
        self.send_presence(pto=peer.bare, pfrom=f"{own.bare}/outside", pstatus=self.note)


class Routed(Service):
    """A component of jabberd2, whose router leaves stanzas in the namespace of clients."""

    def __init__(self, domain, secret, address):
        super().__init__(domain, secret, address, use_jc_ns=True)
