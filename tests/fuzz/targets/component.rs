//! A gateway's link: whatever is sent, whatever happens.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::stream::Component;
use xmpp_edge::proto::xml::StreamKind;
use xmpp_edge_fuzz::machine::{Operation, Story};
use xmpp_edge_fuzz::world::WORLD;

const SCRIPT: &[&str] = &[
    "<stream:stream xmlns='jabber:component:accept' \
     xmlns:stream='http://etherx.jabber.org/streams' to='LOCAL'>",
    "<handshake>DIGEST</handshake>",
    "<handshake>0</handshake>",
    "<message from='u@LOCAL' to='v@REMOTE'><body>x</body></message>",
    "<message from='u@LOCAL' to='v@nobody.example'/>",
    "<iq from='u@LOCAL' to='v@two.example' type='get' id='1'><q xmlns='urn:q'/></iq>",
    "<presence from='u@two.example' to='v@REMOTE'/>",
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
    " ",
];

fuzz_target!(|story: Story<'_>| {
    let start = WORLD.at(Duration::ZERO);
    let machine = Component::new(
        WORLD.context.clone(),
        WORLD.ids(),
        WORLD.secret.clone(),
        start,
    );
    let beginning = [Operation::lines(&[0]), Operation::lines(&[1])];
    story.tell(machine, StreamKind::Component, SCRIPT, &beginning);
});
