//! A stream that we open: whatever the partner says, whatever happens.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use xmpp_edge::proto::auth::Pair;
use xmpp_edge::proto::stream::{Outbound, Purpose};
use xmpp_edge::proto::xml::StreamKind;
use xmpp_edge_fuzz::machine::{Operation, Story};
use xmpp_edge_fuzz::world::{LOCAL, WORLD, domain};

const SCRIPT: &[&str] = &[
    "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
     xmlns:db='jabber:server:dialback' from='REMOTE' to='LOCAL' id='theirs' version='1.0'>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>",
    "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>\
     </stream:features>",
    "<stream:features><mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>\
     <mechanism>EXTERNAL</mechanism></mechanisms></stream:features>",
    "<stream:features/>",
    "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
    "<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>",
    "<db:result from='REMOTE' to='LOCAL' type='valid'/>",
    "<db:result from='REMOTE' to='LOCAL' type='invalid'/>",
    "<db:result from='REMOTE' to='LOCAL' type='error'><error type='cancel'/></db:result>",
    "<db:verify from='REMOTE' to='LOCAL' id='theirs' type='valid'/>",
    "<message from='u@REMOTE' to='v@LOCAL'/>",
    "<stream:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
    "</stream:stream>",
];

fuzz_target!(|input: (bool, Story<'_>)| {
    let (try_external, story) = input;
    let pair = Pair {
        local: domain(LOCAL),
        remote: domain(story.partner()),
    };
    let machine = Outbound::new(
        WORLD.context.clone(),
        WORLD.ids(),
        pair,
        Purpose::Carry,
        try_external,
        WORLD.at(Duration::ZERO),
    );
    let beginning = [
        Operation::Connected,
        Operation::lines(&[0, 1]),
        Operation::lines(&[5]),
        Operation::TlsUp(0),
        Operation::lines(&[0, 3]),
        Operation::lines(&[7]),
        Operation::lines(&[0, 4]),
    ];
    story.tell(machine, StreamKind::Server, SCRIPT, &beginning);
});
