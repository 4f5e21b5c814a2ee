"""What configuration says where a real server notices it: more domains than one, idle streams, reloads."""

from lab.case import Case, check

EDGE = "wingtip"


class Rooms(Case):
    """A room is served under another domain of the partner, so presence and messages cross two pairs of domains."""

    title = "Two users inside meet a partner's user in a room under an additional domain of the partner"
    domain = "rooms.prosody.example"
    rooms = "chat.rooms.prosody.example"
    own = ("prosody-rooms", "127.0.2.40")
    entry = {"additional_domains": [rooms]}

    def more(self, world):
        return {"rooms": [self.rooms]}

    async def run(self, world):
        gateway = world.gateways["contoso"]
        room = f"balcony@{self.rooms}"
        inside = {name: f"{name}@{gateway.me.domain}/inside" for name in ("juliet", "nurse")}
        async with world.user(self.domain) as user:
            self.join(user, user.me, room, "romeo")
            await user.expect(self.seen(room, "romeo", user.me))
            # The room is locked until its first occupant accepts it as it is.
            user.send_raw(
                f"<iq type='set' to='{room}' id='unlock'><query xmlns='http://jabber.org/protocol/muc#owner'>"
                "<x xmlns='jabber:x:data' type='submit'/></query></iq>"
            )
            await user.expect(lambda s: s.name == "iq" and s["id"] == "unlock" and s["type"] == "result")
            for name, address in inside.items():
                self.join(gateway, address, room, name)
                await gateway.expect(self.seen(room, name, address))
            for speaker, address in ((gateway, inside["juliet"]), (user, None)):
                body = f"said in the room by {address or user.me}"
                speaker.send_message(room, body, mtype="groupchat", mfrom=address)
                for listener, own in (
                    (gateway, inside["juliet"]),
                    (gateway, inside["nurse"]),
                    (user, user.me),
                ):
                    await listener.expect(self.heard(body, own))

    @staticmethod
    def join(station, address, room, nick):
        station.send_raw(
            f"<presence from='{address}' to='{room}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        )

    @staticmethod
    def seen(room, nick, own):
        return lambda s: s.name == "presence" and s["from"] == f"{room}/{nick}" and s["to"] == own

    @staticmethod
    def heard(body, own):
        return lambda s: s.name == "message" and s["type"] == "groupchat" and s["body"] == body and s["to"] == own


class Idle(Case):
    title = "Streams that nobody uses are closed after the time that is set, and opened again when needed"
    domain = "idle.prosody.example"
    edge, kind = EDGE, "prosody"
    entry = {"keep_alive": False}

    def prepare(self, world):
        edge = world.edge(EDGE, "127.0.1.4", ["server"], mutual_tls=False)
        edge.inactivity = "10s"  # the least that may be set
        super().prepare(world)

    async def run(self, world):
        gateway, edge = world.gateways[EDGE], world.edges[EDGE]
        async with world.user(self.domain) as user:
            await user.ask_message(gateway.me)
            await edge.event(self.domain, "stream-closed", count=2)  # one stream each way
            await gateway.ask_message(user.me)
            await user.ask_message(gateway.me)


class Reload(Case):
    title = "A reload lets a new partner in, and closes the live streams of one that is taken out"
    domain = "reload.prosody.example"
    edge, kind = EDGE, "prosody"
    entry = None  # until a reload

    async def run(self, world):
        gateway, edge = world.gateways[EDGE], world.edges[EDGE]
        async with world.user(self.domain) as user:
            condition, text = await gateway.error_for(user.me, "too early")
            check(
                condition in ("policy-violation", "not-allowed"),
                f"before, the bounce says {condition}: {text}",
            )
            edge.partner(self.domain)
            await edge.reload()
            await gateway.ask_message(user.me)
            edge.partners.pop()
            await edge.reload()
            await edge.event(self.domain, "stream-closed")
            condition, text = await gateway.error_for(user.me, "too late")
            check(
                condition in ("policy-violation", "not-allowed"),
                f"after, the bounce says {condition}: {text}",
            )


CASES = [Rooms(), Idle(), Reload()]
