"""What a user at a partner and the gateway have in common: both ask, and both answer what is asked of them.

Both are slixmpp, with nothing of this project in it.
"""

import asyncio
import itertools

from slixmpp import JID

DEADLINE = 20.0
counter = itertools.count(1)


class Station:
    """Mixed into a slixmpp client or component. `me` is the address it speaks from."""

    note = "here"

    def become_station(self):
        self.heard = []
        self.waiting = []
        self.auto_authorize = None  # subscriptions are answered below, not by slixmpp's roster
        self.auto_subscribe = None
        self.register_plugin("xep_0030")
        self.register_plugin("xep_0092", {"software_name": self.note, "version": "1", "os": "lab"})
        self.register_plugin("xep_0199", {"keepalive": False})
        self.add_filter("in", self._hear)

    def _hear(self, stanza):
        if stanza is None or stanza.name not in ("message", "presence", "iq"):
            return stanza
        self.heard.append(stanza)
        for matches, future in self.waiting:
            if not future.done() and matches(stanza):
                future.set_result(stanza)
        self._answer(stanza)
        return stanza

    def _answer(self, stanza):
        peer, own = stanza["from"], stanza["to"]
        if stanza.name == "message" and stanza["body"].startswith("ask "):
            self.send_message(peer, stanza["body"].replace("ask ", "answer ", 1), mtype="chat", mfrom=self.own(own))
        elif stanza.name == "presence" and stanza["type"] == "subscribe":
            self.send_presence(pto=peer.bare, pfrom=self.own(own, bare=True), ptype="subscribed")
            self.show_presence(peer, own)

    def own(self, addressed, bare=False):
        """What to put into `from` of an answer: a server fills in a user's address by itself."""
        return None

    def show_presence(self, peer, own):
        """A user's server tells the new subscriber by itself that the user is there."""

    async def expect(self, matches, deadline=DEADLINE):
        """The first stanza that matches, of those heard already or yet to come."""
        for stanza in self.heard:
            if matches(stanza):
                return stanza
        future = asyncio.get_running_loop().create_future()
        entry = (matches, future)
        self.waiting.append(entry)
        try:
            return await asyncio.wait_for(future, deadline)
        except TimeoutError:
            raise TimeoutError(f"{self.me} waited {deadline:.0f} s in vain; heard {self._tail()}") from None
        finally:
            self.waiting.remove(entry)

    def _tail(self):
        return [str(s)[:200] for s in self.heard[-2:]] or "nothing"

    async def ask_message(self, peer):
        body = f"ask {next(counter)} of {self.me}"
        self.send_message(peer, body, mtype="chat", mfrom=self.me)
        answer = body.replace("ask ", "answer ", 1)
        return await self.expect(lambda s: s.name == "message" and s["body"] == answer)

    async def ask_presence(self, peer):
        """Subscribes, is let in, and sees the other's presence with its note."""
        peer = JID(peer)
        self.send_presence(pto=peer.bare, pfrom=self.me.bare, ptype="subscribe")
        theirs = lambda s: s.name == "presence" and s["from"].bare == peer.bare
        await self.expect(lambda s: theirs(s) and s["type"] == "subscribed")
        return await self.expect(lambda s: theirs(s) and s["type"] == "available" and s["status"])

    async def ask_iq(self, peer):
        """Software Version: a question whose answer says who gave it."""
        return await self["xep_0092"].get_version(peer, ifrom=self.me, timeout=DEADLINE)

    async def ask(self, kind, peer):
        return await getattr(self, f"ask_{kind}")(peer)

    async def error_for(self, peer, body, deadline=DEADLINE):
        """Sends a message that must come back as an error: the condition and the text of that error."""
        self.send_message(peer, body, mtype="chat", mfrom=self.me)
        stanza = await self.expect(self.refusal(peer), deadline)
        self.heard.remove(stanza)
        return self.told(stanza)

    @staticmethod
    def told(stanza):
        """The condition and the text of an error."""
        # By local name: slixmpp looks for `error` in the namespace of clients only, on a component's link too.
        parts = {part.tag.partition("}")[2]: part.text or "" for child in stanza.xml for part in child}
        text = parts.pop("text", "")
        return next(iter(parts), "no condition"), text

    @staticmethod
    def refusal(peer):
        return lambda s: s.name == "message" and s["type"] == "error" and s["from"] == peer

    async def reached(self):
        """Connects, and returns once the session stands."""
        started = asyncio.get_running_loop().create_future()
        self.add_event_handler("session_start", lambda _: started.done() or started.set_result(None))
        self.connect(*self.address)
        await asyncio.wait_for(started, DEADLINE)
        return self

    async def leave(self):
        await self.disconnect(wait=1.0)
