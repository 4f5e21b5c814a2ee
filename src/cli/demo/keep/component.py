"""A gateway of your own: sends one message and shows what comes back.

    pip install slixmpp
    python3 component.py bob@fabrikam.example Hello
"""

import asyncio
import sys

from slixmpp.componentxmpp import ComponentXMPP


async def main(to, text):
    gateway = ComponentXMPP("contoso.example", "@SECRET@", "127.0.0.1", @PORT@)
    answered = asyncio.get_running_loop().create_future()

    def show(message):
        error = message.xml.findtext(".//{urn:ietf:params:xml:ns:xmpp-stanzas}text")
        print(f"{message['from']}: {error or message['body']}")
        answered.done() or answered.set_result(None)

    async def send(_event):
        # The demo's own gateway leaves when it sees this one: then every answer comes here.
        await asyncio.sleep(0.5)
        gateway.send_message(mto=to, mbody=text, mfrom="you@contoso.example", mtype="chat")

    gateway.add_event_handler("message", show)
    gateway.add_event_handler("message_error", show)
    gateway.add_event_handler("session_start", send)
    gateway.connect()
    try:
        await asyncio.wait_for(answered, 10)
    except asyncio.TimeoutError:
        sys.exit("no answer within 10 s: is the demo still running?")
    await gateway.disconnect()


asyncio.run(main(*sys.argv[1:]))
