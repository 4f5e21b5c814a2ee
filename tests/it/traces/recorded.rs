//! Three partners of a running daemon, each of which comes and is gone to: one refused, one by dialback,
//! one by its certificate. What is recorded of them replays, and says nothing that it should not.

use std::time::Instant;

use xmpp_edge::proto::trace::{Fate, Trace, replay};

use super::recording::Recording;
use crate::federation::stage::Stage;
use crate::tree;

const ENTRIES: &str = "[[partner]]\nprimary-domain = \"p-external.example\"\ntype = \"federated\"\nROUTE\n\n\
                       [[partner]]\nprimary-domain = \"p-tls.example\"\ntype = \"federated\"\nsasl = \"not-supported\"\n\
                       dialback = true\nROUTE\n\n\
                       [[partner]]\nprimary-domain = \"other.example\"\ntype = \"federated\"\n";

/// What users say and are called, and must not stand in any file.
const SAID: [&str; 4] = ["whispered words", "anne.of", "bob.of", "pocket-phone"];

async fn stage() -> Stage {
    Stage::new(
        &["p-external.example", "p-tls.example", "stranger.example"],
        ENTRIES,
    )
    .await
}

/// Records a partner that comes, says something, and hears something.
async fn record(stage: &Stage, domain: &str, last: &str) -> String {
    let recording = Recording::begin(&stage.lab().path("admin.sock"), domain);
    match stage.enter(domain).await {
        Ok((mut wire, _)) => {
            wire.send(&format!(
                "<message from='anne.of@{domain}/pocket-phone' to='bob.of@contoso.example' id='m1'>\
                 <body>whispered words &amp; more</body></message>"
            ))
            .await;
            stage
                .inside
                .find(&["whispered words &amp; more", domain])
                .await;
            stage.send(&format!(
                "<message from='bob.of@contoso.example' to='anne.of@{domain}/pocket-phone' id='m2'>\
                 <body>whispered words back</body></message>"
            ));
            stage.outside.find(&["whispered words back", domain]).await;
            wire.send("</stream:stream>").await;
            while wire.element().await.is_some() {}
        }
        Err(why) => assert!(why.contains("policy-violation"), "{why}"),
    }
    tokio::task::block_in_place(|| {
        // The partner's own stream ends first, and what it has sent comes before that.
        recording.wait_for(last);
        recording.end()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_daemon_records_replays_to_the_same_decisions() {
    let stage = stage().await;
    for (name, domain, decided, streams, last) in [
        (
            "refused",
            "stranger.example",
            "\"reason\":\"unknown-partner\"",
            1,
            "\"reason\":\"unknown-partner\"",
        ),
        (
            "dialback",
            "p-tls.example",
            "\"method\":\"tls-dialback\"",
            3,
            "\"reason\":\"peer-closed\"",
        ),
        (
            "authenticated",
            "p-external.example",
            "\"method\":\"sasl-external\"",
            2,
            "\"reason\":\"peer-closed\"",
        ),
    ] {
        let text = record(&stage, domain, last).await;
        assert!(text.contains(decided), "{decided}\n{text}");
        for word in SAID {
            assert!(!text.contains(word), "{word}\n{text}");
        }
        // No other partner's name, and nobody's secret.
        assert!(!text.contains("other.example"), "{text}");
        assert!(!text.contains("0123456789abcdef"), "{text}");
        let trace = Trace::read(text.as_bytes()).unwrap();
        let end = trace.end.as_ref().unwrap();
        assert_eq!(
            (end.missed, end.lines),
            (0, trace.lines.len() as u64),
            "{text}"
        );
        let outcome = replay(&trace, Instant::now());
        assert_eq!(outcome.differences, [], "{text}");
        let whole = |fate: &Fate| matches!(fate, Fate::Whole(outputs) if *outputs > 2);
        assert!(
            outcome.streams.values().all(whole),
            "{:?}\n{text}",
            outcome.streams
        );
        assert_eq!(outcome.streams.len(), streams, "{text}");
        if std::env::var_os("XMPP_EDGE_RECORD").is_some() {
            std::fs::write(tree::top().join(format!("tests/traces/{name}.trace")), text).unwrap();
        }
    }
}

/// A stream that was there before is shown from then on, and not replayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_was_there_before_is_joined() {
    let stage = stage().await;
    let domain = "p-external.example";
    let (mut wire, _) = stage.enter(domain).await.unwrap();
    let message = |id: &str| {
        format!(
            "<message from='anne.of@{domain}' to='bob.of@contoso.example' id='{id}'>\
             <body>whispered words {id}</body></message>"
        )
    };
    wire.send(&message("first")).await;
    stage.inside.find(&["whispered words first"]).await;
    let recording = Recording::begin(&stage.lab().path("admin.sock"), domain);
    // The stream looks when it is given something.
    for id in ["second", "third"] {
        wire.send(&message(id)).await;
        stage.inside.find(&["whispered words", id]).await;
    }
    let text = recording.end();
    assert!(text.contains("id='third'"), "{text}");
    assert!(
        !text.contains("id='first'") && !text.contains("whispered"),
        "{text}"
    );
    let trace = Trace::read(text.as_bytes()).unwrap();
    let outcome = replay(&trace, Instant::now());
    assert!(
        matches!(outcome.streams.values().next(), Some(Fate::Not(_))),
        "{outcome:?}"
    );
}

/// Who reads nothing loses records, and what is beyond the bounds is lost; all of it is relayed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_relayed_whole_and_recorded_in_part() {
    let stage = stage().await;
    let domain = "p-external.example";
    let socket = stage.lab().path("admin.sock");
    let recording = Recording::begin_without_reading(&socket, domain);
    let (mut wire, _) = stage.enter(domain).await.unwrap();
    for round in 0..50 {
        let some: String = (0..100)
            .map(|id| {
                format!(
                    "<message from='anne.of@{domain}' to='bob.of@contoso.example' id='{round}-{id}'>\
                     <body>whispered words</body></message>"
                )
            })
            .collect();
        wire.send(&some).await;
    }
    stage.inside.reached(5000).await;
    let text = tokio::task::block_in_place(|| recording.end());
    let trace = Trace::read(text.as_bytes()).unwrap();
    // Where nothing was read for too long, there is no end.
    assert!(trace.lines.len() < 5000, "{}", trace.lines.len());
    assert!(trace.end.is_none_or(|end| end.missed > 0), "{}", text.len());
    assert!(text.contains("\"method\":\"sasl-external\""), "{text}");
    assert!(!text.contains("whispered"));
    assert!(stage.is_balanced());
}
