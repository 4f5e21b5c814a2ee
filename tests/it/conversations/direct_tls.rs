//! TLS that is up before anything was said: whose chain it should be is known when the header comes.

use super::lab::{at, context, ids, partner, tls};
use xmpp_edge::proto::stream::{Inbound, Input, Machine, Output, Record};

/// What a machine says and records to a header, on a connection with the certificate of `whose`.
fn answers(settings: &str, whose: &str, from: &str) -> (String, Vec<Output>) {
    let context = context("contoso.example", vec![partner(settings)]);
    let mut machine = Inbound::over_tls(context, ids(), tls(whose), at(0));
    let header = format!(
        "<stream:stream xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' \
         {from} to='contoso.example' version='1.0'>"
    );
    machine.handle(at(0), Input::Bytes(header.as_bytes()));
    let (mut sent, mut others) = (String::new(), Vec::new());
    while let Some(output) = machine.poll_output() {
        match output {
            Output::Send(bytes) => sent.push_str(std::str::from_utf8(&bytes).unwrap()),
            other => others.push(other),
        }
    }
    (sent, others)
}

/// The faults of the chains that were judged, in order.
fn verdicts(outputs: &[Output]) -> Vec<Option<&'static str>> {
    let records = outputs.iter().filter_map(|output| match output {
        Output::Record(Record::Secured { fault, .. }) => Some(fault),
        _ => None,
    });
    records
        .map(|fault| fault.as_ref().map(|fault| fault.code().as_str()))
        .collect()
}

#[test]
fn a_chain_is_judged_as_soon_as_the_header_says_whose_it_is() {
    let from = "from='partner.example'";
    for (settings, whose, verdict, offers) in [
        ("partner.example", "partner.example", None, "EXTERNAL"),
        (
            "partner.example sasl=optional dialback=true",
            "expired:partner.example",
            Some("expired"),
            "urn:xmpp:features:dialback",
        ),
        (
            "partner.example",
            "second.example",
            Some("wrong-name"),
            "not-authorized",
        ),
    ] {
        let (sent, outputs) = answers(settings, whose, from);
        assert_eq!(verdicts(&outputs), [verdict], "{whose}");
        assert!(sent.contains(offers), "{whose}: {sent}");
        assert!(!sent.contains("starttls"), "{whose}: {sent}");
    }
}

/// STARTTLS is not offered under TLS, and a stranger is not offered anything else.
#[test]
fn whoever_names_nobody_under_tls_gets_an_error() {
    let (sent, outputs) = answers("partner.example", "partner.example", "");
    assert!(sent.contains("improper-addressing"), "{sent}");
    assert!(!sent.contains("features"), "{sent}");
    assert!(verdicts(&outputs).is_empty());
}
