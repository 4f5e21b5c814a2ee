//! The link of a gateway, recorded by a running daemon: with a local domain a trace has what the gateway says,
//! and what the edge makes of it. No secret stands in it, and it replays.

use std::sync::Arc;
use std::time::Instant;

use tokio::net::TcpStream;
use xmpp_edge::net::live::facts::Kind;
use xmpp_edge::proto::auth::handshake::digest;
use xmpp_edge::proto::trace::blank::GOOD_DIGEST;
use xmpp_edge::proto::trace::{Fate, Trace, replay};
use xmpp_edge::proto::xml::StreamKind;

use super::recording::Recording;
use crate::federation::diary::Diary;
use crate::federation::stage::{Stage, gateway};
use crate::federation::wire::{PATIENCE, Wire};
use crate::tree;

const ENTRIES: &str = "[[partner]]\nprimary-domain = \"p-external.example\"\ntype = \"federated\"\nROUTE\n\n\
                       [[partner]]\nprimary-domain = \"other.example\"\ntype = \"federated\"\nmax-stanza-bytes = 1000000\n";
const SECRET: &str = "0123456789abcdef";
const SAID: [&str; 4] = ["whispered words", "anne.of", "bob.of", "pocket-phone"];

async fn stage() -> Stage {
    let stage = Stage::new(&["p-external.example"], ENTRIES).await;
    // What was there before a trace is not replayed.
    stage.send("</stream:stream>");
    links(&stage, 0).await;
    stage
}

/// Waits until so many links are there.
async fn links(stage: &Stage, count: usize) {
    let edge = stage.daemon.edge();
    let until = Instant::now() + PATIENCE;
    while edge.registry.count(&[Kind::Link]) != count {
        assert!(Instant::now() < until, "there are not {count} links");
        tokio::task::yield_now().await;
    }
}

