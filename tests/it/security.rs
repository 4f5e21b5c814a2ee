//! Rows of the security record (`docs/security.md`) that no other test shows.

use std::time::Duration;

use xmpp_edge::proto::xml::{Event, Fault, Limits, Reader, StreamKind};

use crate::{cost, tree};

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
    let before = cost::of_this_thread();
    let outcome = outcome(&text, Limits::authenticated(4 * 1024 * 1024));
    assert!(
        matches!(outcome, Err(Fault::TooManyAttributes(_))),
        "{outcome:?}"
    );
    // Quadratic work on so many took whole seconds.
    let took = cost::of_this_thread().saturating_sub(before);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// No older version can come in: the advisories of the record have their floors in the list of what
/// is refused, and every crate in the lock file is above its own.
#[test]
fn every_advisory_of_the_record_has_its_floor_in_the_lock_file() {
    let list = tree::read(".cargo/deny.toml");
    // These two stand in the list by their other names.
    let others = [
        ("CVE-2024-32650", "RUSTSEC-2024-0336"),
        ("CVE-2024-11738", "RUSTSEC-2024-0399"),
    ];
    let record = tree::read("docs/security.md");
    for row in record.lines().filter(|line| line.starts_with("| ")) {
        for advisory in advisories(row) {
            assert!(list.contains(&advisory), "{advisory} is not in the list");
        }
        for (name, advisory) in others {
            assert!(!row.contains(name) || list.contains(advisory), "{name}");
        }
    }
    let list: toml::Table = list.parse().unwrap();
    let lock: toml::Table = tree::read("Cargo.lock").parse().unwrap();
    let locked = lock["package"].as_array().unwrap();
    let mut floors = 0;
    for refused in list["bans"]["deny"].as_array().unwrap() {
        let range = refused.get("version").and_then(toml::Value::as_str);
        let Some(floor) = range.and_then(|range| range.strip_prefix('<')) else {
            continue;
        };
        floors += 1;
        for found in locked.iter().filter(|it| it["name"] == refused["name"]) {
            let version = found["version"].as_str().unwrap();
            assert!(
                numbers(version) >= numbers(floor),
                "{found:?} is below {floor}"
            );
        }
    }
    assert!(floors > 10, "{floors} floors");
}

/// Several faults of the TLS library were in reading them.
#[test]
fn revocation_lists_are_not_read() {
    for source in tree::files("src", "rs") {
        for reads in ["RevocationOptions", "with_crls", "CertRevocationList"] {
            assert!(!source.text.contains(reads), "{}: {reads}", source.path);
        }
    }
}

/// The advisories in a row of the record; a later one may be written by its last number alone.
fn advisories(row: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut year = None;
    for word in row.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')) {
        if word.starts_with("RUSTSEC-") {
            year = word.get(..12);
            found.push(word.to_owned());
        } else if let Some(year) = year.filter(|_| word.len() == 5 && word.starts_with('-')) {
            found.push(format!("{year}{word}"));
        }
    }
    found
}

fn numbers(version: &str) -> Vec<u64> {
    let release = version.split(['-', '+']).next().unwrap();
    release
        .split('.')
        .map(|part| part.parse().unwrap())
        .collect()
}

/// The last event of a text, or the fault that ends it.
fn outcome(text: &str, limits: Limits) -> Result<Option<Event>, Fault> {
    let mut reader = Reader::new(StreamKind::Server, limits);
    reader.feed(text.as_bytes());
    let mut last = None;
    while let Some(event) = reader.next()? {
        last = Some(event);
    }
    Ok(last)
}
