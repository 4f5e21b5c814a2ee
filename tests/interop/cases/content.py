"""What is in a stanza arrives as it was sent."""

from xml.etree import ElementTree as ET

from lab import plan
from lab.case import Case, check

# Without tabs and newlines in attributes: Prosody loses those by itself when it writes a stanza anew.
PAYLOAD = """
<p:data xmlns:p='urn:example:lab' xmlns:r='urn:example:attribute' p:name='ж' r:quotes='"&apos;&lt;&amp;'
  plain='z'>text &lt;&amp;]]&gt; before<inner xmlns='urn:example:inner' xml:lang='is'>þorn 🎻 &#x1F600;</inner
  >after<p:empty/><p:deep><q xmlns='urn:example:inner'><p:deeper/></q></p:deep>
</p:data>
"""


class Fidelity(Case):
    """Prefixes, default namespaces, references, other scripts: everything a writer can get wrong."""

    def __init__(self, server):
        self.kind, self.edge = server, plan.EDGE[server]
        self.title = f"Namespaces, references and other scripts arrive unchanged, to and from {server}"
        self.domain = f"content.{server}.example"

    async def run(self, world):
        gateway = world.gateways[self.edge]
        async with world.user(self.domain) as user:
            for sender, receiver in ((user, gateway), (gateway, user)):
                await self.carried(sender, receiver)

    @staticmethod
    async def carried(sender, receiver):
        mark = f"content from {sender.me.domain}"
        sender.send_raw(
            f"<message from='{sender.me}' to='{receiver.me}' type='chat' xml:lang='en'>"
            f"<body>{mark}</body><body xml:lang='de'>Grüße</body>{PAYLOAD}</message>"
        )
        message = await receiver.expect(lambda s: s.name == "message" and s["body"] == mark)
        got = message.xml.find("{urn:example:lab}data")
        want, got = (ET.canonicalize(x, rewrite_prefixes=True) for x in (PAYLOAD, ET.tostring(got, "unicode").strip()))
        check(want.strip() == got.strip(), f"sent {want}\ncame {got}")
        language = "{http://www.w3.org/XML/1998/namespace}lang"
        bodies = {b.get(language): b.text for b in message.xml if b.tag.endswith("}body")}
        check(bodies.get("de") == "Grüße", f"the bodies that came: {bodies}")


CASES = [Fidelity("prosody"), Fidelity("ejabberd")]
