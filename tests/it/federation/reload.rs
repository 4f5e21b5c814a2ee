//! A reload judges every live stream again, and leaves the others alone.

use super::partner::written;
use super::stage::Stage;
use super::wire::Wire;
use std::sync::Arc;
use std::time::{Duration, Instant};

const TWO: [&str; 2] = ["fabrikam.example", "litware.example"];

fn entry(domain: &str, terms: &str) -> String {
    format!("[[partner]]\nprimary-domain = \"{domain}\"\ntype = \"federated\"\nROUTE\n{terms}\n")
}

fn message(domain: &str, id: &str) -> String {
    format!("<message from='a@{domain}' to='b@contoso.example' id='{id}'><body/></message>")
}

fn outbound(domain: &str, id: &str) -> String {
    format!("<message from='b@contoso.example' to='a@{domain}' id='{id}'><body/></message>")
}

/// The stream error that the edge ends a stream with.
async fn ending(wire: &mut Wire) -> String {
    written(&wire.element().await.unwrap())
}

#[tokio::test]
async fn what_the_new_policy_would_not_admit_ends_and_the_rest_stays() {
    let other = "sasl = \"optional\"\ndialback = true";
    let before = entry(TWO[0], "") + &entry(TWO[1], other);
    let table = [
        ("the partner is gone", String::new()),
        (
            "the method is not allowed any more",
            entry(TWO[0], "sasl = \"not-supported\"\ndialback = true"),
        ),
        (
            "another authority is trusted",
            entry(TWO[0], "trust-anchors = \"ca.pem\""),
        ),
        (
            "another key is wanted",
            entry(
                TWO[0],
                "certificate-pins = [\"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\"]",
            ),
        ),
    ];
    for (why, after) in table {
        let stage = Stage::new(&TWO, &before).await;
        let mut ends = stage.enter(TWO[0]).await.unwrap().0;
        let mut stays = stage.enter(TWO[1]).await.unwrap().0;
        for domain in TWO {
            stage.send(&outbound(domain, "o1"));
            stage.outside.find(&[domain, "id='o1'"]).await;
        }
        stage.reload(&(after + &entry(TWO[1], other)));
        let error = ending(&mut ends).await;
        assert!(error.contains("policy-violation"), "{why}: {error}");
        // Our own stream to that partner ends in the same way.
        stage
            .outside
            .find(&[TWO[0], "stream:error", "policy-violation"])
            .await;
        stays.send(&message(TWO[1], "i2")).await;
        stage.inside.find(&["id='i2'"]).await;
        stage.send(&outbound(TWO[1], "o2"));
        stage.outside.find(&[TWO[1], "id='o2'"]).await;
        let lines = stage.outside.lines();
        assert!(
            !lines
                .iter()
                .any(|line| line.contains(TWO[1]) && line.contains("error"))
        );
    }
}

#[tokio::test]
async fn a_stream_on_an_older_tls_than_the_new_minimum_ends() {
    let stage = Stage::new(&TWO, &entry(TWO[0], "")).await;
    let mut old = stage.enter_with_tls12(TWO[0]).await.unwrap().0;
    let mut new = stage.enter(TWO[0]).await.unwrap().0;
    let difference = stage.reload(&entry(TWO[0], "minimum-tls-version = \"1.3\""));
    assert_eq!(difference, "~fabrikam.example (minimum-tls-version)");
    let error = ending(&mut old).await;
    assert!(
        error.contains("policy-violation") && error.contains("1.2"),
        "{error}"
    );
    new.send(&message(TWO[0], "i1")).await;
    stage.inside.find(&["id='i1'"]).await;
}

#[tokio::test]
async fn a_lower_limit_ends_the_newest_streams() {
    let stage = Stage::new(&TWO, &entry(TWO[0], "")).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(stage.enter(TWO[0]).await.unwrap().0);
    }
    stage.reload(&entry(TWO[0], "connection-limit = 2"));
    for stream in streams.iter_mut().skip(2) {
        let error = ending(stream).await;
        assert!(error.contains("policy-violation"), "{error}");
    }
    for (number, stream) in streams.iter_mut().take(2).enumerate() {
        let id = format!("i{number}");
        stream.send(&message(TWO[0], &id)).await;
        stage.inside.find(&[&format!("id='{id}'")]).await;
    }
}

/// What the edge shows is read anew, and streams that have seen the old one stay.
#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart() {
    let entries = entry(TWO[0], "");
    let stage = Stage::new(&TWO, &entries).await;
    let mut old = stage.enter(TWO[0]).await.unwrap().0;
    assert_eq!(
        stage.reload(&entries),
        "partners and certificates are as they were"
    );
    stage.renew_certificate();
    assert_eq!(stage.reload(&entries), "certificates");
    let new = stage.enter(TWO[0]).await.unwrap().0;
    assert_ne!(old.certificate(), new.certificate());
    old.send(&message(TWO[0], "i1")).await;
    stage.inside.find(&["id='i1'"]).await;
}

