//! A partner's stream: whatever is sent, whatever happens.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::stream::Inbound;
use xmpp_edge::proto::xml::StreamKind;
use xmpp_edge_fuzz::machine::{Operation, Story};
use xmpp_edge_fuzz::world::WORLD;

const SCRIPT: &[&str] = &[
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
     xmlns:db='jabber:server:dialback' from='REMOTE' to='LOCAL' version='1.0'>",
    "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>=</auth>",
    "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'/>",
    "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>=</response>",
    "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<db:result from='REMOTE' to='LOCAL'>key</db:result>",
    "<db:result from='a.REMOTE' to='two.example'>key</db:result>",
    "<db:verify from='REMOTE' to='LOCAL' id='theirs'>KEY</db:verify>",
    "<db:result from='REMOTE' to='LOCAL' type='valid'/>",
    "<message from='u@REMOTE' to='v@LOCAL'><body>x</body></message>",
    "<presence from='u@a.REMOTE' to='v@two.example'/>",
    "<iq from='u@REMOTE' to='v@LOCAL' type='get' id='1'><q xmlns='urn:q'/></iq>",
    "<iq from='REMOTE' to='LOCAL' type='result' id='xmpp-edge-ping-1'/>",
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
    " ",
];

fuzz_target!(|story: Story<'_>| {
    let start = WORLD.at(Duration::ZERO);
    let machine = Inbound::new(WORLD.context.clone(), WORLD.ids(), start);
    let beginning = [
        Operation::lines(&[0]),
        Operation::lines(&[1]),
        Operation::TlsUp(0),
        Operation::lines(&[0]),
        Operation::lines(&[3]),
        Operation::lines(&[0]),
        Operation::lines(&[10]),
    ];
    story.tell(machine, StreamKind::Server, SCRIPT, &beginning);
});
