//! Rows of the security record (`docs/security.md`) that no other test shows.

use std::time::{Duration, Instant};

use xmpp_edge::proto::xml::{Dialect, Event, Fault, Limits, Reader};

use crate::tree;

const HEADER: &str = "<stream:stream xmlns='jabber:server' \
    xmlns:stream='http://etherx.jabber.org/streams' from='a.example' to='b.example' version='1.0'>";

#[test]
fn secrets_are_compared_in_constant_time() {
    for path in [
        "src/proto/auth/dialback_key.rs",
        "src/proto/auth/handshake.rs",
    ] {
        let text = tree::read(path);
        let product = text.split("#[cfg(test)]").next().unwrap();
        assert!(product.contains(".ct_eq("), "{path}");
        for comparison in [" == ", " != ", ".eq(", ".ne(", "starts_with"] {
            assert!(!product.contains(comparison), "{path}: {comparison}");
        }
    }
}

#[test]
fn a_billion_laughs_are_refused_before_the_first() {
    let mut document = String::from("<!DOCTYPE lol [<!ENTITY l0 'lol'>");
    for level in 1..10 {
        let before = format!("&l{};", level - 1).repeat(10);
        document.push_str(&format!("<!ENTITY l{level} '{before}'>"));
    }
    document.push_str("]>");
    let used = "<message><body>&l9;</body></message>";
    let type_refused = Err(Fault::DocumentType);
    for text in [
        format!("{document}{HEADER}{used}"),
        format!("<?xml version='1.0'?>{document}{HEADER}{used}"),
    ] {
        assert_eq!(outcome(&text, Limits::UNAUTHENTICATED), type_refused);
    }
    let inside = format!("{HEADER}{document}{used}");
    assert_eq!(outcome(&inside, Limits::authenticated(65536)), type_refused);
    let undeclared = outcome(&format!("{HEADER}{used}"), Limits::authenticated(65536));
    assert!(
        matches!(undeclared, Err(Fault::Entity(_))),
        "{undeclared:?}"
    );
}

#[test]
fn a_hundred_thousand_attributes_cost_nothing() {
    let attributes: Vec<_> = (0..100_000).map(|n| format!("a{n}=''")).collect();
    let text = format!("{HEADER}<message {}/>", attributes.join(" "));
    let start = Instant::now();
    let outcome = outcome(&text, Limits::authenticated(4 * 1024 * 1024));
    assert!(
        matches!(outcome, Err(Fault::TooManyAttributes(_))),
        "{outcome:?}"
    );
    // Quadratic work on so many took whole seconds.
    assert!(start.elapsed() < Duration::from_secs(1));
}

/// The last event of a text, or the fault that ends it.
fn outcome(text: &str, limits: Limits) -> Result<Option<Event>, Fault> {
    let mut reader = Reader::new(Dialect::Server, limits);
    reader.feed(text.as_bytes());
    let mut last = None;
    while let Some(event) = reader.next()? {
        last = Some(event);
    }
    Ok(last)
}