/// A gateway that asks for a domain, and knows this secret. The digest that it has shown, and what it heard.
async fn knock(stage: &Stage, domain: &str, secret: &str) -> (String, Vec<String>) {
    let connection = TcpStream::connect(stage.daemon.gateway[0]).await.unwrap();
    let mut wire = Wire::new(connection, StreamKind::Component);
    wire.send(&format!(
        "<stream:stream xmlns='jabber:component:accept' \
         xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"
    ))
    .await;
    let header = wire.header().await.unwrap();
    let proof = digest(header.attribute("id").unwrap(), secret);
    wire.send(&format!(
        "<handshake>{proof}</handshake><message from='{domain}' \
         to='bob.of@p-external.example'><body>whispered words</body></message></stream:stream>"
    ))
    .await;
    let mut heard = Vec::new();
    while let Some(element) = wire.element().await {
        heard.push(element.name().to_owned());
    }
    (proof, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_a_daemon_records_replays_and_has_no_secret() {
    let stage = stage().await;
    let recording = Recording::begin(&stage.lab().path("admin.sock"), "contoso.example");

    let (bad, heard) = knock(&stage, "contoso.example", "another secret!!").await;
    assert_eq!(heard, ["error"]);
    // A link that asks for another domain is in no trace of this one.
    let (elsewhere, _) = knock(&stage, "fabrikam.example", SECRET).await;
    let (good, heard) = knock(&stage, "contoso.example", SECRET).await;
    assert_eq!(heard, ["handshake"]);

    let diary = Arc::<Diary>::default();
    let send = gateway(stage.daemon.gateway[0], Arc::clone(&diary)).await;
    let send = |stanza: &str| send.send(stanza.to_owned()).unwrap();
    send(
        "<message from='bob.of@contoso.example' to='anne.of@p-external.example/pocket-phone' id='m1'>\
         <body>whispered words &amp; more</body></message>",
    );
    stage.outside.find(&["whispered words", "m1"]).await;
    let (mut partner, _) = stage.enter("p-external.example").await.unwrap();
    partner
        .send(
            "<message from='anne.of@p-external.example/pocket-phone' to='bob.of@contoso.example' id='m2'>\
             <body>whispered words back</body></message>",
        )
        .await;
    diary.find(&["whispered words back", "m2"]).await;
    // Nobody has an entry for this one: the gateway hears so, on its link.
    send(
        "<message from='bob.of@contoso.example' to='anne.of@nowhere.example' id='m3'>\
         <body>whispered words in vain</body></message>",
    );
    diary.find(&["not-allowed", "m3"]).await;
    send("</stream:stream>");
    links(&stage, 0).await;

    let text = tokio::task::block_in_place(|| recording.end());
    for word in SAID.iter().chain(&[SECRET, &bad, &elsewhere, &good]) {
        assert!(!text.contains(word), "{word}\n{text}");
    }
    assert!(!text.contains("fabrikam.example"), "{text}");
    assert_eq!(text.matches(GOOD_DIGEST).count(), 2, "{text}");
    for part in [
        "\"is-local\":true",
        "\"direction\":\"link\"",
        "\"reason\":\"link-secret\"",
        "\"what\":\"link-up\"",
        "\"partner\":\"p-external.example\"",
        "{\"delivered\":{}}",
        "nowhere.example",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let trace = Trace::read(text.as_bytes()).unwrap();
    let end = trace.end.as_ref().unwrap();
    assert_eq!((end.missed, end.lines), (0, trace.lines.len() as u64));
    let outcome = replay(&trace, Instant::now());
    assert_eq!(outcome.differences, [], "{text}");
    let whole = |fate: &Fate| matches!(fate, Fate::Whole(outputs) if *outputs > 2);
    assert_eq!(outcome.streams.len(), 3, "{text}");
    assert!(outcome.streams.values().all(whole), "{outcome:?}\n{text}");
    // Whoever had not known the secret would have been refused.
    let forged = text.replace(GOOD_DIGEST, &"x".repeat(GOOD_DIGEST.len()));
    let outcome = replay(&Trace::read(forged.as_bytes()).unwrap(), Instant::now());
    assert!(!outcome.differences.is_empty());
    if std::env::var_os("XMPP_EDGE_RECORD").is_some() {
        std::fs::write(tree::top().join("tests/traces/link.trace"), text).unwrap();
    }
}

/// A gateway that asks for a domain that is none of ours is found by what it asks for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_asks_for_nobodys_domain_is_traced_by_that_domain() {
    let stage = stage().await;
    let recording = Recording::begin(&stage.lab().path("admin.sock"), "contosso.example");
    knock(&stage, "contosso.example", SECRET).await;
    let text = tokio::task::block_in_place(|| {
        recording.wait_for("\"what\":\"close\"");
        recording.end()
    });
    assert!(!text.contains("is-local"), "{text}");
    assert!(
        text.contains("\"reason\":\"unknown-local-domain\""),
        "{text}"
    );
    let outcome = replay(&Trace::read(text.as_bytes()).unwrap(), Instant::now());
    assert_eq!(outcome.differences, [], "{text}");
}

/// A link that was there before is shown from the next stanza on, without its handshake.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_was_there_before_is_joined() {
    let stage = Stage::new(&["p-external.example"], ENTRIES).await;
    let recording = Recording::begin(&stage.lab().path("admin.sock"), "contoso.example");
    for id in ["m1", "m2"] {
        stage.send(&format!(
            "<message from='bob.of@contoso.example' to='anne.of@p-external.example' id='{id}'>\
             <body>whispered words</body></message>"
        ));
        stage.outside.find(&["whispered words", id]).await;
    }
    let text = tokio::task::block_in_place(|| {
        recording.wait_for("id='m2'");
        recording.end()
    });
    assert!(
        text.contains("\"direction\":\"link\"") && !text.contains("whispered"),
        "{text}"
    );
    let outcome = replay(&Trace::read(text.as_bytes()).unwrap(), Instant::now());
    assert!(
        matches!(outcome.streams.values().next(), Some(Fate::Not(_))),
        "{outcome:?}"
    );
}