/// Stanza policy is that of the moment, on streams that are older than it.
#[tokio::test]
async fn new_terms_hold_on_live_streams() {
    let stage = Stage::new(&TWO, &entry(TWO[0], "")).await;
    let mut wire = stage.enter(TWO[0]).await.unwrap().0;
    wire.send(&message(TWO[0], "i1")).await;
    stage.inside.find(&["id='i1'"]).await;
    stage.reload(&entry(TWO[0], "kinds = [\"presence\"]"));
    wire.send(&message(TWO[0], "i2")).await;
    stage.outside.find(&["id='i2'", "policy-violation"]).await;
    stage.reload(&entry(TWO[0], "max-stanza-bytes = 10000"));
    wire.send(&message(TWO[0], &"x".repeat(20_000))).await;
    let error = ending(&mut wire).await;
    assert!(error.contains("policy-violation"), "{error}");
}

/// Whoever has seen a reload done is served by it, on links and streams that are older.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_after_a_reload_is_judged_by_it() {
    let stage = Stage::new(&TWO, "").await;
    for round in 0..50 {
        stage.reload(&entry(TWO[0], ""));
        let id = format!("o{round}.");
        stage.send(&outbound(TWO[0], &id));
        stage.outside.find(&[&format!("id='{id}'")]).await;
        stage.reload("");
        let id = format!("x{round}.");
        stage.send(&outbound(TWO[0], &id));
        let line = stage.inside.find(&[&format!("id='{id}'")]).await;
        assert!(line.contains("not-allowed"), "{line}");
    }
}

/// Fifty streams carry traffic while the partner file is read again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reloads_lose_nothing() {
    const STREAMS: usize = 50;
    const EACH: usize = 40;
    let domains: Vec<_> = (0..STREAMS)
        .map(|number| format!("p{number}.example"))
        .collect();
    let names: Vec<_> = domains.iter().map(String::as_str).collect();
    let entries: String = names.iter().map(|name| entry(name, "")).collect();
    let stage = Arc::new(Stage::new(&names, &entries).await);
    let mut tasks = tokio::task::JoinSet::new();
    for domain in domains.clone() {
        let stage = Arc::clone(&stage);
        tasks.spawn(async move {
            let mut wire = stage.enter(&domain).await.unwrap().0;
            for number in 0..EACH {
                wire.send(&message(&domain, &format!("i{number}."))).await;
                stage.send(&outbound(&domain, &format!("o{number}.")));
                tokio::task::yield_now().await;
            }
            (domain, wire)
        });
    }
    for round in 0..10 {
        stage.inside.reached(round * STREAMS * EACH / 10).await;
        // Something else changes each time.
        let more = format!("stanza-rate = {}\n", 1000 + round);
        let entries: String = names.iter().map(|name| entry(name, &more)).collect();
        stage.reload(&entries);
    }
    let streams = tasks.join_all().await;
    for domain in &names {
        let last = EACH - 1;
        let from = format!("from='a@{domain}'");
        stage.inside.find(&[&from, &format!("id='i{last}.'")]).await;
        stage
            .outside
            .find(&[domain, &format!("id='o{last}.'")])
            .await;
    }
    for (diary, letter) in [(&stage.inside, "i"), (&stage.outside, "o")] {
        let mut got: Vec<_> = diary
            .lines()
            .iter()
            .filter(|line| line.contains("<message"))
            .cloned()
            .collect();
        got.sort();
        got.dedup();
        assert_eq!(got.len(), STREAMS * EACH, "{letter}");
        assert!(diary.lines().iter().all(|line| !line.contains("error")));
    }

    // Ten are taken out: they end at once (a busy machine may take a while), with the reason, while the others go on.
    let (gone, kept) = names.split_at(10);
    let (mut ends, mut stays): (Vec<_>, Vec<_>) = streams
        .into_iter()
        .partition(|(domain, _)| gone.contains(&domain.as_str()));
    let entries: String = kept.iter().map(|name| entry(name, "")).collect();
    let begun = Instant::now();
    stage.reload(&entries);
    for (domain, wire) in &mut stays {
        wire.send(&message(domain, "after.")).await;
    }
    for (domain, wire) in &mut ends {
        let error = ending(wire).await;
        assert!(error.contains("policy-violation"), "{domain}: {error}");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    for (domain, _) in &stays {
        let from = format!("from='a@{domain}'");
        stage.inside.find(&[&from, "id='after.'"]).await;
    }
    let total = stage.daemon.edge().ledger.total();
    assert_eq!((total.bounced, total.dropped), (0, 0));
}
